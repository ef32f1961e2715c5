"""Tests of features as genes or principal components."""

import numpy as np
import polars as pl
import pytest
from sklearn.decomposition import PCA

from featurestore.features.effects import components
from featurestore.features.effects.components import component_reduction, gene_reduction


@pytest.fixture
def source():
    rng = np.random.default_rng(3)
    return (rng.normal(size=(40, 4)) @ rng.normal(size=(4, 25)) + 0.1 * rng.normal(size=(40, 25))).astype(np.float32)


@pytest.mark.parametrize("is_wide", [True, False])
def test_component_reduction__of_a_large_source_takes_missing_genes_for_the_mean(is_wide):
    rng = np.random.default_rng(4)
    large = (rng.normal(size=(121, 6)) * [9, 7, 5, 4, 3, 2] @ rng.normal(size=(6, 143))).astype(np.float32)
    large[rng.random(large.shape) < 0.05] = np.nan
    large = large if is_wide else large.T
    filled = np.where(np.isnan(large), np.nanmean(large, axis=0, dtype=np.float64), large)
    exact = PCA(4, svd_solver="full").fit(filled)
    reduction = component_reduction(large, large[:3], 4)
    np.testing.assert_allclose(reduction.columns["explained_variance"], exact.explained_variance_ratio_, rtol=1e-9)
    np.testing.assert_allclose(reduction.values, exact.transform(filled[:3]), atol=1e-6)


def test_component_reduction__equals_sklearn_on_a_complete_source(source):
    reduction = component_reduction(source, source.astype(np.float64), 5)
    pca = PCA(5, svd_solver="full")
    np.testing.assert_allclose(reduction.values, pca.fit_transform(source.astype(np.float64)), atol=1e-9)
    np.testing.assert_allclose(reduction.columns["explained_variance"], pca.explained_variance_ratio_)
    assert reduction.columns["suffix"].to_list() == ["pc_01", "pc_02", "pc_03", "pc_04", "pc_05"]


@pytest.mark.parametrize(("n_conditions", "n_genes"), [(150, 130), (120, 400)])
@pytest.mark.parametrize("largest", [0, 1_000])
def test_component_reduction__of_a_large_source_equals_the_exact_one(monkeypatch, n_conditions, n_genes, largest):
    monkeypatch.setattr(components, "_LARGEST_SQUARE", largest)
    rng = np.random.default_rng(4)
    latent, loadings = rng.normal(size=(n_conditions, 6)), rng.normal(size=(6, n_genes))
    large = (latent * [9, 7, 5, 4, 3, 2] @ loadings).astype(np.float32)
    large += 0.01 * rng.normal(size=large.shape).astype(np.float32)
    exact = PCA(4, svd_solver="full").fit(large.astype(np.float64))
    reduction = component_reduction(large, large[:3].astype(np.float64), 4)
    np.testing.assert_allclose(reduction.columns["explained_variance"], exact.explained_variance_ratio_, rtol=1e-9)
    np.testing.assert_allclose(reduction.values, exact.transform(large[:3].astype(np.float64)), atol=1e-6)
    again = component_reduction(large, large[:3].astype(np.float64), 4)
    np.testing.assert_array_equal(again.values, reduction.values)


def test_component_reduction__does_not_depend_on_which_rows_are_wanted(source):
    some = component_reduction(source, source[5:8].astype(np.float64), 3).values
    np.testing.assert_allclose(some, component_reduction(source, source.astype(np.float64), 3).values[5:8], atol=1e-12)


def test_component_reduction__leaves_unmatched_rows_missing_and_puts_missing_genes_at_the_mean(source):
    matched = source[:3].astype(np.float64)
    matched[1] = np.nan
    matched[2, 10:] = np.nan
    values = component_reduction(source, matched, 3).values
    assert np.isnan(values[1]).all()
    filled = source[:3].astype(np.float64)
    filled[2, 10:] = source[:, 10:].astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(values[2], component_reduction(source, filled, 3).values[2], atol=1e-9)


def test_component_reduction__never_has_more_components_than_conditions_less_one(source):
    assert component_reduction(source[:4], source[:4].astype(np.float64), 20).values.shape == (4, 3)


def test_gene_reduction__keeps_genes_as_they_are():
    matched = np.array([[1.0, np.nan]])
    reduction = gene_reduction(matched, pl.DataFrame({"gene_id": ["a", "b"]}))
    assert reduction.values is matched
    assert reduction.columns["suffix"].to_list() == ["a", "b"]
