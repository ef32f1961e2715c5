"""Baselines predict exactly what they say."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import featurestore.models
from featurestore.models import CrisprInformedMean, NoChange, SamePerturbationElsewhere, TrainMean
from featurestore.models.baseline import mean_effect
from featurestore.models.inputs import RowInputs

OF_GENES = "DiagonalOnGenes"
"""The model that has to be told what measured genes are like: its tests are in test_diagonal.py."""
EVERY = [getattr(featurestore.models, name) for name in featurestore.models.__all__ if name != OF_GENES]
Y = np.array([[1.0, 2.0, np.nan], [3.0, np.nan, np.nan]])
X = np.array([[0.5, np.nan, 7.0], [np.nan, np.nan, np.nan]])


def test_mean_effect__averages_over_the_rows_that_have_the_gene():
    assert mean_effect(Y).tolist() == [2.0, 2.0, 0.0]


def test_no_change__predicts_zero():
    model = NoChange().fit(X, Y)
    assert model.predict(X).tolist() == [[0.0] * 3] * 2
    assert model.covered(X).all()


def test_train_mean__predicts_the_mean_of_the_training_rows():
    model = TrainMean().fit(X, Y)
    assert model.predict(np.zeros((3, 1))).tolist() == [[2.0, 2.0, 0.0]] * 3


def test_elsewhere__predicts_the_effect_elsewhere_and_else_the_train_mean():
    model = SamePerturbationElsewhere().fit(X, Y)
    assert model.predict(X).tolist() == [[0.5, 2.0, 7.0], [2.0, 2.0, 0.0]]
    assert model.covered(X).tolist() == [True, False]


def test_elsewhere__is_rescaled_by_the_slope_of_least_squares_over_all_pairs():
    rng = np.random.default_rng(0)
    there = rng.normal(size=(12, 5))
    there[0], there[3, 2] = np.nan, np.nan
    here = 0.4 * there + 0.01 * rng.normal(size=there.shape)
    here[:, 4][5], here[0] = np.nan, 3.0
    weights = rng.uniform(0.5, 2, size=12)
    model = SamePerturbationElsewhere(rescaled=True).fit(there, here, sample_weight=weights)
    both = np.isfinite(there) & np.isfinite(here)
    root = np.sqrt(np.broadcast_to(weights[:, None], there.shape)[both])
    expected = np.linalg.lstsq((root * there[both])[:, None], root * here[both], rcond=None)[0][0]
    assert model.slope_ == pytest.approx(expected)
    np.testing.assert_allclose(model.predict(there)[1], expected * there[1])
    np.testing.assert_allclose(model.predict(there)[0], np.nanmean(here, axis=0))
    assert SamePerturbationElsewhere(rescaled=True).fit(there * np.nan, here).slope_ == 1.0


def test_crispr_informed_mean__silences_own_targets_by_what_silencing_does():
    effects = np.array([[-2.0, 0.5, 0.1], [0.3, -3.0, 0.1], [0.2, 0.2, np.nan]])
    own = np.eye(3, dtype=bool)
    model = CrisprInformedMean().fit(own, effects)
    predicted, mean = model.predict(own), TrainMean().fit(own, effects).predict(own)
    np.testing.assert_array_equal(predicted[own], [-2.5] * 3)
    np.testing.assert_array_equal(predicted[~own], mean[~own])
    nobody = np.zeros_like(own)
    np.testing.assert_array_equal(CrisprInformedMean().fit(nobody, effects).predict(own), mean)


@pytest.mark.parametrize("model", EVERY)
def test_model__can_be_cloned_and_must_be_fitted_first(model):
    copy = clone(model())
    assert copy.get_params().keys() == model().get_params().keys()
    with pytest.raises(NotFittedError):
        copy.predict(np.zeros((2, 3)))


@pytest.mark.parametrize("model", EVERY)
def test_model__predicts_every_gene_of_every_row_whatever_is_missing(model):
    rng = np.random.default_rng(0)
    features, effects = rng.normal(size=(20, 6)), rng.normal(size=(20, 6))
    features[3], features[5, 2], effects[7, 1], effects[:, 4] = np.nan, np.nan, np.nan, np.nan
    given = RowInputs(features, features, features > 1).of(model)
    train = np.arange(15)
    fitted = model().fit(given[train], effects[train], groups=train.astype(str), sample_weight=np.ones(15))
    predicted = fitted.predict(given)
    assert predicted.shape == (20, 6)
    assert np.isfinite(predicted).all()
