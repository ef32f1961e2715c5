"""How soon do the pages answer? ``python tests/benchmarks/ui.py FOLDER [--conditions 20000] [--genes 10000]``.

Writes a warehouse of four datasets that share their perturbations, signatures drawn at random and no cells, unless it
is there already; starts ``featurestore ui``; and prints the time to the first byte of every page, first and warm.
"""

from __future__ import annotations

import http.client
import statistics
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np
import polars as pl

from featurestore.contract import RELEASE
from featurestore.snapshot import read_snapshot
from featurestore.warehouse import Warehouse
from ingest import reference
from ingest.publish import publish, staging
from ingest.tables import TILE_CONDITIONS, TileWriter, write_table

DATASETS = 4
WARM = 7


def write_warehouse(root: Path, n_conditions: int, n_genes: int) -> None:
    """Publish the datasets."""
    genes = (
        reference.table("gene")
        .filter(pl.col("gene_id").str.starts_with("ENSG"))
        .drop_nulls("gene_symbol")
        .sort("gene_id")
    )
    for number in range(DATASETS):
        name = f"screen_{number}"
        print(f"writing {name}", flush=True)
        with staging(root) as workspace:
            folder = workspace / "release"
            folder.mkdir()
            _write_release(folder, name, genes, n_conditions // DATASETS, n_genes, np.random.default_rng(number))
            manifest = {"dataset_id": name, "release_id": f"random{number}", "gene_reference": "bench"}
            publish(root, folder, manifest, reference.data_dir())


def _write_release(
    folder: Path, name: str, genes: pl.DataFrame, n_conditions: int, n_genes: int, rng: np.random.Generator
) -> None:
    coding = genes.filter(biotype="protein_coding").head(n_conditions)
    measured = genes.sample(n_genes, seed=0)
    index = pl.int_range(n_conditions, dtype=pl.Int32, eager=True)
    conditions = pl.DataFrame(
        {
            "condition_index": index,
            "condition_id": coding["gene_symbol"] + "/K562",
            "perturbation_id": coding["gene_id"],
            "perturbation_label": coding["gene_symbol"],
            "target_gene_ids": coding["gene_id"].reshape((-1, 1)).arr.to_list(),
            "target_symbols": coding["gene_symbol"].reshape((-1, 1)).arr.to_list(),
            "n_cells": rng.integers(20, 400, n_conditions),
        }
    ).with_columns(
        perturbation_kind=pl.lit("crispri"),
        context_id=pl.lit("CVCL_0004"),
        context_label=pl.lit("K562"),
        is_control=pl.lit(value=False),
        experiment_id=pl.lit(name),
    )
    quality = pl.DataFrame(
        {
            "condition_index": index,
            "effect_norm": rng.lognormal(0, 1, n_conditions).astype(np.float32),
            "knockdown_ratio": rng.random(n_conditions).astype(np.float32),
            "is_responder": rng.random(n_conditions) < 0.3,
        }
    )
    dataset = pl.DataFrame(
        {"dataset_id": [name], "release_id": [name], "n_conditions": [n_conditions], "n_genes": [n_genes]}
    )
    mapping = measured.select(
        entity=pl.lit("gene"), original="gene_symbol", target_id="gene_id", status=pl.lit("approved")
    )
    numbered = measured.select("gene_id", "gene_symbol").with_row_index("gene_index").cast({"gene_index": pl.Int32})
    made = {"condition": conditions, "quality": quality, "dataset": dataset, "mapping": mapping, "gene": numbered}
    for table in RELEASE:
        if table != "signature":
            write_table(folder, table, _whole(made.get(table, pl.DataFrame()), table))
    with TileWriter(folder, "signature", n_genes) as writer:
        for start in range(0, n_conditions, TILE_CONDITIONS):
            keys = np.arange(start, min(start + TILE_CONDITIONS, n_conditions), dtype=np.int32)
            effect = rng.normal(0, 0.2, (keys.size, n_genes)).astype(np.float16).astype(np.float32)
            columns = {"effect": effect, "z": effect * 5, "q_value": np.exp(-np.abs(effect) * 5).astype(np.float16)}
            absent = {"standard_error": None, "p_value": None}
            writer.write(keys, columns | absent, {"effect_kind": "delta_log1p"})


def _whole(frame: pl.DataFrame, table: str) -> pl.DataFrame:
    """Add the contract's columns that a frame lacks, unknown."""
    schema = RELEASE[table].schema
    return frame.with_columns(
        pl.lit(None, dtype).alias(name) for name, dtype in schema.items() if name not in frame.columns
    )


def first_byte(port: int, address: str) -> float:
    """Ask once. Unit: milliseconds."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    began = time.perf_counter()
    connection.request("GET", address)
    answer = connection.getresponse()
    took = (time.perf_counter() - began) * 1000
    answer.read()
    connection.close()
    assert answer.status == 200, (address, answer.status)
    return took


def pages(root: Path) -> dict[str, str]:
    """Name an address for each page."""
    with Warehouse(root) as store:
        gene = store.frame("select gene_id from release.gene limit 1").item()
        perturbation = store.frame(
            "select perturbation_id from condition where condition_id is not null limit 1"
        ).item()
    return {
        "catalogue": "/",
        "search": "/search?q=march8",
        "dataset": "/dataset?id=screen_0",
        "coverage": "/coverage",
        "overlap": "/overlap?a=screen_0&b=screen_1",
        "perturbation": f"/perturbation?id={perturbation}",
        "perturbation, scatter": f"/perturbation/scatter.json?id={perturbation}",
        "perturbation, similarity": f"/perturbation/similarity.json?id={perturbation}",
        "gene": f"/gene?id={gene}",
        "gene, responses": f"/gene/strips.json?id={gene}",
        "sql": "/sql?query=select+count(*)+from+condition",
        "features": "/features",
    }


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--conditions", default=20_000, show_default=True)
@click.option("--genes", default=10_000, show_default=True)
def main(folder: Path, conditions: int, genes: int) -> None:
    """Measure."""
    if not folder.is_dir() or not read_snapshot(folder).number:
        folder.mkdir(parents=True, exist_ok=True)
        write_warehouse(folder, conditions, genes)
    command = [sys.executable, "-m", "featurestore", "--warehouse", str(folder), "ui", "--no-browser", "--port", "0"]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        line = server.stdout.readline()
        print(f"start: {time.perf_counter() - began:.2f} s until it answers")
        port = int(line.partition("127.0.0.1:")[2].partition("/")[0])
        try:
            print(f"{'page':28}{'first':>10}{'warm':>10}   ms to the first byte")
            for name, address in pages(folder).items():
                first = first_byte(port, address)
                warm = statistics.median(first_byte(port, address) for _ in range(WARM))
                print(f"{name:28}{first:10.0f}{warm:10.0f}")
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
