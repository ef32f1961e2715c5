"""Time and memory of a feature matrix, beside the same done by hand with pandas and scikit-learn from h5ad files.

2,000 perturbations from four sources of 2,000 x 8,000, 50 components each: ``python tests/benchmarks/features.py``.
``--models`` evaluates on it too, all models or those that are named, and leaves each source out; ``--fits`` fits
``SignatureFeatures`` as often as a grid search would. ``--checkout`` runs the code of another checkout beside this one,
on the same files, and prints rows of this folder's table of what was before and is now: seconds of all cores. Each side
is a process of its own; its peak memory is as the kernel accounts it. Nothing here is a test.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import click
import numpy as np
import polars as pl
from measure import Took, medians, took

from featurestore.contract import RELEASE, TILE_CONDITIONS
from ingest.release.tables import TileWriter

SOURCES = 4
LATENT = 60
SPEC = """
[target]
dataset = "target"
[[feature]]
kind = "signature"
datasets = [{}]
components = 50
"""
OURS = """
import sys
from featurestore.features.builder import build
from featurestore.query.warehouse import Warehouse
with Warehouse(sys.argv[1] + "/warehouse") as store:
    print(build(store, sys.argv[1] + "/features.toml", cache=False).X.shape)
"""
PLAN = """
import sys
from featurestore.features.plan import plan
from featurestore.query.warehouse import Warehouse
with Warehouse(sys.argv[1] + "/warehouse") as store:
    print(plan(store, sys.argv[1] + "/features.toml").sources)
"""
EVALUATE = """
import sys
from featurestore.evaluation.cross_validation import evaluate, standard_models
from featurestore.features.builder import build
from featurestore.query.warehouse import Warehouse
with Warehouse(sys.argv[1] + "/warehouse") as store:
    matrix = build(store, sys.argv[1] + "/features.toml")
every = standard_models(matrix)
names = sys.argv[2].split(",") if sys.argv[2] != "all" else list(every)
found = evaluate(matrix, {name: every[name] for name in names})
print(found.scores)
"""
FITS = """
import json, sys, time
import numpy as np
from featurestore.features.transformer import SignatureFeatures
names = np.array([f"ENSG{i:011d}" for i in range(int(sys.argv[2]))])
features = SignatureFeatures(sys.argv[1] + "/warehouse", [
    {"kind": "signature", "datasets": [f"source_{i}" for i in range(4)], "components": 50}
])
seconds = []
for part in range(5):
    started = time.perf_counter()
    features.fit(names[np.arange(len(names)) % 5 != part]).transform(names[np.arange(len(names)) % 5 == part])
    seconds.append(time.perf_counter() - started)
print(json.dumps({"first fit": seconds[:1], "later fits": seconds[1:]}))
"""
BY_HAND = """
import sys
import anndata, numpy as np, pandas as pd
from sklearn.decomposition import PCA
target = anndata.read_h5ad(sys.argv[1] + "/target.h5ad").to_df()
blocks = []
for i in range(4):
    source = anndata.read_h5ad(sys.argv[1] + f"/source_{i}.h5ad").to_df()
    scores = PCA(50, random_state=0).fit_transform(source.to_numpy())
    blocks.append(pd.DataFrame(scores, index=source.index).reindex(target.index))
print(pd.concat(blocks, axis=1).shape)
"""


def write_release(root: Path, name: str, effects: np.ndarray, context: str) -> None:
    """Write a release with nothing in it but signatures."""
    n, m = effects.shape
    folder = root / "releases" / f"dataset_id={name}" / "release_id=r1"
    folder.mkdir(parents=True)
    ids = [f"ENSG{i:011d}" for i in range(n)]
    genes = [f"ENSG{i:011d}" for i in range(m)]
    condition = {
        "condition_index": np.arange(n),
        "condition_id": [f"{gene}/{context}" for gene in ids],
        "perturbation_id": ids,
        "perturbation_kind": ["crispri"] * n,
        "target_gene_ids": [[gene] for gene in ids],
        "context_id": [context] * n,
        "is_control": [False] * n,
        "n_cells": np.random.default_rng(0).integers(20, 900, n),
        "experiment_id": [f"{name}:{context}"] * n,
    }
    tables = {
        "dataset": pl.DataFrame({"dataset_id": [name], "release_id": ["r1"], "licence": ["CC0-1.0"]}),
        "condition": pl.DataFrame(condition),
        "gene": pl.DataFrame({"gene_index": np.arange(m), "gene_id": genes, "gene_symbol": genes}),
    }
    files = []
    for table, frame in tables.items():
        schema = RELEASE[table].schema
        blank = [pl.lit(None, dtype).alias(each) for each, dtype in schema.items() if each not in frame.columns]
        full = frame.with_columns(blank).select(pl.col(each).cast(dtype) for each, dtype in schema.items())
        full.write_parquet(folder / f"{table}.parquet")
        files.append({"table": table, "path": f"{table}.parquet", "rows": full.height})
    with TileWriter(folder, "signature", m) as signatures:
        for first in range(0, n, TILE_CONDITIONS):
            some = effects[first : first + TILE_CONDITIONS]
            index = np.arange(first, first + len(some), dtype=np.int32)
            signatures.write(index, {"effect": some}, {"effect_kind": "delta_log1p"})
    files.append({"table": "signature", "path": "signature/part-0.parquet", "rows": n * m})
    (folder / "manifest.json").write_text(json.dumps({"files": files, "gene_reference": "genes"}))


def write_inputs(folder: Path, n: int, m: int) -> None:
    """Write the same effects as a warehouse and as h5ad files."""
    import anndata
    import pandas as pd

    rng = np.random.default_rng(0)
    shared, loadings = rng.normal(size=(n, LATENT)), rng.normal(size=(LATENT, m))
    names = ["target", *(f"source_{i}" for i in range(SOURCES))]
    root = folder / "warehouse"
    ids = [f"ENSG{i:011d}" for i in range(max(n, m))]
    (root / "reference" / "genes").mkdir(parents=True)
    blank = {each: [""] * len(ids) for each in ("entrez_id", "hgnc_id", "biotype", "chromosome")}
    gene = pl.DataFrame({"gene_id": ids, "gene_symbol": ids} | blank)
    gene.write_parquet(root / "reference" / "genes" / "gene.parquet")
    for i, name in enumerate(names):
        latent = 0.8 * shared + 0.6 * rng.normal(size=shared.shape)
        effects = (latent @ loadings + 4 * rng.normal(size=(n, m))).astype(np.float32)
        write_release(root, name, effects, f"CVCL_{i}")
        obs, var = pd.DataFrame(index=ids[:n]), pd.DataFrame(index=ids[:m])
        anndata.AnnData(effects, obs=obs, var=var).write_h5ad(folder / f"{name}.h5ad")
    (root / "snapshots").mkdir()
    content = {"contract_version": 1, "created_at": "", "note": "", "datasets": dict.fromkeys(names, "r1")}
    (root / "snapshots" / "00000001.json").write_text(json.dumps(content))
    (folder / "features.toml").write_text(SPEC.format(", ".join(f'"{name}"' for name in names[1:])))


def run(code: str, folder: Path, more: tuple[str, ...], checkout: Path | None) -> Took:
    """Run code from nothing: no matrix of an earlier run is found."""
    shutil.rmtree(folder / "warehouse" / "matrices", ignore_errors=True)
    python = Path(sys.executable) if checkout is None else checkout / ".venv/bin/python"
    return took([python, "-c", code, folder, *more], checkout)


@click.command()
@click.option("--perturbations", default=2000, show_default=True)
@click.option("--genes", default=8000, show_default=True)
@click.option("--models", help="Evaluate these models, separated by commas, or all.")
@click.option("--fits", is_flag=True, help="Fit SignatureFeatures five times.")
@click.option("--only", default="", help="What to run, by a part of its name: plan.")
@click.option("--runs", "n_runs", default=1, show_default=True)
@click.option("--checkout", type=click.Path(exists=True, path_type=Path), help="Another checkout, to compare with.")
def main(
    *, perturbations: int, genes: int, models: str | None, fits: bool, only: str, n_runs: int, checkout: Path | None
) -> None:
    """Print medians in seconds, seconds of all cores, and megabytes."""
    size = f"four sources of {perturbations:,} x {genes:,}"
    runs = [(f"features of {size}", OURS, ()), (f"plan of {size}", PLAN, ())]
    runs += [(f"`evaluate` of {size}, models: {models}", EVALUATE, (models,))] if models else []
    runs += [(f"five fits of {size}", FITS, (str(perturbations),))] if fits else []
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        writer = get_context("spawn").Process(target=write_inputs, args=(folder, perturbations, genes))
        writer.start()  # a child's peak begins with its parent's
        writer.join()
        for name, code, more in (*runs, ("by hand", BY_HAND, ())):
            if only not in name:
                continue
            codes = {"now": None} if checkout is None or name == "by hand" else {"before": checkout, "now": None}
            found = medians({each: partial(run, code, folder, more, path) for each, path in codes.items()}, n_runs)
            if len(found) == 1:
                click.echo(f"{name:<60}{found['now']}")
                continue
            before, now = (f"{each.of_cores:.1f} s; {each.megabytes:,.0f} MB" for each in found.values())
            click.echo(f"| {name}, whole process: processor; peak | {before} | {now} |")


if __name__ == "__main__":
    main()
