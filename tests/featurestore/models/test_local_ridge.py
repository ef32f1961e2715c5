"""The local ridge: its kernel by plain NumPy, what sources count, and where it is better than a ridge of one map."""

import numpy as np
import pytest

from featurestore.models import LocalRidgeOnSignatures, RidgeOnSignatures
from featurestore.models.blocks import SignatureBlocks

BLOCKS = np.array(["a"] * 4 + ["b"] * 4)


def world(seed, *, by_region, n=160, n_genes=30):
    """Two kinds of perturbations, told apart in both sources; 'a' knows the details of one kind, 'b' of the other."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(2, size=n)
    detail = rng.normal(size=(n, 4))
    knows = kind if by_region else rng.integers(2, size=n)
    sources = [
        2 * rng.normal(size=(2, 4))[kind] + np.where((knows == at)[:, None], detail, rng.normal(size=(n, 4)))
        for at in range(2)
    ]
    effects = 2 * rng.normal(size=(2, n_genes))[kind] + detail @ rng.normal(size=(4, n_genes))
    return np.hstack(sources), effects + 0.3 * rng.normal(size=(n, n_genes))


def errors(features, effects, *models):
    return [
        np.square(model.fit(features[:100], effects[:100]).predict(features[100:]) - effects[100:]).mean()
        for model in models
    ]


def test_local_ridge__is_a_ridge_in_its_kernel():
    features, effects = world(0, by_region=True)
    features[3, :4], features[7] = np.nan, np.nan
    weights = np.linspace(0.5, 1.5, 100)
    model = LocalRidgeOnSignatures(BLOCKS, components=None, alphas=(0.5,), gammas=(0.3,))
    model.fit(features[:100], effects[:100], sample_weight=weights)
    assert model.counts_.mean() == pytest.approx(1)
    blocks = SignatureBlocks(BLOCKS).fit(features[:100])
    train, test = (
        np.sqrt(model.counts_).repeat(4) * blocks.transform(some) for some in (features[:100], features[100:])
    )

    def kernel(one, other):
        squares = np.square(one[:, None] - other).sum(axis=2)
        return one @ other.T * np.exp(-0.15 * squares)

    mean = effects[:100].mean(axis=0)
    dual = np.linalg.solve(kernel(train, train) + np.diag(0.5 / weights), effects[:100] - mean)
    np.testing.assert_allclose(model.predict(features[100:]), mean + kernel(test, train) @ dual, rtol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_local_ridge__gains_where_sources_are_right_in_regions_and_not_elsewhere(seed):
    local, everywhere = LocalRidgeOnSignatures(BLOCKS), RidgeOnSignatures(BLOCKS)
    ours, theirs = errors(*world(seed, by_region=True), local, everywhere)
    assert ours < 0.8 * theirs
    ours, theirs = errors(*world(seed, by_region=False), local, everywhere)
    assert ours == pytest.approx(theirs, rel=0.15)


def test_local_ridge__counts_a_source_by_what_it_tells_alone():
    features, effects = world(1, by_region=False)
    noise = np.random.default_rng(5).normal(size=(160, 4))
    model = LocalRidgeOnSignatures(np.array(["good"] * 4 + ["noise"] * 4))
    model.fit(np.hstack([features[:, :4], noise])[:100], effects[:100])
    good, bad = model.counts_
    assert good > 20 * bad


def test_local_ridge__of_one_group_takes_the_first_options():
    features, effects = world(1, by_region=False)
    model = LocalRidgeOnSignatures(BLOCKS).fit(features[:20], effects[:20], groups=np.array(["a"] * 20))
    assert model.chosen == {"alphas": (0.3,), "gammas": (0.05,)}
    np.testing.assert_array_equal(model.counts_, [1, 1])
    np.testing.assert_allclose(model.predict(np.full((1, 8), np.nan))[0], effects[:20].mean(axis=0))
