"""A file and a subset of it are refused together; lanes that only share barcodes are not."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from featurestore.errors import SpecError
from featurestore.query.warehouse import Warehouse
from ingest.layouts import write_h5ad
from ingest.pipeline import ingest_dataset
from ingest.reader import INDEX

SPEC = """
[dataset]
id = "kolf"
files = ["KOLF*.h5ad"]
values = "counts"
assay = "perturb_seq"
[condition]
perturbation = "gene"
kind = "crispri"
controls = ["NTC"]
context = { value = "KOLF2.1J" }
"""
N = 90
GENES = pl.DataFrame({INDEX: ["ENSG00000141510", "ENSG00000146648", "ENSG00000136997"]})
ROWS = pl.DataFrame(
    {INDEX: [f"AAAC{number:04d}-1" for number in range(N)], "gene": (["NTC"] * 2 + ["STAT1"]) * (N // 3)}
)


@pytest.fixture
def counts():
    return np.random.default_rng(2).poisson(40, (N, 3)).astype(np.float32)


def written(folder, counts, other_rows, other_counts):
    write_h5ad(folder / "KOLF_Pan_Genome.h5ad", counts, ROWS, GENES)
    write_h5ad(folder / "KOLF_Strong.h5ad", other_counts, other_rows, GENES)
    (folder / "kolf.toml").write_text(SPEC)
    return folder / "kolf.toml"


def test_ingest__refuses_a_file_beside_its_subset(tmp_path, counts):
    some = np.random.default_rng(3).permutation(N)[:40]
    spec = written(tmp_path, counts, ROWS[some], counts[some])
    with pytest.raises(SpecError, match="hold the same cells") as caught:
        ingest_dataset(spec, tmp_path / "warehouse")
    assert caught.value.where == "KOLF_Pan_Genome.h5ad and KOLF_Strong.h5ad"
    assert caught.value.got.startswith("40 of the 40 cells of the smaller one are in both")
    assert not list((tmp_path / "warehouse").glob("snapshots/*"))


def test_ingest__takes_lanes_that_share_barcodes_but_not_cells(tmp_path, counts):
    other = np.random.default_rng(4).poisson(40, (N, 3)).astype(np.float32)
    ingest_dataset(written(tmp_path, counts, ROWS, other), tmp_path / "warehouse")
    with Warehouse(tmp_path / "warehouse") as store:
        assert store.frame("select sum(n_cells)::int from condition").item() == 2 * N
        assert store.frame("select sum(count)::int from statistics").item() == counts.sum() + other.sum()
