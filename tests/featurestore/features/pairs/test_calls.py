"""Calls as sparse entries: merging, looking up, centring, shuffling."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from featurestore.features.pairs.calls import Calls, pooled

SHAPE = (4, 3)


def calls(*entries):
    perturbation, gene, value = zip(*entries, strict=True) if entries else ((), (), ())
    return Calls(np.array(perturbation, dtype=int), np.array(gene, dtype=int), np.array(value, dtype=float), SHAPE)


def test_merged__averages_entries_of_one_pair_and_sorts():
    merged = calls((2, 0, 1.0), (0, 1, 0.0), (2, 0, 0.0)).merged()
    assert merged.pairs.tolist() == [1, 6]
    assert merged.value.tolist() == [0.0, 0.5]


def test_at__finds_what_is_listed_and_nothing_else():
    found = calls((0, 0, 1.0), (1, 2, -1.0)).at(np.array([1, 0, 3]), np.array([2, 1, 2]))
    np.testing.assert_array_equal(found, [-1.0, np.nan, np.nan])
    assert np.isnan(calls().at(np.array([0]), np.array([0]))).all()


def test_centred__takes_the_genes_mean_away_shrunk_to_the_mean_of_all():
    entries = calls((0, 0, 1.0), (1, 0, 1.0), (0, 1, 0.0), (3, 1, 0.0))
    np.testing.assert_allclose(entries.gene_mean(), [(2 + 2.5) / 7, 2.5 / 7, 0.5])
    np.testing.assert_allclose(entries.centred().value, [1 - 4.5 / 7, 1 - 4.5 / 7, -2.5 / 7, -2.5 / 7])


def test_strength__is_a_shrunk_mean_and_missing_where_nothing_is_listed():
    strength = calls((0, 0, 1.0), (0, 1, 1.0), (2, 0, -1.0)).strength()
    np.testing.assert_allclose(strength, [2 / 7, np.nan, -1 / 6, np.nan])


def test_pooled__averages_over_tables():
    both = pooled([calls((0, 0, 1.0)), calls((0, 0, 0.0), (1, 1, 1.0))])
    assert (both.pairs.tolist(), both.value.tolist()) == ([0, 4], [0.5, 1.0])


@given(st.permutations(range(4)))
def test_permuted__moves_whole_perturbations(order):
    entries = calls((0, 0, 1.0), (0, 1, 2.0), (3, 2, 3.0))
    moved = entries.permuted(np.array(order))
    np.testing.assert_array_equal(moved.matrix().toarray()[order], entries.matrix().toarray())
