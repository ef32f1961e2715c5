"""The scores of both challenges: what they make of baselines, and of cells that claim too much."""

import numpy as np
import pytest
from scipy import sparse

from featurestore.metrics import (
    expression_error,
    from_baseline,
    lfc_error,
    log_bulk,
    score_2025,
    score_2026,
    significant_jaccard,
)
from featurestore.metrics.challenge_2026 import jackknife_noise


def test_from_baseline__is_clipped_at_zero_and_undefined_is_zero():
    assert from_baseline(0.0, 0.4, best=0.0) == 1.0
    assert from_baseline(0.8, 0.4, best=0.0) == 0.0
    assert from_baseline(0.75, 0.5, best=1.0) == 0.5
    assert from_baseline(float("nan"), 0.5, best=1.0) == 0.0
    assert from_baseline(0.0, 0.0, best=0.0) == 0.0


def test_score_2025__averages_and_wants_the_same_metrics_on_both_sides():
    shares = score_2025({"mae": 0.5, "pds": 0.75}, {"mae": 1.0, "pds": 0.5})
    assert shares == {"mae": 0.5, "pds": 0.5, "average": 0.5}
    with pytest.raises(ValueError, match="same metrics"):
        score_2025({"mae": 0.5}, {"pds": 0.5})


def test_score_2026__is_zero_at_the_baseline_and_one_at_the_replicate():
    assert [score_2026(v, 1.0, 0.2) for v in (1.0, 0.2)] == [0.0, 1.0]
    assert np.isnan(score_2026(1.0, 1.0, 1.0))


def counts(seed=0, n=5, genes=40):
    rng = np.random.default_rng(seed)
    return rng.poisson(300, (n, genes)).astype(float), rng.poisson(3000, genes).astype(float)


def test_expression_error__of_the_control_is_one_and_of_the_truth_nothing():
    measured, control = counts()
    tiled = np.tile(control, (len(measured), 1))
    assert expression_error(tiled, measured, control) == pytest.approx(1.0)
    assert expression_error(measured, measured, control) == 0.0


def test_expression_error__claims_of_noise_are_capped_at_the_measured_noise():
    measured, control = counts()
    predicted, _ = counts(seed=1)
    noise = np.full(5, 0.001)
    fair = expression_error(predicted, measured, control, None, noise, noise)
    greedy = expression_error(predicted, measured, control, None, noise * 1000, noise)
    assert greedy == fair


def test_jackknife__equals_leaving_out_every_cell():
    rng = np.random.default_rng(0)
    cells = rng.poisson(2.0, (9, 12)).astype(float)
    left = np.array([log_bulk(np.delete(cells, i, axis=0).sum(axis=0)) for i in range(9)])
    expected = 8 / 9 * np.square(left - left.mean(axis=0)).sum()
    assert jackknife_noise(sparse.csr_array(cells)) == pytest.approx(expected, rel=1e-12)
    assert jackknife_noise(sparse.csr_array(cells[:1])) == 0.0


def test_lfc_error__of_no_change_is_one_and_leaving_out_does_not_pay():
    measured = np.random.default_rng(0).normal(size=(2, 30))
    significant = np.ones((2, 30), dtype=bool)
    significant[1, 9:] = False
    np.testing.assert_allclose(lfc_error(np.zeros_like(measured), measured, significant), [1.0, np.nan])
    np.testing.assert_allclose(lfc_error(np.full_like(measured, np.nan), measured, significant), [1.0, np.nan])


def test_jaccard__is_undefined_where_nothing_is_significant_on_either_side():
    a, b = np.array([[True, False], [False, False]]), np.array([[True, True], [False, False]])
    np.testing.assert_array_equal(significant_jaccard(a, b), [0.5, np.nan])
