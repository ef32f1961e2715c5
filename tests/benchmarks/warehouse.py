"""Write a warehouse of signatures without ingesting: ``python warehouse.py ROOT --conditions N --datasets N``.

Effects are a few shared directions and noise; their tests follow from them. The tables are written by the writer that
an ingest uses, so that a question reads what it would read of a real release.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import polars as pl
from scipy import special

from featurestore.contract import CONTRACT_VERSION, RELEASE, TILE_CONDITIONS
from ingest import reference
from ingest.release.tables import TileWriter, write_table
from ingest.signatures.false_discovery import benjamini_hochberg

LATENT = 20
NOISE = 0.15
RELEASE_ID = "r1"
DRAWN = 8
"""Blocks of conditions after which the same come again."""


def tiles(n_conditions: int, n_genes: int, seed: int) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
    """Draw condition numbers and columns of the signature table, a row of tiles at a time."""
    rng = np.random.default_rng(seed)
    loadings = rng.normal(size=(LATENT, n_genes)).astype(np.float32) * NOISE
    error = (NOISE * rng.uniform(0.5, 2.0, n_genes)).astype(np.float32)
    noise = rng.normal(size=(TILE_CONDITIONS, n_genes)).astype(np.float32)
    drawn: list[dict[str, np.ndarray]] = []
    for number, first in enumerate(range(0, n_conditions, TILE_CONDITIONS)):
        numbers = np.arange(first, min(first + TILE_CONDITIONS, n_conditions), dtype=np.int32)
        if len(drawn) < DRAWN:
            latent = rng.normal(size=(TILE_CONDITIONS, LATENT)).astype(np.float32) / 4
            effect = latent @ loadings + np.roll(noise, first + 1, axis=1) * error
            z = effect / error
            p_value = 2.0 * special.ndtr(-np.abs(z).astype(np.float64))
            tests = {"z": z, "p_value": p_value, "q_value": benjamini_hochberg(p_value)}
            drawn.append({"effect": effect, "standard_error": np.broadcast_to(error, effect.shape)} | tests)
        yield numbers, {name: values[: numbers.size] for name, values in drawn[number % DRAWN].items()}


def write_release(root: Path, name: str, n_conditions: int, n_genes: int, seed: int = 0) -> None:
    """Write a release that has signatures, conditions, genes, and nothing else."""
    folder = root / "releases" / f"dataset_id={name}" / f"release_id={RELEASE_ID}"
    folder.mkdir(parents=True)
    known = reference.table("gene").filter(pl.col("gene_id").str.starts_with("ENSG"))
    genes = known.sort("gene_id").head(n_genes).select("gene_id", "gene_symbol").with_row_index("gene_index")
    targets = known.sort("gene_id")["gene_id"].gather(np.arange(n_conditions) % known.height)
    replicate = pl.Series(np.arange(n_conditions) // known.height).cast(pl.String)
    condition = pl.DataFrame({"condition_id": targets + "/K562/" + replicate, "perturbation_id": targets})
    condition = condition.with_row_index("condition_index").with_columns(
        perturbation_kind=pl.lit("crispri"),
        target_gene_ids=pl.concat_list("perturbation_id"),
        context_id=pl.lit("CVCL_0004"),
        is_control=pl.lit(value=False),
        n_cells=100,
        experiment_id=pl.lit(f"{name}:CVCL_0004"),
    )
    small = {"condition": condition, "gene": genes}
    for table, frame in small.items():
        write_blank(folder, table, frame)
    write_dataset(folder, name)
    with TileWriter(folder, "signature", n_genes) as writer:
        for numbers, columns in tiles(n_conditions, n_genes, seed):
            writer.write(numbers, columns, {"effect_kind": "delta_log1p"})
    files = [{"table": table, "path": f"{table}.parquet"} for table in (*small, "dataset")]
    files.append({"table": "signature", "path": "signature/part-0.parquet"})
    (folder / "manifest.json").write_text(json.dumps({"files": files, "gene_reference": "genes"}))


def write_blank(folder: Path, table: str, frame: pl.DataFrame) -> None:
    """Write a table of which some columns are given; the others are NULL."""
    schema = RELEASE[table].schema
    blank = [pl.lit(None, dtype).alias(each) for each, dtype in schema.items() if each not in frame.columns]
    write_table(folder, table, frame.with_columns(blank).select(pl.col(n).cast(t) for n, t in schema.items()))


def write_dataset(folder: Path, name: str) -> None:
    """Write the table that says what the dataset is."""
    write_blank(
        folder,
        "dataset",
        pl.DataFrame({"dataset_id": [name], "release_id": [RELEASE_ID], "licence": ["CC0-1.0"]}),
    )


def write_copies(root: Path, *, n_datasets: int, n_conditions: int, n_genes: int) -> None:
    """Write one dataset, and others that are the same under other names: their large files are one on the disk."""
    names = [f"screen_{number:04d}" for number in range(n_datasets)]
    write_release(root, names[0], n_conditions, n_genes)
    first = root / "releases" / f"dataset_id={names[0]}"
    for name in names[1:]:
        copy = first.with_name(f"dataset_id={name}")
        shutil.copytree(first, copy, copy_function=os.link)
        (table,) = copy.glob("*/dataset.parquet")
        table.unlink()
        write_dataset(table.parent, name)
    write_snapshot(root, names)


def write_snapshot(root: Path, names: list[str]) -> None:
    """Name the releases in the one snapshot of the warehouse, and keep the reference of its genes."""
    (root / "reference" / "genes").mkdir(parents=True, exist_ok=True)
    reference.table("gene").write_parquet(root / "reference" / "genes" / "gene.parquet")
    (root / "snapshots").mkdir(exist_ok=True)
    content = {"contract_version": CONTRACT_VERSION, "created_at": "", "note": ""}
    content |= {"datasets": dict.fromkeys(names, RELEASE_ID)}
    (root / "snapshots" / "00000001.json").write_text(json.dumps(content))


def write_warehouse(root: Path, *, n_datasets: int = 1, n_conditions: int = 20_000, n_genes: int = 10_000) -> None:
    """Write datasets of the same size, each drawn anew, and their snapshot."""
    names = [f"screen_{number:04d}" for number in range(n_datasets)]
    for number, name in enumerate(names):
        write_release(root, name, n_conditions, n_genes, seed=number)
    write_snapshot(root, names)


@click.command()
@click.argument("root", type=click.Path(path_type=Path))
@click.option("--datasets", default=1, show_default=True)
@click.option("--conditions", default=20_000, show_default=True)
@click.option("--genes", default=10_000, show_default=True)
def main(root: Path, datasets: int, conditions: int, genes: int) -> None:
    """Write a warehouse of signatures."""
    write_warehouse(root, n_datasets=datasets, n_conditions=conditions, n_genes=genes)


if __name__ == "__main__":
    main()
