"""Metrics against scipy, scikit-learn and frozen values of cell-eval, and what their docstrings claim."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from scipy.spatial.distance import cdist
from sklearn.metrics import mean_absolute_error, mean_squared_error

from featurestore.metrics import centred_pearson, mae, mse, pds, pearson_delta

GOLDEN = json.loads((Path(__file__).parent / "data" / "cell_eval_0_8_2.json").read_text())
DISTANCES = ("l1", "l2", "cosine")


def effects(n=12, genes=40, seed=0):
    rng = np.random.default_rng(seed)
    measured = rng.normal(size=(n, genes)) + rng.normal(size=genes)
    return measured * 0.6 + rng.normal(size=(n, genes)), measured


def golden_effects():
    return np.array(GOLDEN["predicted"]), np.array(GOLDEN["measured"])


@pytest.mark.parametrize(("name", "metric"), [("pearson_delta", pearson_delta), ("mae", mae), ("mse", mse)])
def test_error_and_correlation__equal_cell_eval(name, metric):
    np.testing.assert_allclose(metric(*golden_effects()), GOLDEN["scores"][name], atol=1e-6)


@pytest.mark.parametrize("distance", DISTANCES)
def test_pds__is_cell_evals_rank_on_a_zero_to_one_scale(distance):
    predicted, measured = golden_effects()
    own = np.array([[gene == name for gene in GOLDEN["genes"]] for name in GOLDEN["perturbations"]])
    theirs = np.array(GOLDEN["scores"][f"pds_{distance}"])
    n = len(theirs)
    ours = pds(predicted, measured, distance=distance, left_out=own)
    np.testing.assert_allclose(ours, 1 - (1 - theirs) * n / (n - 1), atol=1e-12)


def test_correlation_and_errors__equal_scipy_and_sklearn():
    predicted, measured = effects()
    r = [stats.pearsonr(p, m).statistic for p, m in zip(predicted, measured, strict=True)]
    np.testing.assert_allclose(pearson_delta(predicted, measured), r, atol=1e-12)
    np.testing.assert_allclose(
        mae(predicted, measured), mean_absolute_error(measured.T, predicted.T, multioutput="raw_values")
    )
    np.testing.assert_allclose(
        mse(predicted, measured), mean_squared_error(measured.T, predicted.T, multioutput="raw_values")
    )


def test_centred_pearson__equals_scipy_on_the_deviations_from_the_train_mean():
    predicted, measured = effects()
    mean = measured.mean(axis=0)
    r = [stats.pearsonr(p - mean, m - mean).statistic for p, m in zip(predicted, measured, strict=True)]
    np.testing.assert_allclose(centred_pearson(predicted, measured, mean), r, atol=1e-12)
    per_row = np.tile(mean, (len(measured), 1))
    np.testing.assert_array_equal(
        centred_pearson(predicted, measured, per_row), centred_pearson(predicted, measured, mean)
    )


def test_centred_pearson__of_the_train_mean_is_undefined_even_after_rounding_to_single_precision():
    _, measured = effects()
    mean = measured.mean(axis=0)
    tiled = np.tile(mean.astype(np.float32), (len(measured), 1))
    assert np.isnan(centred_pearson(tiled, measured, mean)).all()
    assert np.isfinite(pearson_delta(tiled, measured)).all()


@pytest.mark.parametrize("metric", [pearson_delta, mae, mse])
def test_metric__leaves_missing_genes_out_pairwise(metric):
    predicted, measured = effects(n=3)
    holed_prediction, holed_measurement = predicted.copy(), measured.copy()
    holed_prediction[0, :5] = np.nan
    holed_measurement[0, 3:9] = np.nan
    scores = metric(holed_prediction, holed_measurement)
    np.testing.assert_allclose(scores[:1], metric(predicted[:1, 9:], measured[:1, 9:]))
    np.testing.assert_allclose(scores[1:], metric(predicted[1:], measured[1:]))


def test_metric__is_undefined_where_nothing_is_shared_or_nothing_varies():
    measured = np.array([[np.nan, np.nan, 1.0], [1.0, 2.0, 3.0], [1.0, 2.0, 4.0]])
    predicted = np.array([[1.0, 2.0, np.nan], [0.3, 0.3, 0.3], [0.0, 0.0, 0.0]])
    assert np.isnan(pearson_delta(predicted, measured)).all()
    assert np.isnan(mae(predicted, measured)).tolist() == [True, False, False]
    assert np.isnan(mse(predicted, measured)).tolist() == [True, False, False]


@pytest.mark.parametrize("distance", DISTANCES)
def test_pds__is_one_for_a_perfect_prediction_and_half_for_one_that_says_the_same_of_all(distance):
    _, measured = effects()
    np.testing.assert_array_equal(pds(measured, measured, distance=distance), 1.0)
    same = np.tile(measured.mean(axis=0), (len(measured), 1))
    assert pds(same, measured, distance=distance).mean() == pytest.approx(0.5)


def test_pds__of_reversed_effects_is_the_worst():
    measured = np.eye(5) * np.arange(1, 6)[:, None]
    assert pds(-measured, measured, distance="cosine").max() == 0.0


def test_pds__counts_a_tie_as_half():
    measured = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 5.0]])
    np.testing.assert_allclose(pds(measured, measured, distance="l1"), [0.75, 0.75, 1.0])


def test_pds__of_no_change_is_half_by_cosine():
    _, measured = effects(n=5)
    np.testing.assert_allclose(pds(np.zeros_like(measured), measured, distance="cosine"), 0.5)


def test_pds__rewards_larger_effects_by_l1_but_not_by_cosine():
    predicted, measured = effects(n=40, seed=3)
    shrunk = 0.1 * predicted
    assert pds(predicted, measured).mean() > pds(shrunk, measured).mean() + 0.02
    np.testing.assert_allclose(
        pds(predicted, measured, distance="cosine"), pds(shrunk, measured, distance="cosine"), atol=1e-12
    )


def test_pds__rows_of_one_perturbation_do_not_compete():
    measured = np.array([[1.0, 0.0], [1.1, 0.0], [0.0, 5.0], [3.0, 3.0]])
    predicted = measured[[1, 0, 2, 3]]
    labels = np.array(["a", "a", "b", "c"])
    assert pds(predicted, measured).min() < 1
    np.testing.assert_array_equal(pds(predicted, measured, labels=labels), 1.0)


def test_pds__without_competitors_is_undefined():
    one = np.array([[1.0, 2.0]])
    assert np.isnan(pds(one, one)).all()
    nothing = np.array([[np.nan, np.nan], [1.0, 2.0]])
    assert np.isnan(pds(nothing, nothing)).all()
    two = np.tile(one, (2, 1))
    assert np.isnan(pds(two, two, labels=np.array(["a", "a"]))).all()


@pytest.mark.parametrize("distance", DISTANCES)
def test_pds__compares_each_pair_over_the_genes_it_shares(distance):
    predicted, measured = effects(n=8, genes=12, seed=5)
    holes = np.random.default_rng(1).random(measured.shape) < 0.25
    measured[holes] = np.nan
    own = np.eye(8, 12, dtype=bool)
    name = {"l1": "cityblock", "l2": "sqeuclidean", "cosine": "cosine"}[distance]
    expected = []
    for p in range(8):
        d = []
        for q in range(8):
            keep = ~own[p] & ~holes[q]
            pair = cdist(predicted[p : p + 1, keep], measured[q : q + 1, keep], name)[0, 0]
            d.append(pair if distance == "cosine" else pair / keep.sum())
        expected.append(1 - sum(d[q] < d[p] for q in range(8)) / 7)
    np.testing.assert_allclose(pds(predicted, measured, distance=distance, left_out=own), expected)


def test_pds__refuses_an_unknown_distance():
    one = np.ones((2, 2))
    with pytest.raises(ValueError, match="l1, l2, cosine"):
        pds(one, one, distance="manhattan")


def test_metric__refuses_arrays_of_different_shape():
    with pytest.raises(ValueError, match=r"\(2, 3\) and \(2, 4\)"):
        mae(np.ones((2, 3)), np.ones((2, 4)))


finite = st.floats(-5, 5, width=32)


@given(arrays(np.float64, (6, 7), elements=finite), arrays(np.float64, (6, 7), elements=finite), st.randoms())
def test_metrics__do_not_depend_on_the_order_of_perturbations_or_genes(predicted, measured, random):
    rows, genes = random.sample(range(6), 6), random.sample(range(7), 7)
    for metric in (mae, mse, pds):
        np.testing.assert_allclose(
            metric(predicted[rows][:, genes], measured[rows][:, genes]), metric(predicted, measured)[rows], atol=1e-9
        )


@given(arrays(np.float64, (5, 6), elements=finite), arrays(np.float64, (5, 6), elements=finite))
def test_metrics__stay_in_their_range(predicted, measured):
    r = pearson_delta(predicted, measured)
    assert (np.isnan(r) | (np.abs(r) <= 1)).all()
    assert (mae(predicted, measured) >= 0).all()
    assert (np.square(mae(predicted, measured)) <= mse(predicted, measured) + 1e-9).all()
    for distance in DISTANCES:
        score = pds(predicted, measured, distance=distance)
        assert ((score >= 0) & (score <= 1)).all()
