"""Models of pairs: what they learn, and what they make of missing features."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from featurestore.models.pairs import LogisticOnPairs, RidgeOnPairs, SamePairElsewhere

MODELS = [LogisticOnPairs(), RidgeOnPairs()]


@pytest.fixture
def planted():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(600, 4))
    truth = features @ [2.0, -1.0, 0.0, 0.0] + rng.normal(size=600) > 0
    return features, truth, np.arange(600) % 5


@pytest.mark.parametrize("model", MODELS)
def test_regression__finds_the_planted_weights_and_ranks_by_them(model, planted):
    features, truth, groups = planted
    model.fit(features, truth, groups=groups)
    weights = model.coef_
    assert weights[0] > -weights[1] > 4 * np.abs(weights[2:]).max()
    score = model.decision_function(features)
    assert np.corrcoef(score, features @ [2.0, -1.0, 0.0, 0.0])[0, 1] > 0.98


@pytest.mark.parametrize("model", MODELS)
def test_regression__is_blind_to_the_scale_of_features(model, planted):
    features, truth, groups = planted
    first = model.fit(features, truth, groups=groups).decision_function(features)
    second = model.fit(1000 * features + 7, truth, groups=groups).decision_function(1000 * features + 7)
    np.testing.assert_allclose(first, second, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("model", MODELS)
def test_regression__learns_from_what_is_missing(model, planted):
    features, truth, groups = planted
    features = features.copy()
    features[truth, 3] = np.nan
    features[:, 2] = np.nan
    score = model.fit(features, truth, groups=groups).decision_function(features)
    assert np.isfinite(score).all()
    assert score[truth].min() > score[~truth].max() - 3
    assert model.coef_[2] == 0


def test_logistic__is_scikit_learns_where_nothing_is_missing_or_searched(planted):
    features, truth, _ = planted
    standard = (features - features.mean(axis=0)) / features.std(axis=0)
    reference = LogisticRegression(C=0.1, tol=1e-8).fit(standard, truth).decision_function(standard)
    found = LogisticOnPairs((0.1,)).fit(features, truth).decision_function(features)
    np.testing.assert_allclose(found, reference, atol=1e-3)


def test_elsewhere__is_the_mean_of_the_calls_that_are_there():
    features = np.array([[1.0, 3.0, 9.0], [np.nan, 2.0, 9.0], [np.nan, np.nan, 9.0]])
    model = SamePairElsewhere((0, 1)).fit(features, np.array([True, False, True]))
    assert model.decision_function(features).tolist() == [2.0, 2.0, 0.0]
