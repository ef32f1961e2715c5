"""Conditions of a spec: a truth for each row, or one error that says what is right."""

from __future__ import annotations

import polars as pl
import pytest

from featurestore.errors import SpecError
from ingest.conditions.evaluated import evaluated
from ingest.conditions.gene_columns import is_chosen

TABLE = pl.DataFrame({"gene": ["A", None, "nan"], "n": [1, 2, 3]})


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("gene != 'nan'", [True, False, False]),
        ("n > 1 and gene is null", [False, True, False]),
        ("true", [True, True, True]),
        ("false", [False, False, False]),
        ("1 = 1", [True, True, True]),
        ("null", [False, False, False]),
    ],
)
def test_evaluated__is_a_truth_for_each_row(condition, expected):
    assert evaluated(TABLE, condition, "condition.where").to_list() == expected
    assert evaluated(TABLE.head(0), condition, "condition.where").to_list() == []


@pytest.mark.parametrize("condition", ["gene", "gene =", "true; select 1", 'gene != "nan"', "n >> 'x'", "select 1"])
def test_evaluated__says_what_is_right(condition):
    with pytest.raises(SpecError, match="'where' cannot be evaluated") as caught:
        evaluated(TABLE, condition, "genes.where")
    error = caught.value
    assert error.where == f"genes.where: {condition}"
    assert "true or false of each row, such as gene != 'text'" in error.expected
    assert error.got
    assert error.do == "columns: gene, n; text goes in single quotation marks"


def test_genes__of_which_a_condition_takes_none_are_refused():
    with pytest.raises(SpecError, match="'where' takes no gene") as caught:
        is_chosen(TABLE, "n > 3", "genes.where")
    assert (caught.value.got, caught.value.where) == ("none of 3", "genes.where: n > 3")
    assert is_chosen(TABLE, "true", "genes.where").all()
