"""Differential expression from cells against scipy, gene by gene."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import sparse, stats

from featurestore.metrics import wilcoxon
from featurestore.metrics.wilcoxon import differential_expression, group_sums


def cells(n=220, genes=30, seed=0):
    rng = np.random.default_rng(seed)
    values = np.log1p(rng.poisson(0.8, (n, genes)) * rng.uniform(0.5, 3, (n, 1)).round(1))
    values[:, 0] = 0.0
    values[:, 1] = 1.5
    return values, rng.integers(-1, 4, n)


def scipy_test(own, base):
    test = stats.mannwhitneyu(own, base, axis=0, method="asymptotic")
    return test.statistic, np.where(np.isnan(test.pvalue), 1.0, test.pvalue)


@pytest.mark.parametrize("shift", [0.0, -0.7], ids=["sparse", "with values below zero"])
def test_rank_sum__equals_scipy_with_ties_zeros_and_constant_genes(shift):
    values, groups = cells()
    values[:, 5:9] += shift
    calls = differential_expression(sparse.csr_array(values), groups, 4)
    for group in range(4):
        u, p = scipy_test(values[groups == group], values[groups == -1])
        np.testing.assert_array_equal(calls.statistic[group], u)
        np.testing.assert_allclose(calls.p_value[group], p, rtol=1e-12)
        np.testing.assert_allclose(calls.q_value[group], stats.false_discovery_control(p), rtol=1e-12)
    assert (calls.p_value[:, :2] == 1).all()
    assert not calls.significant[:, :2].any()


whole = st.integers(0, 4).map(float)


@given(arrays(np.float64, (12, 3), elements=whole), st.permutations(range(12)))
def test_rank_sum__equals_scipy_on_small_counts_in_any_order(values, order):
    groups = np.array([-1] * 5 + [0] * 4 + [1] * 3)
    calls = differential_expression(sparse.csr_array(values[order]), groups[order], 2)
    for group in range(2):
        u, p = scipy_test(values[groups == group], values[groups == -1])
        np.testing.assert_array_equal(calls.statistic[group], u)
        np.testing.assert_allclose(calls.p_value[group], p, rtol=1e-12)


def test_fold_change__is_infinite_from_nothing_and_zero_where_there_is_nothing():
    values = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 2.0], [0.0, 1.0, 3.0], [0.0, 2.0, 3.0]])
    groups = np.array([-1, -1, 0, 0])
    calls = differential_expression(sparse.csr_array(values), groups, 1)
    expected = np.log2(np.expm1(3.0) / np.expm1(1.5))
    np.testing.assert_allclose(calls.log2_fold_change, [[0.0, np.inf, expected]])
    calls = differential_expression(sparse.csr_array(values), groups, 1, fold_change_of="arithmetic", epsilon=1e-9)
    expected = np.log2(np.expm1(3.0) / np.expm1([1.0, 2.0]).mean())
    np.testing.assert_allclose(calls.log2_fold_change[0, 2], expected, rtol=1e-9)
    assert np.isfinite(calls.log2_fold_change).all()


def test_tested_genes__alone_share_the_false_discovery_rate():
    values, groups = cells()
    tested = np.arange(30) % 3 == 0
    calls = differential_expression(sparse.csr_array(values), groups, 4, tested=tested)
    expected = stats.false_discovery_control(calls.p_value[:, tested], axis=1)
    np.testing.assert_array_equal(calls.q_value[:, tested], expected)
    assert (calls.q_value[:, ~tested] == 1).all()


def test_calls__are_the_same_however_many_genes_are_looked_at_together(monkeypatch):
    values, groups = cells()
    tested = np.arange(30) % 3 > 0
    found = []
    for n in (30, 7, 1):
        monkeypatch.setattr(wilcoxon, "GENES_AT_ONCE", n)
        calls = differential_expression(sparse.csr_array(values), groups, 4, tested=tested)
        found.append((calls.statistic, calls.p_value, calls.q_value, calls.log2_fold_change))
    for other in found[1:]:
        for one, again in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(one, again)


def test_group_sums__leave_out_rows_without_a_group():
    values, groups = cells()
    expected = [values[groups == group].sum(axis=0) for group in range(4)]
    np.testing.assert_allclose(group_sums(sparse.csr_array(values), groups, 4), expected)
