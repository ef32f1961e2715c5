"""Labels put together of several columns: what is no second component, and what is not assigned."""

from __future__ import annotations

import polars as pl
import pytest

from ingest.conditions.roles import role_expressions
from ingest.spec import parse_spec


def labels_of(pairs, **rules):
    """Label rows of a column of guides and one of drugs."""
    dataset = {"id": "x", "files": ["x"], "values": "counts", "assay": "perturb_seq"}
    condition = {"perturbation": ["guide", "drug"], "kind": "crispri", "separator": " + ", "context": {"value": "K562"}}
    spec = parse_spec({"dataset": dataset, "condition": condition | {"controls": ["NT", "DMSO"]} | rules})
    rows = pl.DataFrame(pairs, schema={"guide": pl.String, "drug": pl.String}, orient="row")
    return rows.select(role_expressions(spec))["perturbation_label"].to_list()


def test_label__of_controls_is_a_control_and_of_one_perturbation_is_that():
    pairs = [("NT", "DMSO"), ("GATA1", "DMSO"), ("NT", "imatinib"), ("GATA1", "imatinib")]
    assert labels_of(pairs) == ["NT", "GATA1", "imatinib", "GATA1 + imatinib"]


@pytest.mark.parametrize("nothing", [None, "", "nan", "NA", "None", "-666"])
def test_label__without_a_second_component_is_the_first(nothing):
    assert labels_of([("GATA1", nothing), ("NT", nothing)]) == ["GATA1", "NT"]


@pytest.mark.parametrize("word", ["multi-guide", "no_reads_found", "*", "unsure", "unknown"])
def test_label__with_a_component_that_is_not_assigned_is_that_word(word):
    pairs = [(word, "DMSO"), ("NT", word), (word, "imatinib"), ("GATA1", word)]
    assert labels_of(pairs, unassigned=["unknown"]) == [word] * 4


def test_label__of_a_first_component_that_is_missing_is_missing():
    assert labels_of([(None, "DMSO"), ("nan", "imatinib")]) == [None, "nan"]


def test_label__takes_a_word_for_nothing_that_is_a_control_for_one():
    assert labels_of([("None", "DMSO"), ("None", "imatinib")], controls=["None", "DMSO"]) == ["None", "imatinib"]


def test_context__that_a_spec_writes_as_a_number_is_that_text():
    dataset = {"id": "x", "files": ["x"], "values": "counts", "assay": "perturb_seq"}
    condition = {"perturbation": "guide", "kind": "crispri", "controls": ["NT"], "context": {"value": 697}}
    spec = parse_spec({"dataset": dataset, "condition": condition})
    assert pl.DataFrame({"guide": ["NT"]}).select(role_expressions(spec))["context"].item() == "697"
