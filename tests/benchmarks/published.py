"""Time and memory of published signatures on their way to a release: ``python tests/benchmarks/published.py``.

2,000 perturbations x 8,000 genes in Parquet: a row for each condition and gene, with effect, p and q; and a row for
each perturbation, with effects alone. Both are in an order of their own. ``--checkout`` runs the code of another
checkout in turn with this one, on the same files. Each ingest is a process of its own; its peak memory is as the kernel
accounts it. Nothing here is a test.
"""

from __future__ import annotations

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

from ingest import reference

LONG = """\
[dataset]
id = "long"
files = ["long.parquet"]
values = "log2_fold_change"
assay = "perturb_seq"
[condition]
perturbation = "target"
kind = "crispri"
context = { value = "K562" }
[table]
gene = "gene"
effect = "log2fc"
p_value = "p"
q_value = "q"
"""
WIDE = """\
[dataset]
id = "wide"
files = ["wide.parquet"]
values = "log2_fold_change"
assay = "perturb_seq"
[condition]
perturbation = "target"
kind = "crispri"
context = { value = "K562" }
"""
AT_ONCE = 50


def write_inputs(folder: Path, n_perturbations: int, n_genes: int) -> None:
    """Write both tables and their specs."""
    rng = np.random.default_rng(0)
    known = (
        reference.table("gene")
        .filter(pl.col("gene_id").str.starts_with("ENSG"), biotype="protein_coding")
        .drop_nulls("gene_symbol")
        .unique("gene_symbol", keep="none", maintain_order=True)["gene_symbol"]
    )
    genes, targets = known.sample(n_genes, seed=0, shuffle=True), known.sample(n_perturbations, seed=1, shuffle=True)
    rows, matrices = [], []
    for first in range(0, n_perturbations, AT_ONCE):
        some = targets[first : first + AT_ONCE]
        effect = rng.normal(size=(len(some), n_genes))
        p = rng.random(effect.shape)
        matrices.append(effect)
        names = {
            "target": np.repeat(some.to_numpy(), n_genes),
            "gene": np.tile(genes.to_numpy(), len(some)),
        }
        numbers = {"log2fc": effect.ravel(), "p": p.ravel(), "q": np.minimum(1, 1.5 * p).ravel()}
        rows.append(pl.DataFrame(names | numbers))
    pl.concat(rows).write_parquet(folder / "long.parquet", compression="snappy", row_group_size=1_000_000)
    wide = pl.DataFrame(np.concatenate(matrices).astype(np.float32), schema=genes.to_list())
    wide.select(targets.alias("target"), pl.all()).write_parquet(folder / "wide.parquet", compression="snappy")
    (folder / "long.toml").write_text(LONG)
    (folder / "wide.toml").write_text(WIDE)


def ingest(spec: Path, checkout: Path) -> Took:
    """Ingest into a warehouse of its own."""
    warehouse = spec.parent / "warehouse"
    shutil.rmtree(warehouse, ignore_errors=True)
    return took([checkout / ".venv/bin/featurestore", "--warehouse", warehouse, "ingest", spec], quiet=True)


@click.command()
@click.option("--perturbations", default=2000, show_default=True)
@click.option("--genes", default=8000, show_default=True)
@click.option("--runs", "n_runs", default=3, show_default=True)
@click.option("--checkout", type=click.Path(exists=True, path_type=Path), help="Another checkout, to compare with.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where the files are, or are written.")
def main(*, perturbations: int, genes: int, n_runs: int, checkout: Path | None, folder: Path | None) -> None:
    """Print medians in seconds, seconds of all cores, and megabytes."""
    here = Path(sys.prefix).parent
    with tempfile.TemporaryDirectory() as work:
        place = folder or Path(work)
        if not (place / "wide.toml").exists():
            place.mkdir(exist_ok=True)
            writer = get_context("spawn").Process(target=write_inputs, args=(place, perturbations, genes))
            writer.start()  # a child's peak begins with its parent's
            writer.join()
        for name in ("long", "wide"):
            codes = {"this": here} | ({} if checkout is None else {"the other": checkout})
            runs = {code: partial(ingest, place / f"{name}.toml", path) for code, path in codes.items()}
            for code, found in medians(runs, n_runs).items():
                click.echo(f"{name:<6}{code:<10}{found}")


if __name__ == "__main__":
    main()
