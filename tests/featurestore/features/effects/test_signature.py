"""Averages of matching conditions, and principal components of a source."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.decomposition import PCA

from featurestore.features.effects import signature
from featurestore.features.effects.signature import component_reduction, gene_reduction, mean_of_matches, pick_genes


def pairs(*given):
    frame = pl.DataFrame(given, schema={"row": pl.UInt32, "source_row": pl.UInt32}, orient="row")
    return frame.with_columns(part=pl.lit(0), weight=pl.lit(1.0))


def test_mean_of_matches__averages_what_is_present():
    values = np.array([[1.0, 2.0], [3.0, np.nan], [10.0, np.nan]], dtype=np.float32)
    mean = mean_of_matches(values, pairs((0, 0), (0, 1), (2, 2)), 3)
    np.testing.assert_array_equal(mean, [[2.0, 2.0], [np.nan, np.nan], [10.0, np.nan]])


def test_mean_of_matches__weighs_conditions_and_adds_up_parts():
    values = np.array([[1.0, 2.0], [4.0, np.nan], [10.0, 5.0]], dtype=np.float32)
    matches = pairs((1, 0), (1, 1), (1, 2)).with_columns(part=pl.Series([0, 0, 1]), weight=pl.Series([1.0, 2.0, 7.0]))
    np.testing.assert_allclose(mean_of_matches(values, matches, 2), [[np.nan, np.nan], [3.0 + 10.0, 2.0 + 5.0]])


@given(arrays(np.float32, (4, 3), elements=st.floats(-9, 9, width=16)), st.permutations(range(4)))
def test_mean_of_matches__of_single_matches_is_a_selection(values, order):
    np.testing.assert_allclose(mean_of_matches(values, pairs(*enumerate(order)), 4), values[list(order)])


@pytest.fixture
def source():
    rng = np.random.default_rng(3)
    return (rng.normal(size=(40, 4)) @ rng.normal(size=(4, 25)) + 0.1 * rng.normal(size=(40, 25))).astype(np.float32)


def test_mean_of_matches__leaves_what_is_not_averaged_in_single_precision_where_asked():
    values = np.array([[0.1, 2.0], [3.0, np.nan]], np.float32)
    alone = mean_of_matches(values, pairs((0, 1), (2, 0)), 3, single=True)
    assert alone.dtype == np.float32
    np.testing.assert_array_equal(alone, [[3.0, np.nan], [np.nan, np.nan], values[0]])
    assert mean_of_matches(values, pairs((0, 0), (0, 1)), 1, single=True).dtype == np.float64


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
    monkeypatch.setattr(signature, "_LARGEST_SQUARE", largest)
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


def test_pick_genes__takes_measured_shared_variable_or_named_genes():
    values = np.array([[1.0, np.nan, 0.0, 2.0], [1.1, np.nan, 9.0, 4.0]], dtype=np.float32)
    genes = pl.DataFrame({"gene_id": ["g0", "g1", "g2", "g3"], "gene_symbol": ["S0", "S1", None, "S3"]})
    assert pick_genes(values, genes, "measured").tolist() == [0, 2, 3]
    assert pick_genes(values, genes, ["g2", "S3", "S1"]).tolist() == [2, 3]
    assert pick_genes(values, genes, ["absent"]).size == 0
    assert pick_genes(values, genes, "shared", pl.DataFrame({"gene_id": ["g3", "g1", "x"]})).tolist() == [3]
    assert pick_genes(values, genes, {"most_variable": 2}).tolist() == [2, 3]
