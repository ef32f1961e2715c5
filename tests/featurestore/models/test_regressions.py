"""Neighbours, kernel ridge and the bilinear model: against other implementations, and what they all promise."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import Pipeline

from featurestore.models import BilinearOnSignatures, KernelRidgeOnSignatures, NeighboursOnSignatures
from featurestore.models.blocks import SignatureBlocks
from featurestore.models.components import are_few, components_by_products
from featurestore.models.outputs import Deviations

MODELS = (BilinearOnSignatures, KernelRidgeOnSignatures, NeighboursOnSignatures)


@pytest.fixture
def planted():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(120, 4))
    return features, np.sin(2 * features) @ rng.normal(size=(4, 40)) + 0.2 * rng.normal(size=(120, 40)) + 1.0


@pytest.mark.parametrize("model", MODELS)
def test_regression__learns_and_gives_the_train_mean_to_rows_without_source(model, planted):
    features, effects = planted
    features[[3, 100]] = np.nan
    fitted = model().fit(features[:90], effects[:90])
    predicted, mean = fitted.predict(features[90:]), effects[:90].mean(axis=0)
    covered = fitted.covered(features[90:])
    np.testing.assert_allclose(predicted[~covered], [mean])
    assert np.square(predicted - effects[90:]).mean() < 0.95 * np.square(mean - effects[90:]).mean()


def test_bilinear__is_the_least_squares_solution_of_its_formula(planted):
    features, effects = planted
    model = BilinearOnSignatures(dimensions=3, penalty=0.2).fit(features[:90], effects[:90])
    values = SignatureBlocks().fit(features[:90])
    train = values.transform(features[:90])
    axes = np.linalg.svd(train - train.mean(axis=0))[2][:3]
    P, P_new = train @ axes.T, (values.transform(features[90:]) - train.mean(axis=0)) @ axes.T
    P = P - train.mean(axis=0) @ axes.T
    Y = (effects[:90] - effects[:90].mean(axis=0)).T
    left, singular, _ = np.linalg.svd(Y)
    G = left[:, :3] * singular[:3]
    shrink = 0.2 * np.eye(3)
    K = np.linalg.inv(G.T @ G + shrink) @ G.T @ Y @ P @ np.linalg.inv(P.T @ P + shrink)
    expected = (G @ K @ P_new.T).T + effects[:90].mean(axis=0)
    np.testing.assert_allclose(model.predict(features[90:]), expected, atol=1e-9)


def test_kernel_ridge__is_scikit_learns_on_scaled_blocks(planted):
    features, effects = planted
    weights = np.linspace(0.5, 1.5, 90)
    blocks = np.array(["a", "a", "b", "b"])
    model = KernelRidgeOnSignatures(blocks, components=None, alphas=(0.5,), gammas=(0.4,))
    model.fit(features[:90], effects[:90], sample_weight=weights)
    scaled, mean = SignatureBlocks(blocks).fit(features[:90]), effects[:90].mean(axis=0)
    oracle = KernelRidge(kernel="rbf", alpha=0.5, gamma=0.2)
    oracle.fit(scaled.transform(features[:90]), effects[:90] - mean, sample_weight=weights)
    np.testing.assert_allclose(model.predict(features[90:]), oracle.predict(scaled.transform(features[90:])) + mean)
    assert model.alpha_ == 0.5


def test_kernel_ridge__bends_where_a_line_cannot(planted):
    features, effects = planted
    curved, straight = KernelRidgeOnSignatures(), BilinearOnSignatures()
    errors = [
        np.square(m.fit(features[:90], effects[:90]).predict(features[90:]) - effects[90:]).mean()
        for m in (curved, straight)
    ]
    assert errors[0] < 0.8 * errors[1]


def test_neighbours__are_scikit_learns_and_no_more_than_there_are_rows(planted):
    features, effects = planted
    model = NeighboursOnSignatures(neighbours=(4,)).fit(features[:90], effects[:90])
    scaled, mean = SignatureBlocks().fit(features[:90]), effects[:90].mean(axis=0)
    oracle = KNeighborsRegressor(4, weights="distance").fit(scaled.transform(features[:90]), effects[:90] - mean)
    np.testing.assert_allclose(model.predict(features[90:]), oracle.predict(scaled.transform(features[90:])) + mean)
    few = NeighboursOnSignatures(neighbours=(50,)).fit(features[:6], effects[:6], groups=np.array(list("aabbcc")))
    assert few.neighbours_ == 2


def test_neighbours__more_are_taken_where_they_are_noisy(planted):
    features, effects = planted
    noisy = effects + 5 * np.random.default_rng(1).normal(size=effects.shape)
    chosen = [NeighboursOnSignatures(neighbours=(2, 40)).fit(features, y).neighbours_ for y in (effects, noisy)]
    assert chosen == [2, 40]


@pytest.mark.parametrize("noise", [0.0, 1.0, 6.0])
@pytest.mark.parametrize(
    ("model", "oracle", "grid"),
    [
        (
            NeighboursOnSignatures(neighbours=(2, 7, 20)),
            KNeighborsRegressor(weights="distance"),
            {"n_neighbors": (2, 7, 20)},
        ),
        (
            KernelRidgeOnSignatures(components=None),
            KernelRidge(kernel="rbf"),
            {"alpha": (0.03, 0.3, 3.0), "gamma": (0.05, 0.2, 0.8)},
        ),
    ],
)
def test_regression__chooses_what_a_grid_search_does_and_predicts_the_same(planted, noise, model, oracle, grid):
    features, effects = planted
    features = np.round(features, 1)  # some distances are 0
    features[1::2, :2] = features[::2, :2]
    features[7], features[9] = features[5], np.nan
    effects = effects + noise * np.random.default_rng(3).normal(size=effects.shape)
    groups, weights = np.repeat(np.arange(60), 2).astype(str), np.linspace(0.5, 1.5, 120)
    model.fit(features, effects, groups=groups, sample_weight=weights)
    search = GridSearchCV(
        Pipeline([("blocks", SignatureBlocks()), ("model", oracle)]),
        {f"model__{name}": values for name, values in grid.items()},
        scoring="neg_mean_squared_error",
        cv=GroupKFold(5),
    )
    told = {"model__sample_weight": weights} if isinstance(oracle, KernelRidge) else {}
    mean = effects.mean(axis=0)
    search.fit(features, effects - mean, groups=groups, **told)
    covered = np.isfinite(features).any(axis=1)
    np.testing.assert_allclose(model.predict(features)[covered], search.predict(features)[covered] + mean, atol=1e-9)


@pytest.mark.parametrize("constant", ["features", "effects", "both"])
@pytest.mark.parametrize("model", [BilinearOnSignatures, lambda: KernelRidgeOnSignatures(components=2)])
def test_regression__predicts_the_train_mean_where_training_rows_do_not_differ(model, constant, planted, recwarn):
    features, effects = planted
    features, effects, new = features[:4], effects[:4], features[90:]
    if constant != "effects":
        features = np.full_like(features, 0.1)
    if constant != "features":
        effects = np.full_like(effects, 0.3)
    predicted = model().fit(features, effects).predict(new)
    np.testing.assert_allclose(predicted, np.broadcast_to(effects.mean(axis=0), predicted.shape), rtol=1e-9)
    assert not recwarn.list


def test_bilinear__of_a_single_row_is_that_row(planted, recwarn):
    features, effects = planted
    predicted = BilinearOnSignatures().fit(features[:1], effects[:1]).predict(features[90:])
    np.testing.assert_array_equal(predicted, np.repeat(effects[:1], 30, axis=0))
    assert not recwarn.list


@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_deviations__of_some_rows_are_those_of_these_alone(planted, missing):
    _, effects = planted
    effects = np.where(np.random.default_rng(2).random(effects.shape) < missing, np.nan, effects)
    outer, inner = np.arange(10, 100), np.arange(5, 80, 3)
    found, rows = Deviations(effects, outer).some(inner), outer[inner]
    values = np.nan_to_num(effects[rows] - np.nanmean(effects[rows], axis=0))
    np.testing.assert_allclose(found.values(), values, atol=1e-12)
    np.testing.assert_allclose(found.products, values @ values.T, atol=1e-9)


def test_components__by_inner_products_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(120, 20)) @ rng.normal(size=(20, 600)) + 3 * rng.normal(size=(120, 600)) + 1.0
    assert are_few(5, values.shape)
    assert not any(are_few(*few) for few in [(12, (120, 600)), (5, (700, 600)), (5, (120, 500))])
    found, oracle = components_by_products(values, values @ values.T, 5), PCA(5, random_state=0).fit(values)
    np.testing.assert_allclose(found.axes, oracle.components_, atol=1e-11)
    np.testing.assert_allclose(found.transform(values), oracle.transform(values), atol=1e-9)
    scores = rng.normal(size=(3, 5))
    np.testing.assert_allclose(found.inverse_transform(scores), oracle.inverse_transform(scores), atol=1e-9)


def test_components__that_inner_products_cannot_tell_are_left_to_another_way():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(120, 3)) @ rng.normal(size=(3, 600))
    assert components_by_products(values, values @ values.T, 5) is None
    some = np.arange(110)
    _, scores = Deviations(values).some(some).components(5)
    np.testing.assert_allclose(np.square(scores).sum(), np.square(values[some] - values[some].mean(axis=0)).sum())


@pytest.mark.parametrize("noise", [0.2, 5.0])
def test_kernel_ridge__chooses_alike_in_single_and_double_precision(noise, planted, monkeypatch):
    features, effects = planted
    effects = effects + noise * np.random.default_rng(1).normal(size=effects.shape)
    told = {"sample_weight": np.linspace(0.5, 1.5, 120)}
    usual = KernelRidgeOnSignatures(components=None).fit(features, effects, **told)
    monkeypatch.setattr("featurestore.models.kernel_ridge._MILD", 0.0)
    assert KernelRidgeOnSignatures(components=None).fit(features, effects, **told).chosen == usual.chosen


def test_kernel_ridge__doubts_what_single_precision_says_of_equals(planted):
    features, effects = planted
    model = KernelRidgeOnSignatures(components=None, alphas=(0.3, 0.3000000001)).fit(features, effects)
    assert model.alpha_ in model.alphas


def test_bilinear__of_many_rows_and_more_genes_is_that_of_a_whole_decomposition(planted, recwarn):
    features, _ = planted
    rng = np.random.default_rng(4)
    effects = features @ rng.normal(size=(4, 150)) + rng.normal(size=(120, 150))
    few = BilinearOnSignatures(dimensions=3, penalty=0.2)
    left, singular, _ = np.linalg.svd((effects - effects.mean(axis=0)).T)
    G = left[:, :3] * singular[:3]
    predicted = few.fit(features, effects).predict(features) - effects.mean(axis=0)
    np.testing.assert_allclose(predicted @ (np.eye(150) - G @ np.linalg.pinv(G)), 0.0, atol=1e-9)
    same = np.ones_like(effects)
    np.testing.assert_allclose(few.fit(features, same).predict(features), same)
    assert not recwarn.list
