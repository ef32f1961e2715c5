"""Logarithms of any base and total: one answer for the same cells, or a refusal."""

from __future__ import annotations

import tomllib

import h5py
import numpy as np
import polars as pl
import pytest
from scipy import sparse

from featurestore.errors import SpecError, ValuesError
from featurestore.query.warehouse import Warehouse
from ingest.commands.left_open import left_open
from ingest.layouts import write_h5ad
from ingest.pipeline import ingest_dataset
from ingest.reader import INDEX
from ingest.sections import LogarithmSection
from ingest.spec import parse_spec
from ingest.sums.logarithm import judge_logarithm, name_of

GENES = ["TP53", "EGFR", "MYC", "PTEN", "ACTB", "GAPDH", "STAT1", "JAK1", "KRAS", "BRAF", "CD4", "CD8A"]
LABELS = np.repeat(["NT", "STAT1", "MYC"], 20)
RNG = np.random.default_rng(8)
DEPTH = RNG.uniform(0.5, 3, (60, 1)) * RNG.gamma(2.0, 3.0, len(GENES))
COUNTS = RNG.poisson(np.where((LABELS[:, None] == np.array(GENES)), 0.2, 1.0) * DEPTH) + 0.0
USUAL = np.log1p(1e4 * COUNTS / COUNTS.sum(axis=1, keepdims=True))
SPEC = """
[dataset]
id = "logs"
files = ["x.h5ad"]
values = "log1p"
assay = "perturb_seq"
{more}
[condition]
perturbation = "gene"
kind = "crispri"
controls = ["NT"]
context = {{ value = "K562" }}
"""


def ingest(folder, values, *, more="", base=None, layout="csr", genes=GENES, dtype=np.float32):
    """Ingest a matrix of logarithms; ``base`` is what the file notes, as scanpy does."""
    cells = pl.DataFrame({INDEX: [f"c{i}" for i in range(60)], "gene": LABELS})
    path = write_h5ad(folder / "x.h5ad", values.astype(dtype), cells, pl.DataFrame({INDEX: genes}), layout=layout)
    if base is not None:
        with h5py.File(path, "a") as file:
            file.require_group("uns").create_group("log1p")["base"] = base
    (folder / "x.toml").write_text(SPEC.format(more=more))
    outcome = ingest_dataset(folder / "x.toml", folder / "warehouse")
    with Warehouse(folder / "warehouse") as store:
        found = store.frame(
            "select perturbation_label, gene_symbol, effect from signature join condition "
            "using (dataset_id, condition_id)"
        )
    return {(label, gene): effect for label, gene, effect in found.rows()}, left_open(folder / "warehouse", outcome)


def expected(values, genes=GENES):
    """Return differences of means from control."""
    return {
        (target, gene): values[target == LABELS, at].mean() - values[LABELS == "NT", at].mean()
        for target in ("STAT1", "MYC")
        for at, gene in enumerate(genes)
    }


def logs(total, base=np.e):
    return np.log1p(total * COUNTS / COUNTS.sum(axis=1, keepdims=True)) / np.log(base)


@pytest.mark.parametrize(
    ("values", "base", "layout"),
    [
        (USUAL, None, "csr"),
        (logs(1e4, 2), 2, "csr"),
        (logs(1e4, 2), 2, "csc"),
        (logs(1e4, 2), None, "dense"),
        (logs(1e4, 10), None, "csr"),
        (logs(1e6), None, "csr"),
        (logs(float(np.median(COUNTS.sum(axis=1)))), None, "csr"),
        (logs(1e6, 2), 2, "dense"),
        (logs(1.0), None, "csc"),
    ],
)
def test_base_and_total__are_read_from_the_file(tmp_path, values, base, layout):
    found, said = ingest(tmp_path, values, base=base, layout=layout)
    assert found == pytest.approx(expected(USUAL), rel=2e-5, abs=2e-5)
    assert not [line for line in said if "logarithms" in line]


def test_total__that_is_not_told_is_assumed_and_said(tmp_path):
    some = USUAL[:, :6]
    found, said = ingest(tmp_path, some, genes=GENES[:6])
    assert found == pytest.approx(expected(some, GENES[:6]), rel=2e-5, abs=2e-5)
    (line,) = (line for line in said if "logarithms" in line)
    assert "rows add up to" in line
    assert "taken as 10,000" in line


@pytest.mark.parametrize("base", [np.e, 2.0, 10.0])
def test_base__is_told_by_counts_where_genes_are_missing(base):
    counts = RNG.poisson(RNG.gamma(0.5, 2.0, 400), (100, 400))
    values = np.log1p(1e4 * counts / counts.sum(axis=1, keepdims=True)).astype(np.float32) / np.log(base)
    rows = sparse.csr_array(values[:, ::2].astype(np.float64))
    judged = judge_logarithm(rows, None, LogarithmSection(), "x")
    assert (judged.base, judged.total, judged.is_assumed) == (base, 1e4, True)
    assert f"base {name_of(base)} (as far as values tell)" in judged.told


def test_spec__says_what_the_file_does_not(tmp_path):
    some = logs(1e6, 2)[:, :6]
    found, said = ingest(tmp_path, some, genes=GENES[:6], more="logarithm = { base = 2, total = 1e6 }")
    assert found == pytest.approx(expected(USUAL[:, :6], GENES[:6]), rel=2e-5, abs=2e-5)
    assert not [line for line in said if "logarithms" in line]


def test_unknown_total__takes_values_as_they_are(tmp_path):
    some = logs(1e6)[:, :6]
    found, _ = ingest(tmp_path, some, genes=GENES[:6], more='logarithm = { total = "unknown" }')
    assert found == pytest.approx(expected(some, GENES[:6]), rel=2e-5, abs=2e-5)


@pytest.mark.parametrize(
    ("values", "base", "more", "message"),
    [
        (logs(1e6)[:, :6], None, "", "not logarithms of counts per 10,000"),
        (logs(1e4, 2), 10, "", "base 10, as the file says"),
        (logs(1e4, 2), None, 'logarithm = { base = "e" }', "base e, as the spec says"),
        (logs(1e4), None, "logarithm = { total = 1e6 }", "total 1e+06, as the spec says"),
        (logs(1e6)[:, :6], None, "logarithm = { total = 20000 }", "not logarithms of counts per 20,000"),
        (np.where(np.arange(60)[:, None] < 40, logs(1e4), logs(1e6)), None, "", "not logarithms of counts per 10,000"),
    ],
)
def test_contradictions__are_refused(tmp_path, values, base, more, message):
    with pytest.raises(ValuesError) as error:
        ingest(tmp_path, values, base=base, more=more, genes=GENES[: values.shape[1]])
    assert message in str(error.value)
    assert "logarithm" in str(error.value)


def test_logarithm__goes_with_logarithms():

    content = tomllib.loads(SPEC.format(more="logarithm = { base = 2 }").replace('"log1p"', '"counts"'))
    with pytest.raises(SpecError, match='it goes with values = "log1p"'):
        parse_spec(content)
