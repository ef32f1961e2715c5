"""Row tables become the same conditions however they are cut into files, and say what they lack."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featurestore.errors import SpecError, ValuesError
from ingest.commands.left_open import left_open
from ingest.conditions.given import gather_rows
from ingest.conditions.roles import ROLES
from ingest.layouts import write_h5ad
from ingest.pipeline import ingest_dataset
from ingest.spec import parse_spec

N = 60
AT = np.arange(N)
ROWS = pl.DataFrame(
    {
        "index": [f"c{number}" for number in AT],
        "drug": [["DMSO", " A ", "B", None][number % 4] for number in AT],
        "second": [["DMSO", "B", None, "A"][number % 4] for number in AT],
        "dose": [["0", "10", "1000", None][number % 4] for number in AT],
        "second_dose": [["0", "5", None, "7"][number % 4] for number in AT],
        "line": [["A549", "MCF7", None][number % 3] for number in AT],
        "stimulus": [["rest", "IFNG"][number % 2] for number in AT],
        "plate": [["p2", "p1", None][number // 20] for number in AT],
        "n": [[float("nan"), 12.0][number % 2] for number in AT],
        "m": AT + 1,
        "well": [["RC", "SA"][number % 2] for number in AT],
    }
)


def spec(values="counts", **condition):
    usual = {"perturbation": "drug", "kind": "compound", "controls": ["DMSO"], "context": {"column": "line"}}
    dataset = {"id": "x", "files": ["x"], "values": values, "assay": "drug_seq"}
    return parse_spec({"dataset": dataset, "condition": usual | condition})


@settings(deadline=None, max_examples=30)
@given(cuts=st.sets(st.integers(1, N - 1), max_size=6))
def test_gathered__rows_do_not_depend_on_the_files(cuts):
    rules = spec(batch="plate", dose={"column": "dose", "unit": "nM"}, where="line = 'A549'")
    edges = [0, *sorted(cuts), N]
    parts = [ROWS[start:stop] for start, stop in itertools.pairwise(edges)]
    whole, cut = gather_rows([ROWS], rules), gather_rows(parts, rules)
    assert cut.combos.equals(whole.combos)
    assert cut.batches.equals(whole.batches)
    for name in ("combo", "batch", "half", "is_kept"):
        np.testing.assert_array_equal(getattr(cut, name), getattr(whole, name))
    labels = whole.combos[whole.combo.tolist()]
    assert labels["perturbation_label"].to_list() == [["DMSO", "A", "B", None][number % 4] for number in AT]
    assert whole.combos.columns == list(ROLES)
    assert whole.batches["batch"].to_list() == ["p1", "p2", None]
    assert [whole.batches["batch"][int(batch)] for batch in whole.batch] == ROWS["plate"].to_list()
    assert whole.is_kept.tolist() == [line == "A549" for line in ROWS["line"]]


def of_rows(**condition):
    gathered = gather_rows([ROWS], spec(**condition))
    return gathered.combos[gathered.combo.tolist()]


def test_context__of_a_template_is_missing_where_a_part_is():
    contexts = of_rows(context={"template": "{line} + {stimulus}"})["context"].to_list()
    assert contexts[:4] == ["A549 + rest", "MCF7 + IFNG", None, "A549 + IFNG"]


def test_components__leave_out_controls_with_their_doses_and_have_no_order():
    rules = spec(
        perturbation=["drug", "second"], separator=" + ", dose={"columns": ["dose", "second_dose"], "unit": "nM"}
    )
    gathered = gather_rows([ROWS], rules)
    rows = gathered.combos[gathered.combo.tolist()]
    assert rows["perturbation_label"].to_list()[:4] == ["DMSO", "A + B", "B", None]
    assert rows["dose"].to_list()[:3] == [None, "10 + 5", "1000"]
    turned = ROWS.rename({"drug": "second", "second": "drug", "dose": "second_dose", "second_dose": "dose"})
    again = gather_rows([turned], rules)
    pairs = again.combos[again.combo.tolist()].select("perturbation_label", "dose").rows()
    assert pairs[:2] == [("DMSO", None), ("A + B", "10 + 5")]


def test_control_where__takes_rows_whatever_their_label():
    kinds = of_rows(control_where="well = 'RC'", controls=[])["kind"].to_list()
    assert kinds[:3] == ["control", None, "control"]


def test_cells__of_a_pseudobulk_come_from_the_first_column_that_has_them():
    gathered = gather_rows([ROWS], spec("mean_counts", cells=["n", "m"]))
    assert gathered.cells.tolist()[:4] == [1.0, 12.0, 3.0, 12.0]
    assert gather_rows([ROWS], spec()).cells.size == 0
    with pytest.raises(ValuesError, match=r"(?s)row 'c0'.*none in 30 rows") as caught:
        gather_rows([ROWS], spec("mean_counts", cells="n"))
    assert "name a further column" in str(caught.value)
    assert gather_rows([ROWS], spec("mean_counts", cells="n", where="well = 'SA'")).is_kept.sum() == 30


@pytest.mark.parametrize("key", ["where", "control_where"])
@pytest.mark.parametrize("condition", ["line =", "absent = 1", "line"])
def test_conditions__that_cannot_be_evaluated_are_named(key, condition):
    with pytest.raises(SpecError, match=f"'{key}' cannot be evaluated") as caught:
        gather_rows([ROWS], spec(**{key: condition}))
    assert f"condition.{key}: {condition}" in str(caught.value)


@pytest.mark.parametrize("key", ["where", "control_where"])
def test_conditions__that_take_no_row_of_any_file_show_the_values(key):
    other = ROWS.with_columns(well=pl.lit("rc"))
    with pytest.raises(SpecError, match=f"'{key}' takes no row") as caught:
        gather_rows([ROWS, ROWS], spec(**{key: "well = 'rc'"}))
    assert "'well': 'RC', 'SA'" in str(caught.value)
    assert gather_rows([ROWS, other], spec(**{key: "well = 'rc'"})).combo.size == 2 * N


FAULTS = [
    ({"perturbation": ["drug", "second"]}, "need 'controls' and a 'separator'"),
    ({"dose": {"columns": ["dose", "second_dose"]}}, "as many columns of 'dose' as of 'perturbation'"),
    ({"context": {"template": "K562"}}, "name columns in braces"),
    ({"context": {"templat": "{line}"}}, "did you mean 'template'"),
]


@pytest.mark.parametrize(("condition", "said"), FAULTS)
def test_spec__contradictions_are_faults(condition, said):
    with pytest.raises(SpecError, match=said):
        spec(**condition)


def test_spec__means_need_cells():
    with pytest.raises(SpecError, match="of how many cells each mean"):
        spec("mean_counts")


def test_controls__of_several_columns_that_no_component_has_are_told(tmp_path):
    drugs = pl.DataFrame(
        {"index": [f"c{n}" for n in range(8)], "drug": ["DMSO", "A"] * 4, "drug_2": ["DMSO"] * 4 + ["B", "PBS"] * 2}
    )
    counts = np.random.default_rng(0).poisson(5.0, (8, 3)).astype(np.float32)
    write_h5ad(tmp_path / "pairs.h5ad", counts, drugs, pl.DataFrame({"index": ["TP53", "MYC", "STAT1"]}))
    (tmp_path / "pairs.toml").write_text(
        """
[dataset]
id = "pairs"
files = ["pairs.h5ad"]
values = "counts"
assay = "drug_seq"
[condition]
perturbation = ["drug", "drug_2"]
separator = " + "
kind = "compound"
controls = ["DMSO", "PBS", "vehicle"]
context = { value = "A549" }
"""
    )
    outcome = ingest_dataset(tmp_path / "pairs.toml", tmp_path / "warehouse")
    assert left_open(tmp_path / "warehouse", outcome)[0] == (
        "  no row has the control label 'vehicle' that the spec names"
    )
