from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats
from sklearn.metrics import pairwise_distances

from ingest.signatures.contrast import (
    Control,
    Moments,
    benjamini_hochberg,
    energy_distance,
    match,
    row_correlation,
    welch,
)

N_GENES = 30


def moments(groups):
    n = np.array([len(g) for g in groups], dtype=float)
    total = np.stack([g.sum(axis=0) if len(g) else np.zeros(N_GENES) for g in groups])
    square = np.stack([(g**2).sum(axis=0) if len(g) else np.zeros(N_GENES) for g in groups])
    return Moments.from_sums(n, total, square)


def cells(n, shift=0.0, seed=0):
    return np.random.default_rng(seed).gamma(2.0, 0.4, (n, N_GENES)) + shift


def test_welch__equals_scipy_where_there_is_one_batch():
    control, treated = cells(50, seed=1), [cells(12, 0.3, seed=2), cells(80, seed=3)]
    reference = match(Control(moments([control]), moments([control])), np.array([[12.0, 0.0], [80.0, 0.0]]))
    contrast = welch(moments(treated), reference)
    for row, group in enumerate(treated):
        t, p = stats.ttest_ind(group, control, equal_var=False)
        np.testing.assert_allclose(contrast.z[row], t, rtol=1e-9)
        np.testing.assert_allclose(contrast.p_value[row], p, rtol=1e-8)
        np.testing.assert_allclose(contrast.effect[row], group.mean(axis=0) - control.mean(axis=0), rtol=1e-9)


def test_match__subtracts_each_batch_in_the_conditions_proportions():
    low, high = cells(40, 0.0, seed=1), cells(20, 5.0, seed=2)
    control = Control(moments([low, high]), moments([np.vstack([low, high])]))
    treated = np.vstack([cells(9, 0.0, seed=3), cells(3, 5.0, seed=4)])
    contrast = welch(moments([treated]), match(control, np.array([[9.0, 3.0, 0.0]])))
    by_hand = treated.mean(axis=0) - (9 * low.mean(axis=0) + 3 * high.mean(axis=0)) / 12
    np.testing.assert_allclose(contrast.effect[0], by_hand, rtol=1e-9)
    within = (39 * low.var(axis=0, ddof=1) + 19 * high.var(axis=0, ddof=1)) / 58
    error = np.sqrt(treated.var(axis=0, ddof=1) / 12 + within * ((9 / 12) ** 2 / 40 + (3 / 12) ** 2 / 20))
    np.testing.assert_allclose(contrast.standard_error[0], error, rtol=1e-9)


def test_match__falls_back_to_the_pooled_control_and_says_so():
    low, high = cells(40, seed=1), cells(20, 5.0, seed=2)
    pooled = np.vstack([low, high])
    reference = match(Control(moments([low, high]), moments([pooled])), np.array([[4.0, 0.0, 2.0], [4.0, 0.0, 0.0]]))
    assert reference.is_matched.tolist() == [False, True]
    np.testing.assert_allclose(reference.mean[0], pooled.mean(axis=0))
    np.testing.assert_allclose(reference.mean[1], low.mean(axis=0))


@pytest.mark.parametrize("n", [1, 2])
def test_welch__has_no_test_without_variance(n):
    control = np.ones((10, N_GENES))
    reference = match(Control(moments([control]), moments([control])), np.array([[float(n), 0.0]]))
    contrast = welch(moments([np.full((n, N_GENES), 2.0)]), reference)
    np.testing.assert_array_equal(contrast.effect, np.ones((1, N_GENES)))
    for array in (contrast.standard_error, contrast.z, contrast.p_value, contrast.q_value):
        assert np.isnan(array).all()


@settings(deadline=None)
@given(hnp.arrays(np.float64, (3, 25), elements=st.floats(0, 1)))
def test_benjamini_hochberg__equals_scipy(p_value):
    np.testing.assert_allclose(benjamini_hochberg(p_value), stats.false_discovery_control(p_value, axis=1), rtol=1e-12)


def test_benjamini_hochberg__leaves_out_genes_without_a_test():
    p_value = np.array([[0.01, np.nan, 0.2, 0.03, np.nan]])
    adjusted = benjamini_hochberg(p_value)
    np.testing.assert_allclose(adjusted[0, [0, 2, 3]], stats.false_discovery_control([0.01, 0.2, 0.03]))
    assert np.isnan(adjusted[0, [1, 4]]).all()


def test_energy_distance__equals_all_pairs():
    x, y = cells(15, 0.4, seed=5), cells(22, seed=6)
    within = [pairwise_distances(g, metric="sqeuclidean").sum() / (len(g) * (len(g) - 1)) for g in (x, y)]
    by_pairs = 2 * pairwise_distances(x, y, metric="sqeuclidean").mean() - sum(within)
    np.testing.assert_allclose(energy_distance(moments([x]), moments([y])), [by_pairs], rtol=1e-9)


def test_row_correlation__equals_numpy():
    left, right = cells(4, seed=7), cells(4, seed=8)
    expected = [np.corrcoef(a, b)[0, 1] for a, b in zip(left, right, strict=True)]
    np.testing.assert_allclose(row_correlation(left, right), expected, rtol=1e-12)
    assert np.isnan(row_correlation(np.ones((1, 5)), np.ones((1, 5)))).all()
