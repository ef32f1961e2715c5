"""The ridge against scikit-learn's, its choice of penalty, and its fallback."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import Pipeline

from featurestore.models import RidgeOnSignatures
from featurestore.models.blocks import SignatureBlocks
from featurestore.models.ridge_products import held_out_errors


@pytest.fixture
def planted():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(80, 8))
    return features, features @ rng.normal(size=(8, 20)) + 0.5 * rng.normal(size=(80, 20)) + rng.normal(size=20)


def test_ridge__equals_sklearn_on_scaled_blocks(planted):
    features, effects = planted
    blocks = np.repeat(["a", "b"], 4)
    weights = np.linspace(0.5, 1.5, 60)
    model = RidgeOnSignatures(blocks, alphas=(3.0,)).fit(features[:60], effects[:60], sample_weight=weights)
    scaled = SignatureBlocks(blocks).fit(features[:60])
    mean = effects[:60].mean(axis=0)
    oracle = Ridge(3.0).fit(scaled.transform(features[:60]), effects[:60] - mean, sample_weight=weights)
    np.testing.assert_allclose(model.predict(features[60:]), oracle.predict(scaled.transform(features[60:])) + mean)
    assert model.alpha_ == 3.0


@pytest.mark.parametrize("noise", [0.5, 5.0, 50.0])
def test_ridge__chooses_the_penalty_of_a_grid_search(planted, noise):
    features, effects = planted
    rng = np.random.default_rng(3)
    effects = effects + noise * rng.normal(size=effects.shape)
    groups, weights = np.repeat(np.arange(40), 2).astype(str), rng.uniform(0.2, 2, size=80)
    model = RidgeOnSignatures().fit(features, effects, groups=groups, sample_weight=weights)
    pipeline = Pipeline([("blocks", SignatureBlocks()), ("ridge", Ridge())])
    grid = {"ridge__alpha": model.alphas}
    search = GridSearchCV(pipeline, grid, scoring="neg_mean_squared_error", cv=GroupKFold(5))
    search.fit(features, effects - effects.mean(axis=0), groups=groups, ridge__sample_weight=weights)
    assert model.alpha_ == search.best_params_["ridge__alpha"]


def test_ridge__predicts_components_of_the_effects_on_request(planted):
    features, effects = planted
    model = RidgeOnSignatures(components=3).fit(features, effects)
    assert np.linalg.matrix_rank(model.predict(features) - model.mean_, tol=1e-8) == 3
    whole = RidgeOnSignatures(components=100).fit(features, effects)
    np.testing.assert_allclose(whole.predict(features), RidgeOnSignatures().fit(features, effects).predict(features))


def test_ridge__chooses_a_small_penalty_for_signal_and_a_large_one_for_noise(planted):
    features, effects = planted
    shuffled = features[np.random.default_rng(1).permutation(80)]
    assert RidgeOnSignatures().fit(features, effects).alpha_ < 10
    assert RidgeOnSignatures().fit(shuffled, effects).alpha_ > 100


def test_ridge__chooses_the_penalty_with_groups_kept_whole(planted):
    effects = planted[1]
    rng = np.random.default_rng(2)
    doubled = np.repeat(rng.normal(size=(40, 30)), 2, axis=0)
    twins = np.repeat(effects[:40], 2, axis=0)
    groups = np.repeat(np.arange(40), 2).astype(str)
    honest = RidgeOnSignatures().fit(doubled, twins, groups=groups).alpha_
    fooled = RidgeOnSignatures().fit(doubled, twins).alpha_
    assert honest > 10 * fooled, "twins on both sides of a fold make noise look like signal"


def test_ridge__gives_the_train_mean_to_rows_that_no_source_covers(planted):
    features, effects = planted
    features[[1, 70]] = np.nan
    model = RidgeOnSignatures().fit(features[:60], effects[:60])
    assert model.covered(features[60:]).sum() == 19
    np.testing.assert_allclose(model.predict(features[70:71])[0], effects[:60].mean(axis=0))


def test_ridge__heeds_the_weights(planted):
    features, effects = planted
    spoilt = effects.copy()
    spoilt[:20] *= -1
    weights = np.r_[np.full(20, 1e-6), np.ones(60)]
    kept = RidgeOnSignatures(alphas=(1.0,)).fit(features, spoilt, sample_weight=weights)
    lost = RidgeOnSignatures(alphas=(1.0,)).fit(features, spoilt)
    error = [np.abs(model.predict(features[20:]) - effects[20:]).mean() for model in (kept, lost)]
    assert error[0] < 0.8 * error[1]


def test_ridge__of_one_group_takes_the_largest_penalty(planted):
    features, effects = planted
    model = RidgeOnSignatures(alphas=(0.1, 50.0)).fit(features[:9], effects[:9], groups=np.full(9, "same"))
    assert model.alpha_ == 50.0


@pytest.mark.parametrize("n_rows", [60, 7])
def test_ridge__on_sets_of_blocks_is_what_it_is_of_these_alone(planted, n_rows):
    features, effects = planted
    features[::5, 4:] = np.nan
    blocks, groups = np.repeat(["a", "b"], 4), np.repeat(np.arange(40), 2).astype(str)
    weights = np.linspace(0.5, 1.5, 80)
    told = {"groups": groups[:n_rows], "sample_weight": weights[:n_rows]}
    sets = [np.equal(blocks, name) for name in "ab"] + [np.ones(8, dtype=bool)]
    whole = RidgeOnSignatures(blocks, indicator=True)
    for own, model in zip(sets, whole.fitted_on(sets, features[:n_rows], effects[:n_rows], **told), strict=True):
        alone = RidgeOnSignatures(blocks[own], indicator=True).fit(features[:n_rows][:, own], effects[:n_rows], **told)
        assert model.alpha_ == alone.alpha_
        np.testing.assert_allclose(model.predict(features[:, own]), alone.predict(features[:, own]), atol=1e-9)
        assert model.covered(features[60:, own]).sum() == (16 if own[4] and not own[0] else 20)
    with pytest.raises(ValueError, match="whole blocks"):
        whole.fitted_on([np.arange(8) < 3], features, effects)


def test_ridge__of_more_features_than_rows_is_scikit_learns(planted):
    features, effects = planted
    weights = np.linspace(0.5, 1.5, 6)
    model = RidgeOnSignatures(alphas=(0.5,)).fit(features[:6], effects[:6], sample_weight=weights)
    scaled, mean = SignatureBlocks().fit(features[:6]), effects[:6].mean(axis=0)
    oracle = Ridge(0.5).fit(scaled.transform(features[:6]), effects[:6] - mean, sample_weight=weights)
    np.testing.assert_allclose(model.predict(features), oracle.predict(scaled.transform(features)) + mean, rtol=1e-8)


@pytest.mark.parametrize("n_columns", [5, 40])
def test_held_out_errors__are_those_of_regressions_fitted_one_by_one(n_columns):
    rng = np.random.default_rng(n_columns)
    values, outputs = rng.normal(size=(30, n_columns)), rng.normal(size=(30, 9)) + 1.0
    weights, alphas = rng.uniform(0.2, 2, size=20), np.array([0.1, 3.0])
    train, test = np.arange(20), np.arange(20, 30)
    sets = [np.arange(n_columns) < 3, np.ones(n_columns, dtype=bool)]
    found = held_out_errors(values[train], outputs @ outputs.T, weights, (train, test), values[test], alphas, sets)
    for own, errors in zip(sets, found, strict=True):
        for alpha, error in zip(alphas, errors, strict=True):
            model = Ridge(alpha).fit(values[train][:, own], outputs[train], sample_weight=weights)
            residual = model.predict(values[test][:, own]) - outputs[test]
            assert error == pytest.approx(np.square(residual).sum(axis=1).mean(), rel=1e-9)
