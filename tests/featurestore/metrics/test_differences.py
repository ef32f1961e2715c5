"""Sums over pairs of rows, and metrics row by row: what plain NumPy says."""

import numpy as np
import pytest

from featurestore.metrics import centred_pearson, mae, mse, pds, pearson_delta
from featurestore.metrics.differences import AT_ONCE, sum_differences, sum_of_pairs


@pytest.mark.parametrize(("precision", "tolerance"), [(np.float64, 1e-13), (np.float32, 1e-6)])
@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("n_rows", [1, 4, 7])
def test_sum_differences__are_those_of_numpy_without_what_a_row_hides(n_rows, power, precision, tolerance):
    rng = np.random.default_rng(n_rows)
    n_genes = AT_ONCE + 37
    ours, theirs = (rng.normal(size=(n, n_genes)).astype(precision) for n in (n_rows, 5))
    hides = rng.random(ours.shape) < 0.2
    first_hidden = np.append(0, np.cumsum(hides.sum(axis=1)))
    sums = np.empty((n_rows, 5))
    sum_differences(ours, np.nonzero(hides)[1], first_hidden, theirs, power, precision(0), sums)
    differences = np.abs(ours[:, None].astype(float) - theirs) ** power
    np.testing.assert_allclose(sums, np.where(hides[:, None], 0.0, differences).sum(axis=2), rtol=tolerance)


def test_sum_differences__leave_nothing_of_a_hidden_gene_however_large():
    sums = np.empty((1, 1))
    ours, theirs = np.array([[1e300, 0.5]]), np.array([[1.0, 0.25]])
    sum_differences(ours, np.array([0]), np.array([0, 1]), theirs, 1, 0.0, sums)
    assert sums.item() == 0.25


@pytest.mark.parametrize("precision", [np.float64, np.float32])
@pytest.mark.parametrize("power", [1, 2])
def test_sum_of_pairs__are_those_of_numpy_over_the_genes_that_both_have(power, precision):
    rng = np.random.default_rng(power)
    ours, theirs = rng.normal(size=(2, 6, 50)).astype(precision)
    theirs[rng.random(theirs.shape) < 0.1] = np.nan
    usable = rng.random(ours.shape) < 0.9
    usable[5] = False
    first, second = np.array([0, 3, 3, 5]), np.array([2, 2, 4, 0])
    sums = np.empty((4, 2))
    sum_of_pairs(ours, usable, theirs, first, second, power, sums)
    shared = usable[first] & np.isfinite(theirs[second])
    terms = np.abs(ours[first].astype(float) - np.nan_to_num(theirs[second])) ** power
    np.testing.assert_allclose(sums, np.stack([np.where(shared, terms, 0).sum(axis=1), shared.sum(axis=1)], axis=1))


@pytest.mark.parametrize("scale", [1.0, 1e-42, 1e30, 1e39])
@pytest.mark.parametrize(("distance", "power"), [("l1", 1), ("l2", 2)])
def test_pds__tells_apart_what_single_precision_cannot(distance, power, scale):
    rng = np.random.default_rng(0)
    measured = scale * rng.normal(size=(40, 600))
    predicted = measured + scale * rng.normal(size=measured.shape)
    measured[1:30] = measured[0] * (1 + 1e-9 * rng.normal(size=(29, 1)))
    measured[30] = measured[0]
    predicted[:, 7] = np.nan
    hidden = rng.random(measured.shape) < 0.01
    looked_at = ~(hidden | (np.arange(600) == 7))[:, None]
    terms = np.where(looked_at, np.abs(np.nan_to_num(predicted)[:, None] - measured) ** power, 0.0)
    d = terms.sum(axis=2) / looked_at.sum(axis=2)
    ahead = np.diag(d)[:, None] - d
    k = (ahead > 1e-12).sum(axis=1) + ((np.abs(ahead) <= 1e-12).sum(axis=1) - 1) / 2
    found = pds(predicted, measured, distance=distance, left_out=hidden)
    np.testing.assert_array_equal(found, 1 - k / 39)


def test_metrics__of_many_rows_are_those_of_each_row_alone():
    rng = np.random.default_rng(0)
    predicted, measured = rng.normal(size=(2, 41, 3000)).astype(np.float32)
    measured[rng.random(measured.shape) < 0.1] = np.nan
    mean, means = measured[:4].mean(axis=0), rng.normal(size=measured.shape)
    for score in (pearson_delta, mae):
        alone = [score(predicted[i : i + 1], measured[i : i + 1]).item() for i in range(41)]
        np.testing.assert_array_equal(score(predicted, measured), alone)
    for centre in (mean, means):
        each = np.broadcast_to(centre, measured.shape)
        alone = [centred_pearson(predicted[i : i + 1], measured[i : i + 1], each[i]).item() for i in range(41)]
        np.testing.assert_array_equal(centred_pearson(predicted, measured, train_mean=centre), alone)


@pytest.mark.parametrize("precision", [np.float64, np.float32])
def test_metrics__walk_rows_as_plain_numpy_does(precision):
    rng = np.random.default_rng(1)
    predicted, measured = rng.normal(size=(2, 5, 700)).astype(precision)
    measured[rng.random(measured.shape) < 0.1] = np.nan
    predicted[2, 5], predicted[3] = np.inf, np.nan
    mean = rng.normal(size=700)
    mean[9] = np.nan
    for row, (p, m) in enumerate(zip(predicted.astype(float), measured.astype(float), strict=True)):
        both = np.isfinite(p) & np.isfinite(m)
        scores = [score(predicted, measured)[row] for score in (pearson_delta, mae, mse)]
        centred = centred_pearson(predicted, measured, mean)[row]
        if not both.any():
            assert np.isnan([*scores, centred]).all()
            continue
        errors = p[both] - m[both]
        expected = np.corrcoef(p[both], m[both])[0, 1], np.abs(errors).mean(), np.square(errors).mean()
        np.testing.assert_allclose(scores, expected, rtol=1e-12)
        of_all = both & np.isfinite(mean)
        sides = (p - mean)[of_all], (m - mean)[of_all]
        np.testing.assert_allclose(centred, np.corrcoef(*sides)[0, 1], rtol=1e-12)


def test_centred_pearson__refuses_a_centre_of_other_genes():
    with pytest.raises(ValueError, match=r"alike \(2, 3\); got \(2,\)"):
        centred_pearson(np.eye(2, 3), np.eye(2, 3), np.zeros(2))


def test_metrics__of_many_rows_that_are_not_alike_are_refused_by_their_shapes():
    with pytest.raises(ValueError, match=r"got \(41, 3000\) and \(40, 3000\)"):
        mae(np.zeros((41, 3000)), np.zeros((40, 3000)))
