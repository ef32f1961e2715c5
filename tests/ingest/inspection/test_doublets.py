"""Columns that call doublets beside the labels: inspect names them, and a draft takes the other cells."""

from __future__ import annotations

import tomllib

import numpy as np
import polars as pl
import pytest
from drafting import drafted, ingested

from featurestore.query.warehouse import Warehouse
from ingest.inspection.inspect import inspect_file
from ingest.layouts import write_h5ad

GENES = ["TP53", "MYC", "ABL1", "STAT1", "TYK2", "ISG15", "GAPDH", "ACTB", "KLF1", "SET", "CEBPE", "JAK2"]
EACH = 36
SINGLE = {"singlet", "donor0", "donor1", "sng", "false", "0", "no"}
"""Beginnings of values that stand for one cell."""


def screen(path, **columns):
    """Write cells of a control and a target; further columns repeat over the cells of each."""
    labels = np.repeat(["non-targeting", "STAT1"], EACH)
    rows = {name: (values * 2 * EACH)[: 2 * EACH] for name, values in columns.items()}
    table = pl.DataFrame({"index": [f"C{at}" for at in range(2 * EACH)], "gene": labels, "cell_line": "K562", **rows})
    counts = np.random.default_rng(3).poisson(4.0, (2 * EACH, len(GENES))).astype(np.float32)
    return write_h5ad(path, counts, table, pl.DataFrame({"index": GENES}))


@pytest.mark.parametrize(
    ("name", "values", "where"),
    [
        ("HTO_classification.global", ["Singlet", "Doublet", "Negative"], "\"HTO_classification.global\" = 'Singlet'"),
        ("scDblFinder.class", ["singlet", "doublet", "singlet"], "\"scDblFinder.class\" = 'singlet'"),
        ("donor_id", ["donor0", "doublet", "unassigned", "donor1"], "donor_id not in ('doublet', 'unassigned')"),
        ("BEST", ["SNG-A", "DBL-A-B-0.5", "SNG-B", "AMB-A-B"], "starts_with(BEST, 'SNG')"),
        ("predicted_doublet", [False, True, False], "not predicted_doublet"),
        ("is_doublet", [0, 1, 0], "is_doublet in (0)"),
        ("doublet", ["no", "yes", "no"], "doublet in ('no')"),
    ],
)
def test_doublets__are_named_and_left_out(name, values, where, tmp_path):
    path = screen(tmp_path / "a.h5ad", **{name: values})
    assert [guess.column for guess in inspect_file(path).roles["doublets"]] == [name]
    draft = drafted(path)
    assert tomllib.loads(draft.text)["condition"]["where"] == where
    assert "condition.where" in draft.doubtful
    taken = pl.DataFrame({name: values}).select(pl.sql_expr(where)).to_series().to_list()
    assert taken == [str(each).split("-")[0].lower() in SINGLE for each in values]


def test_doublets__are_rejected_with_the_condition_as_their_reason(tmp_path):
    ingested(tmp_path, drafted(screen(tmp_path / "a.h5ad", call=["Singlet", "Doublet", "Negative"])))
    with Warehouse(tmp_path / "warehouse") as store:
        found = store.frame("select perturbation, n_cells from condition order by 1").rows()
        rejected = store.frame("select reason, sum(n_cells) from rejected group by all").rows()
    assert found == [("STAT1", EACH // 3), ("control", EACH // 3)]
    assert [(reason.count("call = 'Singlet'"), n) for reason, n in rejected] == [(1, 2 * EACH * 2 // 3)]


def test_doublets__of_two_callers_are_left_out_by_both_unless_they_agree(tmp_path):
    calls = ["Singlet", "Doublet", "Singlet"]
    alike = screen(tmp_path / "a.h5ad", hash_id=["A", "Doublet", "B"], hto_global=calls)
    assert [guess.column for guess in inspect_file(alike).roles["doublets"]] == ["hto_global"]
    apart = screen(tmp_path / "b.h5ad", predicted_doublet=[False, False, True], hto_global=calls)
    assert "hto_global = 'Singlet' and not predicted_doublet" in drafted(apart).text


@pytest.mark.parametrize("name", ["n_guides", "num_features", "nperts", "sgRNA_count"])
def test_cells_of_several_guides__with_the_label_of_one_are_left_out(name, tmp_path):
    values = [0, 1, 2, 1, 3, 1]
    path = screen(tmp_path / "a.h5ad", **{name: values})
    draft = drafted(path)
    assert tomllib.loads(draft.text)["condition"]["where"] == f"{name} <= 1"
    assert "condition.where" in draft.doubtful
    ingested(tmp_path, draft)
    with Warehouse(tmp_path / "warehouse") as store:
        found = store.frame("select perturbation, n_cells from condition order by 1").rows()
    assert found == [("STAT1", EACH * 4 // 6), ("control", EACH * 4 // 6)]


@pytest.mark.parametrize("several", [{"STAT1": [2]}, {"STAT1": [1], "non-targeting": [0]}, {"STAT1": [2000, 900]}])
def test_cells_of_several_guides__that_labels_tell_or_that_are_none_are_kept(several, tmp_path):
    numbers = [several.get(label, [1])[at % len(several.get(label, [1]))]
               for at, label in enumerate(np.repeat(["non-targeting", "STAT1"], EACH))]  # fmt: skip
    assert "where" not in tomllib.loads(drafted(screen(tmp_path / "a.h5ad", n_guides=numbers)).text)["condition"]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("CD4", ["Negative", "Positive"]),
        ("predicted_doublet", [False]),
        ("doublet_score", [0.1, 0.3]),
        ("s", ["Doublet"]),
    ],
)
def test_doublets__are_none_where_nothing_calls_them(name, values, tmp_path):
    path = screen(tmp_path / "a.h5ad", **{name: values})
    assert inspect_file(path).roles["doublets"] == []
    assert "where" not in tomllib.loads(drafted(path).text)["condition"]
