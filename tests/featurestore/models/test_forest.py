"""The forest: it learns, repeats itself, reduces its outputs, and falls back."""

import numpy as np
import pytest

from featurestore.models import ForestOnSignatures


@pytest.fixture
def planted():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(120, 4))
    return features, np.abs(features) @ rng.normal(size=(4, 60)) + 0.2 * rng.normal(size=(120, 60))


def error(model, features, effects):
    return np.abs(model.predict(features[90:]) - effects[90:]).mean()


def test_forest__learns_what_is_not_linear(planted):
    features, effects = planted
    model = ForestOnSignatures(n_estimators=40).fit(features[:90], effects[:90])
    assert error(model, features, effects) < 0.8 * np.abs(effects[:90].mean(axis=0) - effects[90:]).mean()


@pytest.mark.parametrize("components", [5, 100])
def test_forest__predicts_components_of_many_genes_or_few_genes_as_they_are(planted, components):
    features, effects = planted
    model = ForestOnSignatures(n_estimators=10, components=components).fit(features[:90], effects[:90])
    assert (model.outputs_ is None) == (components > 60)
    assert model.predict(features).shape == (120, 60)
    assert np.linalg.matrix_rank(model.predict(features) - model.mean_, tol=1e-6) <= components


def test_forest__repeats_itself(planted):
    features, effects = planted
    first, second = (ForestOnSignatures(n_estimators=10).fit(features, effects).predict(features) for _ in range(2))
    np.testing.assert_allclose(first, second)


def test_forest__gives_the_train_mean_to_rows_that_no_source_covers(planted):
    features, effects = planted
    features[[3, 100]] = np.nan
    model = ForestOnSignatures(n_estimators=10).fit(features[:90], effects[:90])
    np.testing.assert_allclose(model.predict(features[100:101])[0], effects[:90].mean(axis=0))


def test_forest__predicts_a_single_gene(planted):
    features, effects = planted
    assert ForestOnSignatures(n_estimators=5).fit(features, effects[:, :1]).predict(features).shape == (120, 1)
