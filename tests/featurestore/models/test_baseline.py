"""Baselines predict exactly what they say."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from featurestore.models import ForestOnSignatures, NoChange, RidgeOnSignatures, SamePerturbationElsewhere, TrainMean
from featurestore.models.baseline import mean_effect

EVERY = (NoChange, TrainMean, SamePerturbationElsewhere, RidgeOnSignatures, ForestOnSignatures)
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
    fitted = model().fit(features[:15], effects[:15], groups=np.arange(15).astype(str), sample_weight=np.ones(15))
    predicted = fitted.predict(features)
    assert predicted.shape == (20, 6)
    assert np.isfinite(predicted).all()
