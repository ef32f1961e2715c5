"""How soon do the pages answer? ``python tests/benchmarks/ui.py FOLDER [--conditions N] [--genes N] [--queries N]``.

Writes a warehouse of four datasets that share their perturbations, and a fifth of ten perturbations in 140 contexts,
with signatures and without cells, unless it is there already; starts ``featurestore ui``; and prints the time to the
first byte of every page: first, again, the worst of these, and of another gene or perturbation that nobody has asked
for yet; with ``--queries``, while so many long questions in SQL run.
"""

from __future__ import annotations

import http.client
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import click
import numpy as np
import polars as pl

from featurestore.contract import RELEASE
from featurestore.query.warehouse import Warehouse
from featurestore.storage.snapshot import read_snapshot
from ingest import reference
from ingest.release.publish import publish
from ingest.release.staging import staging
from ingest.release.tables import TileWriter, write_table
from warehouse import tiles

DATASETS = 4
CONTEXTS, IN_ALL = 140, 10
"""Contexts of the further dataset, and perturbations in each."""
PLAN = """
[target]
dataset = "screen_{}"
[[feature]]
kind = "signature"
datasets = ["screen_2", "screen_3"]
components = 50
"""
WARM = 7
LONG = "select sum(a.effect * b.effect) from signature a join signature b using (gene_id)"
"""A question that is ended by its time limit, whatever the machine."""


def write_warehouse(root: Path, n_conditions: int, n_genes: int) -> None:
    """Publish the datasets."""
    genes = (
        reference.table("gene")
        .filter(pl.col("gene_id").str.starts_with("ENSG"))
        .drop_nulls("gene_symbol")
        .sort("gene_id")
    )
    datasets = {f"screen_{number}": ["K562"] for number in range(DATASETS)}
    datasets["contexts"] = [f"LINE{number}" for number in range(CONTEXTS)]
    for number, (name, contexts) in enumerate(datasets.items()):
        print(f"writing {name}", flush=True)
        with staging(root) as workspace:
            folder = workspace / "release"
            folder.mkdir()
            n_perturbations = n_conditions // DATASETS if len(contexts) == 1 else IN_ALL
            _write_release(folder, name, genes, n_perturbations, contexts, n_genes, number)
            manifest = {"dataset_id": name, "release_id": f"random{number}", "gene_reference": "bench"}
            publish(root, folder, manifest, reference.data_dir())


def _write_release(
    folder: Path,
    name: str,
    genes: pl.DataFrame,
    n_perturbations: int,
    contexts: list[str],
    n_genes: int,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    n_conditions = n_perturbations * len(contexts)
    targets = genes.filter(biotype="protein_coding").head(n_perturbations)
    coding = targets.join(pl.DataFrame({"context": contexts}), how="cross", maintain_order="left_right")
    measured = genes.sample(n_genes, seed=0)
    index = pl.int_range(n_conditions, dtype=pl.Int32, eager=True)
    conditions = pl.DataFrame(
        {
            "condition_index": index,
            "condition_id": coding["gene_symbol"] + "/" + coding["context"],
            "perturbation_id": coding["gene_id"],
            "perturbation_label": coding["gene_symbol"],
            "target_gene_ids": coding["gene_id"].reshape((-1, 1)).arr.to_list(),
            "target_symbols": coding["gene_symbol"].reshape((-1, 1)).arr.to_list(),
            "n_cells": rng.integers(20, 400, n_conditions),
            "context_label": coding["context"],
        }
    ).with_columns(
        perturbation_kind=pl.lit("crispri"),
        context_id="CVCL_" + pl.col("context_label"),
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
        for keys, columns in tiles(n_conditions, n_genes, seed):
            writer.write(keys, columns, {"effect_kind": "delta_log1p"})


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


@contextmanager
def asked(port: int, n: int) -> Iterator[None]:
    """Ask so many long questions at once, each again when it was ended, during this block."""
    is_over = threading.Event()

    def ask() -> None:
        while not is_over.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
            connection.request("GET", f"/sql?{urlencode({'query': LONG})}")
            connection.getresponse().read()
            connection.close()

    for _ in range(n):
        threading.Thread(target=ask, daemon=True).start()
    time.sleep(1)  # until they work
    try:
        yield
    finally:
        is_over.set()


def pages(root: Path, which: int) -> dict[str, str]:
    """Name an address for each page, of one gene and perturbation or of another."""
    with Warehouse(root) as store:
        genes = store.frame("select distinct gene_id from release.gene order by 1 limit 2")["gene_id"]
        perturbations, in_all = (
            store.frame(
                "select perturbation_id from condition group by 1 having count(*) "
                f"{'>' if is_many else '<'} {CONTEXTS} order by 1 limit 2"
            )["perturbation_id"]
            for is_many in (False, True)
        )
    gene, perturbation, words = genes[which], perturbations[which], ("march8", "kiaa1804")[which]
    return {
        "catalogue": "/",
        "search": f"/search?q={words}",
        "dataset": f"/dataset?id=screen_{which}",
        "coverage": "/coverage",
        "overlap": "/overlap?a=screen_0&b=screen_1",
        "perturbation": f"/perturbation?id={perturbation}",
        "perturbation, scatter": f"/perturbation/scatter.json?id={perturbation}",
        "perturbation, similarity": f"/perturbation/similarity.json?id={perturbation}",
        f"of {CONTEXTS} contexts": f"/perturbation?id={in_all[which]}",
        "plan": f"/plan?{urlencode({'text': PLAN.format(which)})}",
        "gene": f"/gene?id={gene}",
        "gene, responses": f"/gene/strips.json?id={gene}",
        "sql": "/sql?query=select+count(*)+from+condition",
        "features": "/features",
    }


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--conditions", default=20_000, show_default=True)
@click.option("--genes", default=10_000, show_default=True)
@click.option("--queries", default=0, show_default=True, help="Long questions in SQL that run meanwhile.")
def main(folder: Path, conditions: int, genes: int, queries: int) -> None:
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
            print(f"{'page':28}{'first':>8}{'again':>8}{'worst':>8}{'another':>8}   ms to the first byte")
            others = list(pages(folder, 1).values())
            with asked(port, queries):
                for (name, address), other in zip(pages(folder, 0).items(), others, strict=True):
                    if queries and name == "sql":
                        continue  # it waits for its turn, or is told
                    first, *again = (first_byte(port, address) for _ in range(1 + WARM))
                    took = (first, statistics.median(again), max(again), first_byte(port, other))
                    print(f"{name:28}" + "".join(f"{each:8.0f}" for each in took), flush=True)
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
