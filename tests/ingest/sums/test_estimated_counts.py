"""Counts that are not whole: told from logarithms by evidence, and summed exactly, as logarithms."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import scipy.sparse

from featurestore.errors import ValuesError
from featurestore.query.warehouse import Warehouse
from ingest.inspection.draft import draft_spec
from ingest.inspection.inspect import inspect_file
from ingest.inspection.sample import Sample
from ingest.inspection.values import judge_values
from ingest.layouts import write_h5ad
from ingest.pipeline import ingest_dataset
from ingest.reader import INDEX

GENES = ["TP53", "EGFR", "MYC", "PTEN", "ACTB", "GAPDH", "STAT1", "JAK1", "KRAS", "BRAF", "CD4", "CD8A"]
LABELS = np.repeat(["non-targeting", "STAT1", "MYC"], 30)
RNG = np.random.default_rng(11)
MEANS = np.where(LABELS[:, None] == np.array(GENES), 0.2, 1.0) * RNG.gamma(2.0, 1.0, len(GENES))
LOW = RNG.poisson(MEANS) * RNG.uniform(0.75, 1, MEANS.shape)
HIGH = RNG.poisson(20 * MEANS) * RNG.uniform(0.75, 1, MEANS.shape)


def write(folder, matrix, layout="csr"):
    cells = pl.DataFrame({INDEX: [f"c{i}" for i in range(len(LABELS))], "gene": LABELS, "cell_line": ["K562"] * 90})
    return write_h5ad(folder / "x.h5ad", matrix.astype(np.float32), cells, pl.DataFrame({INDEX: GENES}), layout=layout)


@pytest.mark.parametrize(("matrix", "layout"), [(LOW, "csr"), (HIGH, "csc"), (HIGH, "dense")])
def test_draft__ingests_them_as_they_are(tmp_path, matrix, layout):
    draft = draft_spec(inspect_file(write(tmp_path, matrix, layout)), tmp_path)
    assert 'values = "estimated_counts"' in draft.text
    (tmp_path / "x.toml").write_text(draft.text)
    ingest_dataset(tmp_path / "x.toml", tmp_path / "warehouse")
    with Warehouse(tmp_path / "warehouse") as store:
        effects = store.frame(
            "select perturbation, gene_symbol, effect from signature join condition using (dataset_id, condition_id)"
        )
        counts = store.frame("select count from statistics where count is not null")
        test = store.frame("select distinct value_kind from dataset").item()
    taken = matrix.astype(np.float32).astype(np.float64)
    logs = np.log1p(1e4 * taken / taken.sum(axis=1, keepdims=True))
    expected = {
        (target, gene): logs[target == LABELS, at].mean() - logs[LABELS == "non-targeting", at].mean()
        for target in ("STAT1", "MYC")
        for at, gene in enumerate(GENES)
    }
    found = {(target, gene): effect for target, gene, effect in effects.rows()}
    assert found == pytest.approx(expected, rel=1.6e-5, abs=1e-6)
    assert (counts.height, test) == (0, "estimated_counts")


def sample_of(matrix):
    table = pl.DataFrame({INDEX: [f"g{at}" for at in range(matrix.shape[1])]})
    return Sample(
        scipy.sparse.csr_array(np.asarray(matrix, np.float64)), table, has_whole_rows=True, has_whole_genes=True
    )


WIDE = RNG.poisson(RNG.gamma(0.4, 4.0, 300), (120, 300)).astype(np.float64)
SCALED = WIDE / WIDE.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("matrix", "kind", "says"),
    [
        (np.where(RNG.random(WIDE.shape) < 0.3, WIDE * 0.5, WIDE).clip(0, 19), "estimated_counts", "are whole"),
        (WIDE * RNG.uniform(0.7, 1, WIDE.shape), "estimated_counts", "above 20"),
        ((WIDE * RNG.uniform(0.9, 1, WIDE.shape)).clip(0, 19.9), "estimated_counts", "vary as counts do"),
        (WIDE * RNG.uniform(0.9, 1, (120, 1)), "estimated_counts", "above 20"),
        (np.log1p(1e4 * SCALED)[:, ::3], "log1p", "rows add up to"),
        (np.log1p(1e4 * SCALED)[:, ::3].clip(0.2), None, "no zeros"),
        (1e6 * SCALED, None, "TPM and CPM"),
        (10 * SCALED, None, "TPM and CPM"),
        (np.log1p(1e4 * SCALED * RNG.uniform(0.8, 1.0, WIDE.shape)), "log1p", "vary less than counts do"),
    ],
    ids=["em", "soupx", "low", "scaled", "subset", "no zeros", "tpm", "small", "noisy logs"],
)
def test_judge_values__tells_them_from_logarithms(tmp_path, matrix, kind, says):
    values = judge_values(sample_of(matrix), tmp_path / "x.txt", None, None)
    assert values.kind == kind, values.evidence
    assert says in "; ".join([*values.evidence, values.untold or ""])


@pytest.mark.parametrize(
    ("matrix", "values", "message"),
    [
        (HIGH, "counts", 'set values = "estimated_counts" under'),
        (LOW, "counts", 'set values = "log1p" or "estimated_counts" under'),
        (HIGH, "log1p", "estimated_counts"),
        (np.where(RNG.random(LOW.shape) < 0.5, np.round(LOW), LOW), "log1p", "estimated_counts"),
        (1e6 * HIGH / HIGH.sum(axis=1, keepdims=True), "estimated_counts", "TPM or CPM"),
        (np.log1p(1e4 * HIGH / HIGH.sum(axis=1, keepdims=True)), "estimated_counts", 'set values = "log1p"'),
        (np.where(HIGH[3, 7] == HIGH, -0.5, HIGH), "estimated_counts", "the first -0.5 at row c3, gene JAK1"),
    ],
)
def test_values__that_are_another_kind_are_refused(tmp_path, matrix, values, message):
    path = write(tmp_path, matrix)
    text = draft_spec(inspect_file(write(tmp_path, HIGH)), tmp_path).text
    write(tmp_path, matrix)
    assert path.exists()
    (tmp_path / "x.toml").write_text(text.replace('"estimated_counts"', f'"{values}"'))
    with pytest.raises(ValuesError) as error:
        ingest_dataset(tmp_path / "x.toml", tmp_path / "warehouse")
    assert message in str(error.value)
