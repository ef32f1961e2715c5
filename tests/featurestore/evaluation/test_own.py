"""Somebody's own models: any regressor of scikit-learn, as it is."""

from __future__ import annotations

import sys
from typing import ClassVar

import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import BayesianRidge, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from featurestore.errors import FeatureError
from featurestore.evaluation.own import evaluate, load_model
from featurestore.models import EstimatorOnSignatures
from featurestore.models.blocks import SignatureBlocks


class Recorder(RegressorMixin, BaseEstimator):
    """Predicts nothing, and remembers what it was given."""

    told: ClassVar[list] = []

    def fit(self, X, y, groups=None, sample_weight=None):
        self.n_outputs_ = y.shape[1]
        Recorder.told.append((X, groups, sample_weight))
        return self

    def predict(self, X):
        return np.zeros((len(X), self.n_outputs_))


def test_evaluate__scores_an_estimator_beside_the_baselines(plant):
    found = evaluate(plant(n=60), {"mine": make_pipeline(StandardScaler(), Ridge(100.0))})
    assert found.scores["model"].to_list() == ["train_mean", "elsewhere", "ridge", "mine"]
    assert found.score("mine", "pearson_delta") > found.score("train_mean", "pearson_delta")
    assert "mine" in repr(found)
    assert "<table" in found._repr_html_()


def test_estimator__is_what_scikit_learn_fits_on_deviations_without_gaps(plant):
    matrix = plant(n=60)
    X, Y, weights = matrix.X[:50], matrix.Y[:50], np.linspace(0.5, 1.5, 50)
    ours = EstimatorOnSignatures(Ridge(3.0)).fit(X, Y, sample_weight=weights).predict(matrix.X[50:])
    blocks = SignatureBlocks().fit(X)
    mean = np.nanmean(Y, axis=0)
    theirs = Ridge(3.0).fit(blocks.transform(X), Y - mean, sample_weight=weights)
    covered = np.isfinite(matrix.X[50:]).any(axis=1)
    expected = np.where(covered[:, None], theirs.predict(blocks.transform(matrix.X[50:])) + mean, mean)
    np.testing.assert_allclose(ours, expected, atol=1e-6)


def test_estimator__is_told_groups_and_weights_and_sees_no_gap(plant):
    Recorder.told.clear()
    matrix = plant(n=40)
    assert np.isnan(matrix.X).any()
    evaluate(matrix, {"recorder": Recorder()})
    for X, groups, weights in Recorder.told:
        assert np.isfinite(X).all()
        assert len(groups) == len(weights) == len(X)


@pytest.mark.parametrize("model", [BayesianRidge(), HistGradientBoostingRegressor(max_iter=5, min_samples_leaf=5)])
def test_estimator__of_one_output_predicts_every_gene(plant, model):
    matrix = plant(n=40)
    predicted = EstimatorOnSignatures(model, components=3).fit(matrix.X, matrix.Y).predict(matrix.X)
    assert predicted.shape == matrix.Y.shape
    assert np.isfinite(predicted).all()
    assert np.ptp(predicted, axis=0).max() > 0


@pytest.mark.parametrize(("model", "got"), [(Ridge, "the class Ridge"), (LogisticRegression(), "Logistic"), (3, "3")])
def test_evaluate__refuses_what_is_no_regressor(plant, model, got):
    with pytest.raises(FeatureError, match="'mine' is no regressor") as caught:
        evaluate(plant(n=40), {"mine": model})
    assert got in caught.value.got


def test_load_model__finds_classes_makers_and_estimators_of_a_module_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "mymodels_of_test.py").write_text(
        "from sklearn.linear_model import Ridge\nready = Ridge(2.0)\ndef make():\n    return Ridge(3.0)\n"
    )
    alphas = [load_model(f"mymodels_of_test:{name}").alpha for name in ("Ridge", "ready", "make")]
    assert alphas == [1.0, 2.0, 3.0]
    with pytest.raises(FeatureError, match="has no 'Rige'") as caught:
        load_model("mymodels_of_test:Rige")
    assert "did you mean 'Ridge'" in caught.value.do
    with pytest.raises(FeatureError, match="no module 'nowhere'"):
        load_model("nowhere:Mine")
    with pytest.raises(FeatureError, match="does not say where"):
        load_model("Mine")


def test_evaluate__says_how_it_is_called(plant):
    with pytest.raises(FeatureError, match="Each model needs a name") as caught:
        evaluate(plant(n=40), Ridge())
    assert caught.value.do == 'name it: evaluate(matrix, {"mine": model})'
    with pytest.raises(FeatureError, match="feature matrix is evaluated") as caught:
        evaluate("features.toml", {"mine": Ridge()})
    assert "features.toml" in caught.value.got
