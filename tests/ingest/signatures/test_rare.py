"""Genes that next to no control cell has: a single cell full of them is no evidence, many cells are."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ingest.signatures import tested as comparisons
from ingest.signatures.calibration import Calibration
from ingest.signatures.rare import by_cells, is_rare


def raised(log_p, n_expressing, of_control, *, sign=1, n_cells=20.0, n_controls=70.0, ratio=0.3):
    """What becomes of one p-value."""
    values = np.array([[float(log_p)]])
    of_condition = np.array([[n_expressing]]), np.array([n_cells])
    by_cells(values, np.array([[sign]], np.int8), of_condition, (np.array([of_control]), n_controls), np.array([ratio]))
    return values.item()


@pytest.mark.parametrize(("n_expressing", "of_control"), [(1, 0), (1, 1), (3, 0), (9, 3)])
def test_by_cells__raises_p_to_that_of_so_many_cells_by_scipy(n_expressing, of_control):
    size = of_control + 0.5  # a gamma distribution's shape: k cells seen, and half a one
    law = stats.nbinom(size, 1 / (1 + 0.3))
    upper = law.sf(n_expressing) + law.pmf(n_expressing) / 2
    assert raised(-60.0, n_expressing, of_control) == pytest.approx(np.log(min(1.0, 2 * upper)), rel=1e-7)


def test_by_cells__is_one_where_fewer_cells_than_expected_have_more_counts():
    assert raised(-60.0, 1, 3, ratio=4.0) == 0.0


@pytest.mark.parametrize(
    "case",
    [
        {"n_expressing": 1, "of_control": 0, "sign": -1},  # fewer counts
        {"n_expressing": 11, "of_control": 0},  # most cells have it
        {"n_expressing": 2, "of_control": 0, "n_cells": 3.0},  # two of three wells
        {"n_expressing": 1, "of_control": 4},  # four control cells have it
        {"n_expressing": 1, "of_control": 3, "n_controls": 8.0},  # three of eight have it
        {"n_expressing": 0, "of_control": 0},
    ],
)
def test_by_cells__leaves_other_genes_alone(case):
    assert raised(-60.0, **case) == -60.0


def test_by_cells__lowers_no_p():
    assert raised(-0.01, 9, 0) == -0.01


def test_is_rare__by_number_and_by_share():
    np.testing.assert_array_equal(is_rare(np.array([0, 1, 3, 4]), 1000.0), [True, True, True, False])
    np.testing.assert_array_equal(is_rare(np.array([0, 1, 3, 4]), 15.0), [True, True, False, False])


def test_adjusted__counts_genes_that_neither_has_among_those_that_could_have_been_called():
    p_value = np.array([[1e-4, 0.2, 1.0, 1.0]])
    is_absent = np.array([[False, False, True, True]])
    tested = comparisons.Tested(np.log(p_value), np.ones((1, 4), np.int8), None, is_absent, None)
    log_p, p_given, q_value = tested.adjusted(Calibration.none(), np.array([5.0]), np.zeros(4, np.intp))
    np.testing.assert_allclose(q_value[0, :2], [4e-4, 0.4], rtol=1e-6)  # of four tests, not of the two that are left
    np.testing.assert_allclose(p_given[0, :2], p_value[0, :2])
    assert np.isnan(np.vstack([log_p, p_given, q_value])[:, 2:]).all()
