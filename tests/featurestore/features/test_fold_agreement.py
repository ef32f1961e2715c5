"""Agreement over training rows: all folds by products, as the metric says it row by row."""

import numpy as np
import pytest

from featurestore.features.fold_agreement import fold_agreement, means_without, row_agreement
from featurestore.metrics import centred_pearson


def test_means_without_a_fold__are_of_the_rows_of_the_others():
    rng = np.random.default_rng(4)
    values, fold_of = rng.normal(size=(7, 5)), np.array([0, 1, 1, 3, 0, 3, 3])
    values[2, 0] = values[0, 1] = np.nan
    values[fold_of != 1, 2] = np.nan  # known in one fold only
    found = means_without(values, fold_of, np.array([0, 1, 2, 3]))
    expected = [np.nanmean(values[fold_of != fold], axis=0) for fold in (0, 2, 3)]
    np.testing.assert_allclose(found[[0, 2, 3]], expected, rtol=1e-12)
    assert np.isnan(found[1]).tolist() == [False, False, True, False, False]


@pytest.mark.parametrize("shift", [0.0, 1000.0])
def test_fold_agreement__is_the_centred_pearson_of_training_rows(shift):
    rng = np.random.default_rng(0)
    there = shift + rng.normal(size=(30, 50))
    here = 0.5 * there + rng.normal(size=there.shape)
    there[rng.random(there.shape) < 0.2], here[rng.random(here.shape) < 0.1] = np.nan, np.nan
    there[4, 2:], here[:, 3] = np.nan, np.nan
    fold_of = np.arange(30) % 3
    expected = []
    for fold in range(3):
        train = fold_of != fold
        mean_there = np.array([g[np.isfinite(g)].mean() for g in there[train].T])
        mean_here = np.array([g[np.isfinite(g)].mean() if np.isfinite(g).any() else 0.0 for g in here[train].T])
        moved = there[train] - mean_there + mean_here
        expected.append(np.nanmean(centred_pearson(moved, here[train], mean_here)))
    np.testing.assert_allclose(
        fold_agreement(row_agreement(there, here, fold_of, np.arange(3)), fold_of, np.arange(3)), expected, rtol=1e-9
    )


def test_fold_agreement__of_sides_that_do_not_differ_or_of_a_single_row_is_nothing():
    same, folds = np.tile(np.arange(5.0), (4, 1)), np.arange(2)
    for fold_of in (np.arange(4) % 2, np.zeros(1, int), np.zeros(0, int)):
        some = same[: len(fold_of)]
        assert fold_agreement(row_agreement(some, some, fold_of, folds), fold_of, folds) == []
