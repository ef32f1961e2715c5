"""The scores of both challenges: what they make of baselines, and of cells that claim too much."""

import numpy as np
import pytest
from scipy import sparse

from featurestore.metrics import (
    VCC_2026,
    direction_reach,
    expression_error,
    from_baseline,
    lfc_error,
    log_bulk,
    score_2025,
    score_2026,
    significant_jaccard,
)
from featurestore.metrics.challenge_2026 import jackknife_noise
from featurestore.metrics.score_2026 import from_ends


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


def test_score_2026__is_zero_at_the_baseline_one_at_the_replicate_and_within_bounds():
    baseline = dict.fromkeys(VCC_2026, 0.2) | {"expression_error": 0.9, "lfc_error": 1.0}
    replicate = dict.fromkeys(VCC_2026, 0.7) | {"expression_error": 0.1, "lfc_error": 0.5}
    assert set(score_2026(baseline, baseline, replicate).values()) == {0.0}
    assert set(score_2026(replicate, baseline, replicate).values()) == {1.0}
    bad = dict.fromkeys(VCC_2026, 0.0) | {"expression_error": 5.0, "lfc_error": 50.0}
    expected = dict.fromkeys(VCC_2026, -0.4) | {"expression_error": 0.0, "lfc_error": -6.0}
    shares = score_2026(bad, baseline, replicate)
    assert shares.pop("average") == pytest.approx((4 * -0.4 - 6.0) / 6)
    assert shares == pytest.approx(expected)
    best = dict.fromkeys(VCC_2026, 1.0) | {"expression_error": -0.5, "lfc_error": 0.0}
    expected = dict.fromkeys(VCC_2026, 1.6) | {"expression_error": 1.0, "lfc_error": 2.0}
    assert score_2026(best, baseline, replicate) == pytest.approx(expected | {"average": 9.4 / 6})


def test_score_2026__of_what_is_undefined_is_the_worst_and_without_a_scale_there_is_none():
    baseline, replicate = {"pds_2026": 0.5, "lfc_error": 1.0}, {"pds_2026": 0.75, "lfc_error": 0.5}
    found = {name: from_ends(name, float("nan"), baseline[name], replicate[name]) for name in baseline}
    assert found == {"pds_2026": -2.0, "lfc_error": -6.0}
    for ends in ((0.5, 0.5), (0.5, 0.4), (float("nan"), 0.9)):
        with pytest.raises(ValueError, match="pds_2026 has no scale"):
            from_ends("pds_2026", 0.6, *ends)


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


def test_jaccard__is_one_where_nothing_is_significant_on_either_side():
    a, b = np.array([[True, False], [False, False]]), np.array([[True, True], [False, False]])
    np.testing.assert_array_equal(significant_jaccard(a, b), [0.5, 1.0])


def test_expression_error__claims_are_bounded_by_the_spread_between_predictions():
    """By hand: one row keeps three genes of four, so its deviations weigh a third each, and the others' a quarter."""
    measured, control = counts(n=3, genes=4)
    predicted, noise = np.tile(measured[0], (3, 1)), np.full(3, 0.002)
    left_out = np.zeros((3, 4), dtype=bool)
    left_out[0, 1] = True
    unclaimed = expression_error(predicted, measured, control, left_out, None, noise, 0.001)
    assert expression_error(predicted, measured, control, left_out, noise, noise, 0.001) == pytest.approx(unclaimed)
    predicted = predicted + np.array([[0.0], [1.0], [3.0]]) * [1.0, 0.0, 0.0, 0.0]
    weights = np.array([[1 / 3, 0, 1 / 3, 1 / 3], [1 / 4] * 4, [1 / 4] * 4])
    levels = log_bulk(predicted)
    spread = sum(
        (weights[:, g] * (levels[:, g] - np.average(levels[:, g], weights=weights[:, g])) ** 2).sum() for g in range(4)
    )
    claim = (noise / [3, 4, 4]).sum()
    assert spread < claim
    size = ((levels - log_bulk(measured)) ** 2 * ~left_out).sum(axis=1) - noise - noise * spread / claim
    whole = ((log_bulk(measured) - log_bulk(control)) ** 2 * ~left_out).sum(axis=1) - noise - 0.001
    expected = (size / [3, 4, 4]).sum() / (whole / [3, 4, 4]).sum()
    found = expression_error(predicted, measured, control, left_out, noise, noise, 0.001)
    assert found == pytest.approx(expected, rel=1e-9)


def test_reach__passes_over_genes_that_the_prediction_did_not_test():
    """Three of the right direction and one that was not tested: the prefix is three of the four significant genes."""
    measured = np.ones((1, 4))
    predicted = np.array([[1.0, 2.0, np.nan, 3.0]])
    significant, q = np.ones((1, 4), dtype=bool), np.array([[0.01, 0.02, np.nan, 0.03]])
    assert direction_reach(predicted, measured, significant, q, q) == pytest.approx([0.75])
    many = np.ones((1, 40))
    untested = np.where(np.arange(40) < 38, 1.0, np.nan)[None]
    all_significant = np.ones((1, 40), dtype=bool)
    assert direction_reach(untested, many, all_significant, untested, untested) == pytest.approx([38 / 40])
