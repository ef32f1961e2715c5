from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import pairwise_distances

from ingest.kernel import UNIT
from ingest.signatures.contrast import Control, difference_of_means, match, standard_error
from ingest.signatures.effect_size import effect_norm, energy_distance, row_correlation
from ingest.signatures.moderated_t import moderate, moderated_test, pooled_variance
from ingest.signatures.moments import Moments

N_GENES = 30


def moments(groups):
    n = np.array([len(g) for g in groups], dtype=float)
    total = np.stack([g.sum(axis=0) if len(g) else np.zeros(N_GENES) for g in groups])
    square = np.stack([(g**2).sum(axis=0) if len(g) else np.zeros(N_GENES) for g in groups])
    return Moments.from_sums(n, total, square)


def cells(n, shift=0.0, seed=0):
    return np.random.default_rng(seed).gamma(2.0, 0.4, (n, N_GENES)) + shift


def one_batch(control, n):
    """A control of one batch, and what conditions of so many cells are compared with."""
    reference = Control(moments([control]), moments([control]))
    return reference, match(reference, np.array(n, float)[:, None])


def test_match__subtracts_each_batch_in_the_conditions_proportions():
    low, high = cells(40, 0.0, seed=1), cells(20, 5.0, seed=2)
    control = Control(moments([low, high]), moments([np.vstack([low, high])]))
    treated = moments([np.vstack([cells(9, 0.0, seed=3), cells(3, 5.0, seed=4)])])
    reference = match(control, np.array([[9.0, 3.0]]))
    np.testing.assert_allclose(reference.mean[0], (9 * low.mean(axis=0) + 3 * high.mean(axis=0)) / 12, rtol=1e-9)
    within = (39 * low.var(axis=0, ddof=1) + 19 * high.var(axis=0, ddof=1)) / 58
    noise = (9 / 12) ** 2 / 40 + (3 / 12) ** 2 / 20
    error = np.sqrt(np.maximum(treated.variance[0], within) / 12 + within * noise)
    np.testing.assert_allclose(standard_error(treated, control, reference)[0], error, rtol=1e-9)


def test_match__falls_back_to_the_pooled_control_and_says_so():
    low, high = cells(40, seed=1), cells(20, 5.0, seed=2)
    pooled = np.vstack([low, high])
    reference = match(Control(moments([low, high]), moments([pooled])), np.array([[0.0, 0.0], [4.0, 0.0]]))
    assert reference.is_matched.tolist() == [False, True]
    np.testing.assert_allclose(reference.mean[0], pooled.mean(axis=0))
    np.testing.assert_allclose(reference.mean[1], low.mean(axis=0))


@pytest.mark.parametrize("n", [1, 2, 5])
def test_standard_error__is_never_less_than_that_of_as_many_control_cells(n):
    control = cells(50, seed=1)
    alike = moments([np.full((n, N_GENES), 2.0)])
    error = standard_error(alike, *one_batch(control, [n]))
    np.testing.assert_allclose(error[0], np.sqrt(control.var(axis=0, ddof=1) * (1 / n + 1 / 50)), rtol=1e-9)


def test_moderated_test__is_students_t_where_there_are_many_degrees_of_freedom():
    control, treated = cells(4000, seed=1), [cells(12, 0.1, seed=2), cells(80, seed=3)]
    whole, reference = one_batch(control, [12, 80])
    variance = whole.variance_within[None, :]
    log_p, sign = moderated_test(moments(treated), reference, variance, np.array([3999.0]))
    for row, group in enumerate(treated):
        difference = group.mean(axis=0) - control.mean(axis=0)
        t = difference / np.sqrt(control.var(axis=0, ddof=1) * (1 / len(group) + 1 / 4000))
        np.testing.assert_allclose(np.exp(log_p[row]), 2 * stats.t.sf(np.abs(t), 3999), rtol=1e-9)
        np.testing.assert_array_equal(sign[row], np.where(difference < 0, -1, 1))


def test_moderated_test__is_the_pooled_t_test_of_samples():
    control, treated = cells(3, seed=1), cells(4, 0.3, seed=2)
    whole, _ = one_batch(control, [4])
    spread = (treated.var(axis=0, ddof=1) * 3 + control.var(axis=0, ddof=1) * 2) / 5
    variance, freedom = pooled_variance(moments([treated]), whole)
    shrunk, degrees = moderate(spread, 5.0)
    np.testing.assert_allclose(variance[0], shrunk, rtol=1e-9)
    assert freedom.item() == pytest.approx(degrees)


def test_moderated_test__far_in_the_tail_is_finite_and_in_order():
    control = cells(4000, seed=1)
    treated = moments([np.full((10, N_GENES), shift) for shift in (5.0, 20.0, 60.0, 400.0)])
    whole, reference = one_batch(control, [10] * 4)
    log_p, _ = moderated_test(treated, reference, whole.variance_within[None, :], np.array([3999.0]))
    assert np.isfinite(log_p).all()
    assert (np.diff(log_p, axis=0) < 0).all()


def test_moderate__finds_the_prior_that_variances_were_drawn_from():
    rng = np.random.default_rng(0)
    true = 6 * 0.5 / rng.chisquare(6, 20_000)
    seen = true * rng.chisquare(4, true.size) / 4
    shrunk, freedom = moderate(seen, 4.0)
    assert freedom == pytest.approx(10.0, rel=0.05)
    prior = (shrunk * freedom - 4 * seen) / (freedom - 4)
    np.testing.assert_allclose(prior, 0.5, rtol=0.05)
    assert np.square(np.log(shrunk / true)).mean() < np.square(np.log(seen / true)).mean()


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


def test_effect_norm__leaves_out_what_does_not_count():
    effect = np.array([[3.0, 4.0, 12.0], [1.0, 2.0, 2.0]])
    np.testing.assert_array_equal(effect_norm(effect), [13.0, 3.0])
    np.testing.assert_array_equal(effect_norm(effect, np.array([[True, True, False], [False] * 3])), [5.0, 0.0])


def test_difference_of_means__is_that_of_sums_in_fixed_point():
    total, n = np.array([[3 * UNIT, UNIT / 2], [16 * UNIT, 0]], np.int64), np.array([2.0, 4.0])
    reference = np.array([[1.0, 0.25], [0.5, -1.0]])
    np.testing.assert_array_equal(difference_of_means(total, n, reference), [[0.5, 0.0], [3.5, 1.0]])
