"""A planted feature matrix: how much the sources share with the target is known."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from sklearn.decomposition import PCA

from featurestore.features.matrix.feature_matrix import FeatureMatrix
from featurestore.features.perturbations import assign_folds

N, G, K = 150, 200, 6


@pytest.fixture(scope="session")
def plant():
    return planted_matrix


@pytest.fixture(scope="session")
def informed():
    return informed_matrix


@pytest.fixture(scope="session")
def known():
    return known_matrix


def informed_matrix(*, noise=0.7, **planted):
    """The planted matrix with vectors of what is perturbed, its latent with noise; the last rows have no vector."""
    matrix = planted_matrix(**planted)
    n = matrix.rows.height
    latent = np.random.default_rng(planted.get("seed", 0)).normal(size=(n, K))  # the first draw of the planted matrix
    vectors = latent + noise * np.random.default_rng(1).normal(size=latent.shape)
    vectors[-3:] = np.nan
    values = np.hstack([matrix.X, vectors.astype(np.float32)])
    names = pl.DataFrame({"name": [f"embedding/dim_{i}" for i in range(K)]})
    columns = names.with_columns(block=pl.lit("embedding"), kind=pl.lit("embedding"))
    return replace(matrix, X=values, mask=np.isfinite(values), columns=pl.concat([matrix.columns, columns]))


def known_matrix(*, dealt=False, **planted):
    """The informed matrix with vectors of the measured genes too: their loadings, or those dealt anew, with noise."""
    matrix = informed_matrix(**planted)
    rng = np.random.default_rng(planted.get("seed", 0))
    n = matrix.rows.height
    rng.normal(size=(n, K)), rng.gamma(1.2, size=(n, 1))  # the first draws of the planted matrix
    loadings = (rng.normal(size=(K, G)) * 0.3).T
    loadings = loadings[np.random.default_rng(3).permutation(G)] if dealt else loadings
    values = (loadings + 0.1 * np.random.default_rng(2).normal(size=loadings.shape)).astype(np.float32)
    values[::9] = np.nan
    of_genes = pl.DataFrame(values, schema=[f"embedding/dim_{i}" for i in range(K)])
    return replace(matrix, of_genes=of_genes.insert_column(0, matrix.genes["gene_id"]))


def planted_matrix(*, shared=(0.8, 0.7), coverage=(0.95, 0.7), seed=0, shuffled=False, n=N):
    """Effects = strength x (common + latent x loadings); sources share the latent part to a known correlation.

    Gene i is the target of row i, and is silenced wherever it is perturbed.
    """
    rng = np.random.default_rng(seed)
    latent, strength = rng.normal(size=(n, K)), rng.gamma(1.2, size=(n, 1))
    loadings, common = rng.normal(size=(K, G)) * 0.3, rng.normal(size=G) * 0.3
    target = silence(strength * (common + latent @ loadings)) + 0.2 * rng.normal(size=(n, G))
    blocks, columns, total, count = [], [], np.zeros((n, G)), np.zeros((n, 1))
    for source, (correlation, share) in enumerate(zip(shared, coverage, strict=True)):
        own = correlation * latent + np.sqrt(1 - correlation**2) * rng.normal(size=latent.shape)
        changed = loadings * rng.normal(1, 0.3, size=loadings.shape)
        effect = silence(strength * (rng.normal(size=G) * 0.3 + own @ changed)) + 0.2 * rng.normal(size=(n, G))
        has = rng.random(n) < share
        effect = effect[rng.permutation(n)] if shuffled else effect
        scores = np.where(has[:, None], PCA(10).fit(effect[has]).transform(effect), np.nan)
        blocks.append(scores)
        columns += [(f"signature/s{source}/pc_{i:02d}", f"signature/s{source}") for i in range(1, 11)]
        total[has] += effect[has]
        count[has] += 1
    features = np.hstack(blocks).astype(np.float32)
    elsewhere = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    genes = [f"g{i:03d}" for i in range(G)]
    names = [f"p{i:03d}" for i in range(n)]
    rows = pl.DataFrame(
        {
            "condition_id": names,
            "perturbation_id": names,
            "perturbation_label": names,
            "target_gene_ids": [[gene] for gene in genes[:n]],
            "n_cells": rng.integers(20, 300, n),
            "group": names,
            "fold": assign_folds(pl.Series(names), 5, 0),
        }
    )
    return FeatureMatrix(
        X=features,
        mask=np.isfinite(features),
        Y=target.astype(np.float32),
        elsewhere=elsewhere.astype(np.float32),
        rows=rows,
        columns=pl.DataFrame(columns, schema=["name", "block"], orient="row").with_columns(kind=pl.lit("signature")),
        genes=pl.DataFrame({"gene_id": genes, "gene_symbol": genes}),
        manifest={
            "name": "planted",
            "recipe": "none",
            "snapshot": 1,
            "spec": {"target": {"effect_kind": "delta_log1p"}},
        },
    )


def silence(effect):
    n = len(effect)
    effect[np.arange(n), np.arange(n)] = -2.0
    return effect
