"""What a user would write instead, in the peers' environment: ``python peers.py TASK ARGUMENT...``, each a process."""

import json
import sys
import time
from pathlib import Path

import numpy as np

N_WARM = 5
TILE = (250, 500)


def warm(task):
    """Time a task some times, once it has run."""
    task()
    seconds = []
    for _ in range(N_WARM):
        started = time.perf_counter()
        task()
        seconds.append(time.perf_counter() - started)
    return seconds


def scanpy(path):
    """Pseudobulk sums of log1p(CP10k)."""
    import scanpy as sc

    cells = sc.read_h5ad(path)
    sc.pp.normalize_total(cells, target_sum=1e4)
    sc.pp.log1p(cells)
    sc.get.aggregate(cells, by="gene", func=["sum", "mean", "var", "count_nonzero"])


def crispyx(path, folder):
    """Normalised effects in one pass."""
    import crispyx as cx

    Path(folder).mkdir(exist_ok=True)
    options = {"perturbation_column": "gene", "control_label": "non-targeting", "gene_name_column": "gene_symbol"}
    cx.pb.normalized_effects(path, output_dir=folder, verbose=False, **options)


def in_memory(path, folder):
    """Do by SciPy what fits in memory: means of log1p(CP10k) by label, Welch's t, q, to Parquet."""
    import anndata as ad
    import pandas as pd
    from scipy import sparse, stats

    cells = ad.read_h5ad(path)
    values = sparse.diags_array(1e4 / np.asarray(cells.X.sum(axis=1)).ravel()) @ cells.X
    values.data = np.log1p(values.data)
    labels, code = np.unique(cells.obs["gene"].astype(str), return_inverse=True)
    groups = sparse.csr_matrix((np.ones(code.size), (code, np.arange(code.size))))
    n = np.bincount(code)[:, None]
    mean = (groups @ values).toarray() / n
    variance = ((groups @ values.multiply(values)).toarray() / n - mean**2) * n / (n - 1)
    at = np.flatnonzero(labels == "non-targeting")[0]
    error = np.sqrt(variance / n + variance[at] / n[at])
    freedom = error**4 / ((variance / n) ** 2 / (n - 1) + (variance[at] / n[at]) ** 2 / (n[at] - 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        p = np.nan_to_num(2 * stats.t.sf(np.abs(mean - mean[at]) / error, freedom), nan=1.0)
    q = stats.false_discovery_control(p, axis=1)
    found = {"effect": mean - mean[at], "standard_error": error, "p": p, "q": q}
    names = {"label": np.repeat(labels, mean.shape[1]), "gene": np.tile(cells.var_names, len(labels))}
    pd.DataFrame(names | {name: each.ravel() for name, each in found.items()}).to_parquet(f"{folder}.parquet")


def text(path):
    """Read a table of text, and add up cells by label."""
    import pandas as pd

    cells = pd.read_csv(path, index_col=0)
    cells.groupby("gene").sum(numeric_only=True)


def shards(folder):
    """Explode the lists of all cells, and group."""
    exploded(f"{folder}/train-*.parquet")


def shards_in_turn(folder):
    """Explode and group one file after another, and add up: less memory."""
    import polars as pl

    parts = [exploded(path) for path in sorted(Path(folder).glob("train-*.parquet"))]
    pl.concat(parts).group_by("drug", "genes").sum()


def exploded(pattern):
    """Sum the cells of some files by drug and gene."""
    import polars as pl

    cells = pl.scan_parquet(pattern).select("drug", "genes", "expressions")
    total = pl.col("expressions").list.sum()
    return (
        cells.with_columns(total=total)
        .explode("genes", "expressions")
        .with_columns(log=(pl.col("expressions") / pl.col("total") * 1e4).log1p())
        .group_by("drug", "genes")
        .agg(pl.col("expressions").sum(), pl.col("log").sum(), square=(pl.col("log") ** 2).sum(), n=pl.len())
        .collect(engine="streaming")
    )


def write_h5ad(copy, folder):
    """Write a matrix of effects, compressed."""
    import anndata as ad
    import pandas as pd

    values = np.load(copy)
    names = [[f"{kind}{i}" for i in range(n)] for kind, n in zip("cg", values.shape, strict=True)]
    frames = [pd.DataFrame(index=axis) for axis in names]
    ad.AnnData(values, *frames).write_h5ad(f"{folder}/effects.h5ad", compression="gzip")
    return values, names


def write_effects(copy, folder):
    """Write a matrix of effects as each peer would keep it."""
    import lance
    import pyarrow as pa
    import tiledbsoma as soma

    values, names = write_h5ad(copy, folder)
    folder = Path(folder)
    extents = {f"soma_dim_{i}": {"tile": side} for i, side in enumerate(TILE)}
    options = {"tiledb": {"create": {"dims": extents}}}
    with soma.DenseNDArray.create(
        str(folder / "soma"), type=pa.float32(), shape=values.shape, platform_config=options
    ) as array:
        array.write((slice(None), slice(None)), pa.Tensor.from_numpy(values))
    effects = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])
    dataset = lance.write_dataset(pa.table({"condition": names[0], "effect": effects}), str(folder / "lance"))
    dataset.create_scalar_index("condition", "BTREE")


def ask(folder, how):
    """Ask for one signature and one gene."""
    if how == "h5ad":
        import anndata as ad

        file = ad.read_h5ad(f"{folder}/effects.h5ad", backed="r")
        one, gene = (lambda: file["c150"].X[:]), (lambda: file[:, "g700"].X[:])
    elif how == "soma":
        import tiledbsoma as soma

        array = soma.DenseNDArray.open(f"{folder}/soma")
        one = lambda: array.read((150, slice(None))).to_numpy()  # noqa: E731
        gene = lambda: array.read((slice(None), 700)).to_numpy()  # noqa: E731
    else:
        import lance

        data = lance.dataset(f"{folder}/lance")
        one = lambda: data.to_table(filter="condition = 'c150'")  # noqa: E731
        gene = lambda: data.to_table(columns={"effect": "effect[701]"})  # noqa: E731
    print(json.dumps({"signature": warm(one), "gene": warm(gene)}))


def read_h5ad(folder):
    """Read the matrix of effects."""
    import anndata as ad

    print(json.dumps({"": warm(lambda: ad.read_h5ad(f"{folder}/effects.h5ad"))}))


if __name__ == "__main__":
    tasks = (scanpy, crispyx, in_memory, text, shards, shards_in_turn, write_h5ad, write_effects, ask, read_h5ad)
    {each.__name__: each for each in tasks}[sys.argv[1]](*sys.argv[2:])
