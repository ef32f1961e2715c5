"""Whether tests hold is said in a sentence, with the size at which they do not and its numbers."""

from __future__ import annotations

import polars as pl
import pytest

from featurestore.calibration import TOO_FEW, doubt, misfit, null_line, qq_points
from featurestore.contract import CONTRACT_VERSION, RELEASE
from featurestore.data_points import counted

NOW = {"contract_version": CONTRACT_VERSION, "files": [{"table": "statistics", "rows": 9}], "spec_file": "a.toml"}


def calibration(*rows):
    """Rows of kind, cells, pretend conditions, tests, shares of p < 0.05 and < 0.001, genes called, and the verdict."""
    names = ["kind", "n_cells", "n_null", "n_tests", "share_p_05", "share_p_001", "mean_significant", "is_calibrated"]
    schema = {name: RELEASE["calibration"].schema[name] for name in names}
    return pl.DataFrame(rows, schema, orient="row")


HOLDS = ("dealt", 2, 30, 300, 0.02, 0.0, 0.0, True)
HEAVY = ("dealt", 8, 10, 100, 0.08, 0.01, 0.5, False)
WORSE = ("dealt", 16, 10, 100, 0.09, 0.02, 2.5, False)


def test_null_line__adds_up_tests_and_conditions_not_shares():
    line = null_line(calibration(HOLDS, ("guide", 64, 10, 100, 0.06, 0.004, 0.2, True)))
    # p < 0.05: 6 + 6 of 400 tests; p < 0.001: 0.4 of 400; genes: 2 in 40 conditions
    assert line == (
        "null: 40 pretend conditions (10 of them guides of controls) of 2 to 64 cells: "
        "3 % of p < 0.05, 0.1 % of p < 0.001, 0.05 genes at q < 0.05 each"
    )


def test_null_line__names_where_tests_do_not_hold_that_all_sizes_together_hide():
    assert null_line(calibration(HOLDS, HEAVY)).endswith(
        "; the tests do not hold at 8 cells (8 % of p < 0.05, 1 % of p < 0.001, 0.5 genes at q < 0.05 each in 10 "
        "conditions in which nothing happened)"
    )


def test_null_line__of_few_conditions_says_that_they_are_too_few():
    line = null_line(calibration(("dealt", 128, 2, 8, 0.125, 0.0, 0.5, False)))
    assert line.startswith("null: 2 pretend conditions of 128 cells: 12 % of p < 0.05, 0 % of p < 0.001, 0.5 genes")
    assert line.endswith("; too few to tell if the tests hold")


@pytest.mark.parametrize("rows", [(), (("dealt", 2, 30, 0, None, None, 0.0, False),)])
def test_null_line__without_tests_says_that_nothing_is_known(rows):
    assert null_line(calibration(*rows)) == TOO_FEW
    assert misfit(calibration(*rows)) == ""


def test_doubt__names_the_worst_size_with_its_numbers():
    assert doubt("a", NOW, calibration(HOLDS)) == ""
    assert doubt("a", NOW, calibration(HOLDS, HEAVY, WORSE)) == (
        "a: tests do not hold at 16 cells (9 % of p < 0.05, 2 % of p < 0.001, 2.5 genes at q < 0.05 each in 10 "
        "conditions in which nothing happened), nor at 8: its p-values and responders say too much"
    )


def test_doubt__is_not_raised_by_sizes_of_too_few_conditions():
    assert doubt("a", NOW, calibration(("guide", 64, 2, 100, 0.09, 0.02, 2.5, False))) == ""


def test_doubt__is_of_old_releases_whose_p_values_were_computed_from_cells():
    old = NOW | {"contract_version": 1}
    sentence = doubt("a", old, calibration())
    assert "not to be relied on" in sentence
    assert "contract version 1" in sentence
    assert sentence.endswith("featurestore ingest a.toml")
    assert doubt("a", old | {"files": [{"table": "signature", "rows": 9}]}, calibration()) == ""


def test_counted__says_how_many_conditions_have_enough_cells():
    facts = {"n_conditions": 1558, "n_data_points": 160, "min_cells": 10, "assay": "perturb_seq"}
    assert counted(facts) == "1,558 conditions, 160 of 10 cells or more"
    assert counted(facts | {"min_cells": 2, "assay": "bulk_rna_seq"}) == "1,558 conditions, 160 of 2 samples or more"
    assert counted(facts | {"min_cells": None}) == "1,558 conditions"
    assert counted(facts | {"n_conditions": 1, "n_data_points": None}) == "1 condition"


def test_qq_points__are_of_sizes_with_tests_as_far_as_there_are_tests():
    table = pl.DataFrame(
        {
            "kind": ["dealt", "dealt", "guide"],
            "n_cells": [2, 4, 64],
            "n_tests": [10, 0, 5],
            "p_quantiles": [[1.0, 0.5, 0.1], [], [1.0]],
        },
        schema_overrides={"p_quantiles": pl.List(pl.Float64)},
    )
    points = qq_points(table)
    assert points.select("n_cells", "kind").rows() == [(2, "dealt")] * 3 + [(64, "guide")]
    assert points["expected"].to_list() == pytest.approx([0.0, 0.25, 0.5, 0.0])
    assert points["observed"].to_list() == pytest.approx([0.0, 0.30103, 1.0, 0.0])
