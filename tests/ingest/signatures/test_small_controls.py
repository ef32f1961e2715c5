"""Few controls, and genes of which single cells have many: what pretend conditions correct has to fit real ones."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from featurestore.query.warehouse import Warehouse
from ingest import reference
from ingest.layouts import write_h5ad
from ingest.pipeline import ingest_dataset
from ingest.signatures.recompute import recompute

N_GENES, N_CONTROLS = 1000, 60
SPEC = """
[dataset]
id = "small"
files = ["small.h5ad"]
values = "{values}"
assay = "perturb_seq"
licence = "CC0-1.0"
[condition]
perturbation = "gene"
kind = "compound"
controls = ["control"]
context = {{ value = "K562" }}
"""


def ingested(folder, values):
    """Controls and pretend perturbations of 3 and 5 cells, all alike; half of the genes come in bursts of a cell."""
    rng = np.random.default_rng(5)
    labels = ["control"] * N_CONTROLS
    labels += [f"sham {at} of {n}" for at in range(20) for n in (3, 5) for _ in range(n)]
    mean = rng.lognormal(0.0, 1.0, N_GENES)
    counts = rng.poisson(mean, (len(labels), N_GENES)).astype(float)
    bursts = rng.random((len(labels), N_GENES // 2)) < 0.006
    counts[:, : N_GENES // 2] = np.where(bursts, 5 + rng.poisson(25, bursts.shape), 0)
    matrix = counts if values == "counts" else np.log1p(1e4 * counts / counts.sum(axis=1, keepdims=True))
    index = pl.Series("index", [f"CELL{at}" for at in range(len(labels))])
    genes = reference.table("gene").filter(pl.col("gene_id").str.starts_with("ENSG")).sort("gene_id").head(N_GENES)
    rows = pl.DataFrame([index, pl.Series("gene", labels)])
    write_h5ad(folder / "small.h5ad", matrix.astype(np.float32), rows, genes.select(index="gene_id"))
    (folder / "small.toml").write_text(SPEC.format(values=values))
    return ingest_dataset(folder / "small.toml", folder / "warehouse")


@pytest.mark.parametrize("values", ["counts", "log1p"])
def test_size__holds_where_controls_are_few_and_genes_come_in_bursts(tmp_path, values):
    outcome = ingested(tmp_path, values)
    with Warehouse(tmp_path / "warehouse") as store:
        p_value = store.frame("select p_value from signature where p_value is not null")["p_value"]
        assert p_value.len() > 10_000
        assert (p_value < 0.05).mean() <= 0.06
        assert (p_value < 0.001).mean() <= 0.003
        assert store.frame("select avg(n_significant) from quality").item() <= 0.3
    faults = recompute(tmp_path / "warehouse", outcome.dataset_id, outcome.release_id)
    assert list(faults) == []


def test_controls__without_a_count_of_any_gene_test_nothing(tmp_path):
    labels = ["control"] * 20 + ["sham"] * 20
    rows = pl.DataFrame({"index": [f"CELL{at}" for at in range(40)], "gene": labels})
    counts = np.zeros((40, 3), np.float32)
    counts[20:] = 1
    write_h5ad(tmp_path / "small.h5ad", counts, rows, pl.DataFrame({"index": ["TP53", "MYC", "STAT1"]}))
    (tmp_path / "small.toml").write_text(SPEC.format(values="counts"))
    outcome = ingest_dataset(tmp_path / "small.toml", tmp_path / "warehouse")
    with Warehouse(tmp_path / "warehouse") as store:
        assert store.frame("select distinct p_value, log2fc from signature").rows() == [(None, None)]
        assert store.frame("select is_responder from quality").rows() == [(None,)]
    assert list(recompute(tmp_path / "warehouse", outcome.dataset_id, outcome.release_id)) == []
