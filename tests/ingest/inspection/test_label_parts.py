"""Labels and names of samples that hold a dose, a time, a number or a way of perturbing: read as such."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from featurestore.query.warehouse import Warehouse
from ingest.inspection.draft import draft_spec
from ingest.inspection.inspect import inspect_file
from ingest.layouts import write_h5ad
from ingest.pipeline import ingest_dataset

GENES = ["TP53", "MYC", "ABL1", "STAT1", "TYK2", "ISG15", "GAPDH", "ACTB", "KLF1", "CEBPE", "JAK2", "SET"]
EACH = 4


def counts_of(n_labels):
    rng = np.random.default_rng(5)
    base = rng.gamma(3, 20, len(GENES)) * np.exp(rng.normal(0, 0.5, (n_labels, len(GENES))))
    return rng.poisson(np.repeat(base, EACH, axis=0)).astype(np.float32)


def log1p_of(counts):
    return np.log1p(counts / counts.sum(1, keepdims=True) * 1e4)


def cells(folder, column, labels):
    counts = counts_of(len(labels))
    rows = {"index": [f"c{at}" for at in range(len(counts))], column: np.repeat(labels, EACH).tolist()}
    table = pl.DataFrame(rows | {"cell_line": ["K562"] * len(counts)})
    path = write_h5ad(folder / "cells.h5ad", counts, table, pl.DataFrame({"index": GENES}))
    return counts, draft_spec(inspect_file(path), folder)


def conditions(folder, text):
    (folder / "draft.toml").write_text(text)
    ingest_dataset(folder / "draft.toml", folder / "warehouse")
    with Warehouse(folder / "warehouse") as store:
        return store.frame(
            "select perturbation, perturbation_kind, dose_um, time_h, gene, effect from effects where gene = 'TP53'"
        ).rows()


@pytest.mark.parametrize(
    ("labels", "parts"),
    [
        (["DMSO", "JQ1_1uM", "JQ1_10uM", "Dasatinib_50nM"],
         [("JQ1", 1.0, None), ("JQ1", 10.0, None), ("Dasatinib", 0.05, None)]),
        (["DMSO", "JQ1 0.5 uM", "JQ1 2 µM", "5-FU 1 mM"],
         [("JQ1", 0.5, None), ("JQ1", 2.0, None), ("5-FU", 1000.0, None)]),
        (["DMSO 24h", "JQ1 1uM 24h", "JQ1 10uM 24h", "Dasatinib 1uM 24h"],
         [("JQ1", 1.0, 24.0), ("JQ1", 10.0, 24.0), ("Dasatinib", 1.0, 24.0)]),
        (["[('DMSO_TF', 0.0, 'uM')]", "[('JQ1', 0.05, 'uM')]", "[('JQ1', 5.0, 'uM')]", "[('Dasatinib', 0.5, 'uM')]"],
         [("JQ1", 0.05, None), ("JQ1", 5.0, None), ("Dasatinib", 0.5, None)]),
    ],
)  # fmt: skip
def test_draft__reads_doses_and_times_out_of_labels(labels, parts, tmp_path):
    column = "drugname_drugconc" if labels[0].startswith("[") else "treatment"
    counts, draft = cells(tmp_path, column, labels)
    assert draft.missing == ()
    means = log1p_of(counts).reshape(len(labels), EACH, -1).mean(1)[:, 0]
    expected = {part: means[at] - means[0] for at, part in enumerate(parts, start=1)}
    found = {(name, dose, time): effect for name, _, dose, time, _, effect in conditions(tmp_path, draft.text)}
    assert found.keys() == expected.keys()
    np.testing.assert_allclose([found[part] for part in parts], list(expected.values()), rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize("column", ["treatment", "compound"])
def test_draft__takes_no_name_apart_that_holds_no_dose(column, tmp_path):
    _, draft = cells(tmp_path, column, ["DMSO", "BI-2536", "GSK 126", "A-485"])
    assert "extract" not in draft.text
    assert {line[0] for line in conditions(tmp_path, draft.text)} == {"BI-2536", "GSK 126", "A-485"}


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (["WT", "STAT1 KO", "JAK2 KO", "ABL1 KO"], "crispr_knockout"),
        (["WT", "STAT1-KO", "JAK2-KO", "ABL1-KO"], "crispr_knockout"),
        (["control", "STAT1_OE", "JAK2_OE", "ABL1_OE"], "overexpression"),
        (["shCtrl", "shSTAT1", "shJAK2", "shABL1"], "shrna"),
    ],
)
def test_draft__reads_how_genes_were_perturbed_out_of_labels(labels, kind, tmp_path):
    counts, draft = cells(tmp_path, "perturbation", labels)
    assert draft.missing == ()
    found = {(name, how): effect for name, how, _, _, _, effect in conditions(tmp_path, draft.text)}
    means = log1p_of(counts).reshape(len(labels), EACH, -1).mean(1)[:, 0]
    assert found.keys() == {(name, kind) for name in ("STAT1", "JAK2", "ABL1")}
    expected = [means[at] - means[0] for at in (1, 2, 3)]
    np.testing.assert_allclose(
        [found[name, kind] for name in ("STAT1", "JAK2", "ABL1")], expected, rtol=2e-5, atol=1e-5
    )


@pytest.mark.parametrize("control", ["shLuc", "siGFP", "EV", "parental", "ONE-NON-GENE-SITE", "unstimulated"])
def test_draft__names_what_may_be_the_control(control, tmp_path):
    _, draft = cells(tmp_path, "perturbation", [control, "STAT1", "JAK2", "ABL1"])
    assert draft.missing == ("condition.controls",)
    assert f'# FILL IN: controls = ["{control}"]' in draft.text


@pytest.mark.parametrize("ending", ["_1 _2 _3", "_rep1 _rep2 _rep3", "-R1 -R2 -R3", "1 2 3"])
def test_draft__reads_treatments_out_of_numbered_samples(ending, tmp_path):
    samples = [f"{name}{end}" for name in ("DMSO", "JQ1-alpha") for end in ending.split()]
    counts = counts_of(2)[[0, 1, 2, 4, 5, 6]]
    table = pl.DataFrame({"gene": GENES} | {name: row.astype(int) for name, row in zip(samples, counts, strict=True)})
    table.write_csv(tmp_path / "counts.csv")
    draft = draft_spec(inspect_file(tmp_path / "counts.csv"), tmp_path)
    assert draft.missing == ("condition.context",)
    assert "condition.perturbation" in draft.doubtful
    ((name, _, _, _, _, effect),) = conditions(tmp_path, draft.text.replace("# FILL IN: ", ""))
    assert name == "JQ1-alpha"
    logarithms = log1p_of(counts)[:, 0]
    np.testing.assert_allclose(effect, logarithms[3:].mean() - logarithms[:3].mean(), rtol=2e-5, atol=1e-5)
