"""The diagonal bilinear model: its slopes against least squares over single pairs, and when it says nothing."""

import numpy as np
import pytest

from featurestore.models import DiagonalOnGenes
from featurestore.models.inputs import RowInputs

N, G, K = 30, 40, 5
BLOCKS = np.array(["a", "a", "a", "b", "b"])


@pytest.fixture
def world():
    """X of two further features, vectors of genes, and effects along the products of both."""
    rng = np.random.default_rng(0)
    of_genes = rng.normal(size=(G, K)) * [1, 1, 1, 5, 5]
    own = np.eye(N, G, dtype=bool)
    X = np.hstack([rng.normal(size=(N, 2)), of_genes[:N] + 0.1 * rng.normal(size=(N, K))])
    X[-1, 2:] = np.nan
    effects = 0.3 + (np.nan_to_num(X[:, 2:]) * [1.0, 0.8, 1.2, 0.0, 0.0]) @ of_genes.T + 0.5 * rng.normal(size=(N, G))
    return RowInputs(X, np.full((N, G), np.nan), own), np.where(own, 50.0, effects), of_genes


def least_squares(inputs, Y, of_genes, trust, alpha):
    """Fit every pair of row and gene as an observation of its own."""
    centred = of_genes - of_genes.mean(axis=0)
    length = np.array([np.linalg.norm(centred[:, b == BLOCKS]) for b in BLOCKS])
    genes = centred / (length / np.sqrt(G))
    rows = (inputs.X[:, 2:] - of_genes.mean(axis=0)) / (length / np.sqrt(G))
    rows = np.nan_to_num(rows - np.nanmean(rows, axis=0))
    deviation = np.where(inputs.own, np.nan, Y - np.nanmean(Y, axis=0))
    strength = np.sqrt(np.nanmean(deviation**2, axis=1))
    weight = trust / np.maximum(strength, 0.1 * np.median(strength))
    row, gene = np.nonzero(np.isfinite(deviation))
    root = np.sqrt(weight[row])[:, None]
    features = root * rows[row] * genes[gene]
    scale = (features**2).sum() / K
    shared = np.array([[b == name for name in "ab"] for b in BLOCKS], dtype=float)
    penalty = np.sqrt(scale) * np.diag(np.sqrt([1e-6, 1e-6, *[alpha] * K]))
    design = np.vstack([features @ np.hstack([shared, np.eye(K)]), penalty])
    answer = np.concatenate([root[:, 0] * deviation[row, gene], np.zeros(2 + K)])
    found = np.linalg.lstsq(design, answer, rcond=None)[0]
    slopes = shared @ found[:2] + found[2:]
    return slopes, np.nanmean(Y, axis=0) + (rows * slopes) @ genes.T


@pytest.mark.parametrize("missing", [0.0, 0.2, 0.8])
def test_diagonal__is_the_ridge_over_single_pairs(world, missing):
    inputs, Y, of_genes = world
    Y = np.where(np.random.default_rng(1).random(Y.shape) < missing, np.nan, Y)
    trust = np.linspace(0.5, 1.5, N)
    model = DiagonalOnGenes(np.arange(2, 7), of_genes, BLOCKS, alphas=(0.3,)).fit(inputs, Y, sample_weight=trust)
    slopes, predicted = least_squares(inputs, Y, of_genes, trust, 0.3)
    np.testing.assert_allclose(model.slopes_, slopes, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(model.predict(inputs), predicted, rtol=1e-7, atol=1e-9)
    assert model.covered(inputs).tolist() == [True] * (N - 1) + [False]
    np.testing.assert_allclose(model.predict(inputs)[-1], np.nanmean(Y, axis=0))


def test_diagonal__of_effects_that_have_nothing_to_do_with_it_is_the_train_mean(world):
    inputs, Y, of_genes = world
    Y = 0.3 + np.random.default_rng(5).normal(size=Y.shape)
    model = DiagonalOnGenes(np.arange(2, 7), of_genes, BLOCKS).fit(inputs, Y)
    assert model.alpha_ == np.inf
    np.testing.assert_allclose(model.predict(inputs), np.tile(Y.mean(axis=0), (N, 1)))


def test_diagonal__of_a_gene_without_features_is_the_mean_of_its_effects(world):
    inputs, Y, of_genes = world
    of_genes = np.vstack([np.full((1, K), np.nan), of_genes[1:]])
    model = DiagonalOnGenes(np.arange(2, 7), of_genes, BLOCKS).fit(inputs, Y)
    assert np.isfinite(model.alpha_)
    np.testing.assert_allclose(model.predict(inputs)[:, 0], Y[:, 0].mean())
