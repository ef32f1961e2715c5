"""Sums over pairs of rows, and metrics row by row: what plain NumPy says."""

import numpy as np
import pytest

from featurestore.metrics import centred_pearson, mae, pds, pearson_delta
from featurestore.metrics.differences import AT_ONCE, sum_differences


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


@pytest.mark.parametrize("scale", [1.0, 1e-42, 1e30])
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


def test_metrics__of_many_rows_that_are_not_alike_are_refused_by_their_shapes():
    with pytest.raises(ValueError, match=r"got \(41, 3000\) and \(40, 3000\)"):
        mae(np.zeros((41, 3000)), np.zeros((40, 3000)))
