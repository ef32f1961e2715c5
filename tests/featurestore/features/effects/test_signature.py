"""Averages of matching conditions, and principal components of a source."""

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from featurestore.features.effects.signature import mean_of_matches, pick_genes


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


def test_mean_of_matches__leaves_what_is_not_averaged_in_single_precision_where_asked():
    values = np.array([[0.1, 2.0], [3.0, np.nan]], np.float32)
    alone = mean_of_matches(values, pairs((0, 1), (2, 0)), 3, single=True)
    assert alone.dtype == np.float32
    np.testing.assert_array_equal(alone, [[3.0, np.nan], [np.nan, np.nan], values[0]])
    assert mean_of_matches(values, pairs((0, 0), (0, 1)), 1, single=True).dtype == np.float64


def test_pick_genes__takes_measured_shared_variable_or_named_genes():
    values = np.array([[1.0, np.nan, 0.0, 2.0], [1.1, np.nan, 9.0, 4.0]], dtype=np.float32)
    genes = pl.DataFrame({"gene_id": ["g0", "g1", "g2", "g3"], "gene_symbol": ["S0", "S1", None, "S3"]})
    assert pick_genes(values, genes, "measured").tolist() == [0, 2, 3]
    assert pick_genes(values, genes, ["g2", "S3", "S1"]).tolist() == [2, 3]
    assert pick_genes(values, genes, ["absent"]).size == 0
    assert pick_genes(values, genes, "shared", pl.DataFrame({"gene_id": ["g3", "g1", "x"]})).tolist() == [3]
    assert pick_genes(values, genes, {"most_variable": 2}).tolist() == [2, 3]
