from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from ingest.signatures.false_discovery import benjamini_hochberg, significant


@settings(deadline=None)
@given(hnp.arrays(np.float64, (3, 25), elements=st.floats(0, 1)))
def test_benjamini_hochberg__equals_scipy(p_value):
    np.testing.assert_allclose(benjamini_hochberg(p_value), stats.false_discovery_control(p_value, axis=1), rtol=1e-12)


def test_benjamini_hochberg__leaves_out_genes_without_a_test():
    p_value = np.array([[0.01, np.nan, 0.2, 0.03, np.nan]])
    adjusted = benjamini_hochberg(p_value)
    np.testing.assert_allclose(adjusted[0, [0, 2, 3]], stats.false_discovery_control([0.01, 0.2, 0.03]))
    assert np.isnan(adjusted[0, [1, 4]]).all()


def test_benjamini_hochberg__counts_genes_half_that_can_only_have_too_many_counts():
    p_value, p_of_none = np.array([[0.001, 0.01, 0.5, np.nan]]), np.array([[0.2, 1e-9, 0.005, 1e-9]])
    adjusted = benjamini_hochberg(p_value, p_of_none)
    by_hand = [0.001 * (3 + 1) / 2, 0.01 * (3 + 2) / 2 / 2, 0.5]  # of three genes one, two, three can have too few
    np.testing.assert_allclose(adjusted[0, :3], by_hand)
    assert np.isnan(adjusted[0, 3])


def by_numpy(p_value, p_of_none):
    """Adjust one row by sorting: ranks by argsort, possible tests by searchsorted."""
    tested = ~np.isnan(p_value)
    order = np.argsort(p_value[tested], kind="stable")
    ranked = p_value[tested][order]
    n_lower = np.searchsorted(np.sort(p_of_none[tested]), ranked, side="right")
    raw = np.maximum(ranked * (0.5 * (ranked.size + n_lower)) / np.arange(1, ranked.size + 1), ranked)
    adjusted = np.full(p_value.size, np.nan)
    adjusted[np.flatnonzero(tested)[order]] = np.minimum(np.minimum.accumulate(raw[::-1])[::-1], 1.0)
    return adjusted


@pytest.mark.parametrize("steepness", [0.1, 1.0, 20.0, 900.0])
def test_benjamini_hochberg__has_the_digits_of_sorted_values(steepness):
    rng = np.random.default_rng(0)
    p_value, p_of_none = rng.uniform(size=(2, 4, 3000)) ** steepness
    p_value[:, ::7] = np.nan
    p_value[1] = np.round(p_value[1], 2)  # ties
    p_value[2], p_of_none[3] = 1.0, 1.0
    p_value[3, 1::7], p_of_none[0, 1::7] = 0.0, 5e-324
    expected = [by_numpy(*row) for row in zip(p_value, p_of_none, strict=True)]
    np.testing.assert_array_equal(benjamini_hochberg(p_value, p_of_none), expected)
    np.testing.assert_array_equal(benjamini_hochberg(p_value[0]), by_numpy(p_value[0], np.zeros(3000)))


def test_significant__counts_and_finds_the_least_of_the_genes_that_count():
    q_value = np.array([[0.01, 0.2, np.nan, 0.04], [np.nan] * 4, [0.6, 0.05, 1.0, 0.9]])
    np.testing.assert_array_equal(significant(q_value)[0], [2, 0, 0])
    np.testing.assert_array_equal(significant(q_value)[1], [0.01, np.nan, 0.05])
    n_significant, least = significant(q_value, np.array([[False, True, True, True]] * 3))
    np.testing.assert_array_equal(n_significant, [1, 0, 0])
    np.testing.assert_array_equal(least, [0.04, np.nan, 0.05])
