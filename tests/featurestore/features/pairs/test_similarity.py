"""Neighbours and reconstructions against the same in dense matrices."""

import numpy as np
import pytest

from featurestore.features.pairs.blocks import AnalogueBlock, BaseRateBlock, ChangedBlock, ReconstructionBlock
from featurestore.features.pairs.calls import Calls
from featurestore.features.pairs.co_response import CoResponseBlock
from featurestore.features.pairs.similarity import Neighbours, directions, factorise

P, G = 30, 20


@pytest.fixture
def tables():
    rng = np.random.default_rng(3)
    return [dense_calls(np.where(rng.random((P, G)) < 0.5, rng.normal(size=(P, G)), np.nan)) for _ in range(3)]


def dense_calls(values):
    row, column = np.nonzero(np.isfinite(values))
    return Calls(row, column, values[row, column], values.shape)


def every_pair():
    return (place.ravel() for place in np.meshgrid(np.arange(P), np.arange(G), indexing="ij"))


def test_directions__have_the_cosines_of_the_exact_decomposition(tables):
    found = directions(tables[:2], 5)
    whole = np.hstack([table.matrix().toarray() for table in tables[:2]])
    u, s, _ = np.linalg.svd(whole, full_matrices=False)
    scores = u[:, :5] * s[:5]
    exact = scores / np.linalg.norm(scores, axis=1, keepdims=True)
    np.testing.assert_allclose(found @ found.T, exact @ exact.T, atol=0.02)


def test_directions__are_zero_for_a_perturbation_that_no_source_has(tables):
    kept = tables[0].perturbation != 4
    lacking = Calls(tables[0].perturbation[kept], tables[0].gene[kept], tables[0].value[kept], (P, G))
    assert not directions([lacking], 5)[4].any()


def test_neighbours__average_the_others_by_squared_positive_cosine(tables):
    alike = directions(tables[:2], 5)
    training = tables[2]
    weight = np.maximum(alike @ alike.T, 0) ** 2
    np.fill_diagonal(weight, 0)
    listed = np.zeros((P, G))
    listed[training.perturbation, training.gene] = 1
    total = weight @ training.matrix().toarray()
    expected = np.where(weight @ listed > 0, total / (weight @ listed + 0.5), np.nan)
    perturbation, gene = every_pair()
    found = Neighbours(alike, training).response(perturbation, gene)
    np.testing.assert_allclose(found, expected[perturbation, gene], rtol=1e-3, atol=1e-5)
    strength = weight @ training.matrix().toarray().sum(axis=1) / (weight @ listed.sum(axis=1) + 5)
    np.testing.assert_allclose(Neighbours(alike, training).strength(perturbation), strength[perturbation], rtol=1e-3)


def test_neighbours__are_missing_where_there_is_none(tables):
    alike = directions(tables[:2], 5)
    alike[0] = 0
    alone = Calls(np.array([7]), np.array([2]), np.array([1.0]), (P, G))
    neighbours = Neighbours(alike, alone)
    found = neighbours.response(np.array([0, 7, 7]), np.array([2, 2, 3]))
    assert np.isnan(found).all(), "unknown elsewhere, its own only neighbour, and a gene without training pairs"
    assert np.isnan(neighbours.strength(np.array([0, 7]))).all()


def test_levelled__divides_genes_by_the_root_of_their_length_and_the_whole_by_its_own(tables):
    dense = tables[0].matrix().toarray()
    length = np.linalg.norm(dense, axis=0)
    expected = dense / np.sqrt(np.maximum(length, 0.5 * np.median(length)))
    found = tables[0].levelled().matrix().toarray()
    np.testing.assert_allclose(found, expected / np.linalg.norm(expected))
    nothing = Calls(np.empty(0, int), np.empty(0, int), np.empty(0), (P, G))
    assert len(nothing.levelled().value) == 0


def test_analogues__average_by_the_fourth_power_and_keep_the_sources_own_call(tables):
    source, other, training = tables
    block = AnalogueBlock([source, other], [source, other], components=5)
    block.fit(training)
    here, elsewhere = block.columns(*every_pair())
    alike = directions([source.levelled(), other.levelled()], 5)
    weight = np.maximum(alike @ alike.T, 0).astype(np.float64) ** 4
    total, listed = np.zeros((P, G)), np.zeros((P, G))
    for table in (source, other):
        listed[table.perturbation, table.gene] += 1
        total += table.centred().matrix().toarray()
    expected = weight @ total / (weight @ listed + 0.5)
    np.testing.assert_allclose(elsewhere.reshape(P, G), expected, rtol=1e-3, atol=1e-5)
    np.fill_diagonal(weight, 0)
    known = np.zeros((P, G))
    known[training.perturbation, training.gene] = 1
    expected = weight @ training.centred().matrix().toarray() / (weight @ known + 0.5)
    np.testing.assert_allclose(here.reshape(P, G), expected, rtol=1e-3, atol=1e-5)
    block = AnalogueBlock([source], [], components=5)
    block.fit(training)
    assert np.isnan(block.columns(*every_pair())[1]).all(), "no source answers the target's question"


def test_co_response__averages_over_perturbations_and_genes_that_are_alike(tables, monkeypatch):
    monkeypatch.setattr("featurestore.features.pairs.co_response._GENES_AT_ONCE", 7)
    source, other, training = tables
    block = CoResponseBlock([source, other], [source], [source, other], components=5, gene_components=4)
    block.fit(training)
    perturbation, gene = every_pair()
    here, elsewhere = block.columns(perturbation, gene)

    by_gene = [Calls(t.gene, t.perturbation, t.centred().value, (G, P)).levelled() for t in (source, training)]
    vectors = np.asarray(directions(by_gene, 4), np.float64)
    squared, fourth = (np.maximum(vectors @ vectors.T, 0) ** power for power in (2, 4))
    squared[squared < 1e-3] = 0
    fourth[fourth < 1e-3] = 0
    alike = directions([source.levelled(), other.levelled()], 5)
    weight = np.maximum(alike @ alike.T, 0).astype(np.float64) ** 4

    def listed(table):
        return (table.matrix() != 0).toarray().astype(float)

    total = sum(table.centred().matrix().toarray() for table in (source, other))
    expected = weight @ total @ fourth / (weight @ (listed(source) + listed(other)) @ fourth + 0.5)
    np.testing.assert_allclose(elsewhere.reshape(P, G), expected, rtol=1e-3, atol=1e-5)
    np.fill_diagonal(weight, 0)
    total = training.centred().matrix().toarray()
    expected = weight @ total @ squared / (weight @ listed(training) @ squared + 0.5)
    np.testing.assert_allclose(here.reshape(P, G), expected, rtol=1e-3, atol=1e-5)
    some = np.array([7, 3, 7]), np.array([5, 19, 2])
    np.testing.assert_allclose(block.columns(*some)[0], here.reshape(P, G)[some], rtol=1e-5)


def test_co_response__is_missing_where_no_source_knows_the_perturbation(tables):
    kept = tables[0].perturbation != 4
    lacking = Calls(tables[0].perturbation[kept], tables[0].gene[kept], tables[0].value[kept], (P, G))
    block = CoResponseBlock([lacking], [lacking], [], components=5, gene_components=5)
    block.fit(tables[2])
    here, elsewhere = block.columns(np.array([4, 5]), np.array([3, 3]))
    np.testing.assert_array_equal(np.isnan(here), [True, False])
    assert np.isnan(elsewhere).all(), "no source answers the target's question"


def test_reconstruction__is_the_mean_call_at_full_rank(tables):
    block = ReconstructionBlock(tables[:1], components=G)
    block.fit(tables[2])
    (value,) = block.columns(*every_pair())
    mean = [table.centred() for table in (tables[0], tables[2])]
    n = sum((table.matrix() != 0).toarray() for table in mean)
    expected = sum(table.matrix().toarray() for table in mean) / np.maximum(n, 1)
    np.testing.assert_allclose(value.reshape(P, G), expected, atol=1e-4)


def test_factorise__starts_from_a_fixed_point(tables):
    one, other = (factorise(tables[0].matrix(), 4) for _ in range(2))
    np.testing.assert_array_equal(one.left, other.left)
    assert one.left.shape, one.right.shape == ((P, 4), (4, G))


def test_strength__counts_changed_genes_of_the_source():
    block = ChangedBlock(Calls(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), np.array([1.0, 1.0, 1.0, 0.0]), (3, 2)))
    mean, changed = block.columns(np.array([0, 1, 2]), np.array([0, 0, 0]))
    np.testing.assert_allclose(changed, [np.log(3), np.log(2), np.nan])
    assert np.isnan(mean[2])
    assert mean[0] > mean[1]


def test_base_rate__is_the_log_odds_of_the_gene_and_finite_without_any_positive():
    block = BaseRateBlock()
    block.fit(Calls(np.arange(6), np.zeros(6, dtype=int), np.array([1.0, 1, -1, -1, -1, -1]), (6, 2)))
    (odds,) = block.columns(np.array([0, 0]), np.array([0, 1]))
    np.testing.assert_allclose(odds, [np.log(1 / 2), np.log(1 / 2)])
    block.fit(Calls(np.arange(3), np.zeros(3, dtype=int), np.zeros(3), (6, 2)))
    assert np.isfinite(block.columns(np.array([0]), np.array([0]))[0]).all()
