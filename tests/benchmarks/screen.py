"""Write a synthetic screen of realistic sparsity: ``python screen.py FILE --cells N --genes N --perturbations N``.

Expression is log-normal over genes (sigma 1.7, about 4,300 of 18,000 genes seen in a cell of 10,000 counts), depth
log-normal over cells, counts Poisson: most stored values are 1. Genes are real, from the reference.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click
import h5py
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import sparse

from ingest import reference
from ingest.layouts import write_h5ad_rows, write_replogle
from ingest.layouts.h5ad import write_table
from ingest.reader import INDEX

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "files"))

from layouts.tokens import FIRST_TOKEN, TAHOE, write_vocabulary

CHUNK, DRAWN, A_SHARD = 2000, 10, 24_000
SPEC = """\
[dataset]
id = "{name}"
files = ["{name}.h5ad"]
values = "counts"
assay = "perturb_seq"

[condition]
perturbation = "gene"
kind = "crispri"
controls = ["non-targeting"]
context = {{ value = "K562" }}
batch = "gem_group"
"""


def profile(n_genes: int, rng: np.random.Generator) -> np.ndarray:
    """Draw expression at rest, summing to 1."""
    expression = rng.lognormal(0.0, 1.7, n_genes)
    return expression / expression.sum()


def cells(n_cells: int, rest: np.ndarray, depth: float, rng: np.random.Generator) -> Iterator[sparse.csr_array]:
    """Draw counts, some rows at a time; after the first 20,000 cells the same come again, in another order."""
    drawn: list[sparse.csr_array] = []
    for start in range(0, n_cells, CHUNK):
        n = min(CHUNK, n_cells - start)
        if len(drawn) == DRAWN:
            yield drawn[rng.integers(DRAWN)][rng.permutation(CHUNK)[:n]]
            continue
        depths = rng.lognormal(np.log(depth), 0.3, CHUNK)
        drawn.append(sparse.csr_array(rng.poisson(depths[:, None] * rest).astype(np.float32)))
        yield drawn[-1][:n]


def axes(
    n_cells: int, n_genes: int, n_perturbations: int, rng: np.random.Generator
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Draw the tables of cells and genes."""
    genes = reference.table("gene").filter(pl.col("gene_id").str.starts_with("ENSG")).sort("gene_id").head(n_genes)
    coding = reference.table("gene").filter(pl.col("biotype") == "protein_coding")["gene_symbol"].drop_nulls().sort()
    labels = ["non-targeting", *coding.head(n_perturbations - 1)]
    target = rng.integers(0, n_perturbations, n_cells)
    target[rng.random(n_cells) < 0.05] = 0
    rows = pl.DataFrame(
        {
            INDEX: [f"CELL{i:08d}-1" for i in range(n_cells)],
            "gene": np.array(labels)[target],
            "gem_group": rng.integers(1, 9, n_cells),
        }
    )
    return rows, genes.select(pl.col("gene_id").alias(INDEX), pl.col("gene_symbol").fill_null(pl.col("gene_id")))


def write_screen(
    path: Path, *, n_cells: int, n_genes: int, n_perturbations: int, depth: float = 10_000, seed: int = 0
) -> None:
    """Write the file, compressed with gzip, and its spec beside it."""
    rng = np.random.default_rng(seed)
    rows, genes = axes(n_cells, n_genes, n_perturbations, rng)
    write_h5ad_rows(
        path,
        cells(n_cells, profile(n_genes, rng), depth, rng),
        rows,
        genes,
    )
    path.with_suffix(".toml").write_text(SPEC.format(name=path.stem), encoding="utf-8")


def write_dense(path: Path, *, n_cells: int, n_genes: int, n_perturbations: int, depth: float = 10_000) -> None:
    """Write cells as Replogle et al. publish theirs, dense and contiguous, and their spec."""
    rng = np.random.default_rng(0)
    rows, genes = axes(n_cells, n_genes, n_perturbations, rng)
    write_replogle(path, np.zeros((0, n_genes), np.float32), rows.clear(), genes)
    with h5py.File(path, "r+") as file:
        del file["X"], file["obs"]
        write_table(file, "obs", rows)
        matrix = file.create_dataset("X", (n_cells, n_genes), np.float32)
        start = 0
        for chunk in cells(n_cells, profile(n_genes, rng), depth, rng):
            matrix[start : start + chunk.shape[0]] = chunk.toarray()
            start += chunk.shape[0]
    path.with_suffix(".toml").write_text(SPEC.format(name=path.stem), encoding="utf-8")


def write_text(path: Path, *, n_cells: int, n_genes: int, n_perturbations: int, depth: float = 10_000) -> None:
    """Write cells as a table of text, a line each, as labs save them of AnnData or R, and their spec."""
    rng = np.random.default_rng(0)
    rows, genes = axes(n_cells, n_genes, n_perturbations, rng)
    start, names = 0, [*rows.columns, *genes[INDEX]]
    with path.open("wb") as file:
        for chunk in cells(n_cells, profile(n_genes, rng), depth, rng):
            matrix = pl.DataFrame(chunk.toarray().astype(np.int32), schema=names[rows.width :])
            lines = pl.concat([rows[start : start + matrix.height], matrix], how="horizontal")
            lines.write_csv(file, include_header=not start)
            start += matrix.height
    spec = SPEC.format(name=path.stem).replace(".h5ad", path.suffix)
    path.with_suffix(".toml").write_text(spec, encoding="utf-8")


def write_shards(folder: Path, *, n_cells: int, n_genes: int, n_perturbations: int, depth: float = 3_000) -> None:
    """Write cells as token lists in Parquet, as Tahoe-100M is published, 24,000 a file, and their spec."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    rows, genes = axes(n_cells, n_genes, n_perturbations, rng)
    write_vocabulary(folder, genes)
    rows = rows.rename({"gene": "drug", INDEX: TAHOE.key})
    chunks = cells(n_cells, profile(n_genes, rng), depth, rng)
    for number, batch in enumerate(rows.iter_slices(A_SHARD)):
        part = sparse.vstack([next(chunks) for _ in range(-(-batch.height // CHUNK))], format="csr")[: batch.height]
        lists = [
            pa.ListArray.from_arrays(part.indptr.astype(np.int32), values)
            for values in (part.indices.astype(np.int64) + FIRST_TOKEN, part.data)
        ]
        table = batch.to_arrow().append_column(TAHOE.tokens, lists[0]).append_column(TAHOE.values, lists[1])
        pq.write_table(table, folder / f"train-{number:05d}.parquet", row_group_size=1000)
    spec = SPEC.format(name="shards").replace("shards.h5ad", "train-*.parquet").replace('"gene"', '"drug"')
    spec += '[genes]\nid = "ensembl_id"\n'
    (folder / "shards.toml").write_text(spec, encoding="utf-8")


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--cells", "n_cells", default=40_000, show_default=True)
@click.option("--genes", "n_genes", default=18_000, show_default=True)
@click.option("--perturbations", "n_perturbations", default=500, show_default=True)
@click.option("--depth", default=10_000.0, show_default=True, help="Median counts a cell.")
def main(path: Path, n_cells: int, n_genes: int, n_perturbations: int, depth: float) -> None:
    """Write a synthetic screen and its spec."""
    write_screen(path, n_cells=n_cells, n_genes=n_genes, n_perturbations=n_perturbations, depth=depth)


if __name__ == "__main__":
    main()
