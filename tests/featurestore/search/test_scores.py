"""Scores against scipy, plain NumPy, and the published example of CMap."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest, pearsonr, spearmanr

from featurestore.features.effects.similarity import encoded
from featurestore.search.correlation import correlate
from featurestore.search.enrichment import connectivity, extreme_sum, ranked, running_sum, set_enrichment
from featurestore.search.null import inflation_of, p_of_pool, p_of_z, q_values, random_sets

PLAIN = {
    "cosine": lambda a, b: a @ b / np.sqrt((a @ a) * (b @ b)),
    "pearson": lambda a, b: pearsonr(a, b)[0],
    "spearman": lambda a, b: spearmanr(a, b)[0],
}


def plain_enrichment(values, members, power=1.0):
    """By the definition: the largest deviation before or after a member."""
    order = np.argsort(-values, kind="stable")
    inside = np.isin(order, members)
    weight = np.abs(values[order]) ** power * inside
    curve = np.append(0.0, np.cumsum(weight / weight.sum() - ~inside / (~inside).sum()))
    return curve[np.argmax(np.abs(curve))]


@pytest.mark.parametrize("kind", ["cosine", "pearson", "spearman"])
def test_correlate__is_that_of_scipy_over_shared_genes(kind):
    """Rounded values have ties and zeros, and every row lacks other genes."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(40, 120)).round(1)
    rows[rng.random(rows.shape) < 0.1] = np.nan
    query = rng.normal(size=120).round(1)
    query[:20] = np.nan
    score, _, n_genes = correlate(encoded(rows), encoded(query), kind)
    for i, row in enumerate(rows):
        shared = np.isfinite(row) & np.isfinite(query)
        assert n_genes[i] == shared.sum()
        assert score[i] == pytest.approx(PLAIN[kind](row[shared], query[shared]), abs=1e-6)


def test_correlate__below_ten_genes_or_without_variation_has_no_score():
    rows = np.full((3, 30), np.nan)
    rows[0, :9], rows[1, :10], rows[2] = np.arange(1, 10), np.arange(1, 11), 2.0
    query = encoded(np.arange(1.0, 31))
    assert np.isfinite(correlate(encoded(rows), query, "cosine")[0]).tolist() == [False, True, True]
    assert np.isfinite(correlate(encoded(rows), query, "pearson")[0]).tolist() == [False, True, False]


@given(st.integers(0, 10_000), st.floats(0.01, 1000))
def test_scores__do_not_depend_on_scale_order_of_genes_or_side(seed, scale):
    rng = np.random.default_rng(seed)
    one, other = rng.normal(size=(2, 60))
    shuffled = rng.permutation(60)
    for kind in PLAIN:
        here = correlate(encoded(one[None]), encoded(other), kind)[0][0]
        assert correlate(encoded(other[None]), encoded(one), kind)[0][0] == pytest.approx(here, abs=1e-6)
        there = correlate(encoded(one[None, shuffled] * scale), encoded(other[shuffled]), kind)[0][0]
        assert there == pytest.approx(here, abs=1e-6)
    members = rng.choice(60, 12, replace=False)
    rows, again = encoded(one[None]), encoded(one[None, shuffled] * scale)
    expected = set_enrichment(rows, ranked(rows), members)[0]
    found = set_enrichment(again, ranked(again), np.flatnonzero(np.isin(shuffled, members)))[0]
    assert found == pytest.approx(expected, abs=1e-6)


def test_set_enrichment__is_its_definition_where_genes_are_missing():
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(30, 80))
    rows[rng.random(rows.shape) < 0.2] = np.nan
    members = np.arange(0, 80, 5)
    for power in (1.0, 0.0, 2.0):
        found = set_enrichment(encoded(rows), ranked(encoded(rows)), members, power)
        for row, score in zip(rows, found, strict=True):
            known = np.flatnonzero(np.isfinite(row))
            expected = plain_enrichment(row[known], np.flatnonzero(np.isin(known, members)), power)
            assert score == pytest.approx(expected, abs=1e-6)


def test_set_enrichment__is_the_peak_of_the_running_sum():
    """By falling value 3 (member), 2, 0.5, -1, -2 (member): weights 3/5 and 2/5, others fall by 1/3."""
    values, members = np.array([3.0, -1.0, 2.0, 0.5, -2.0, np.nan]), np.array([0, 4])
    np.testing.assert_allclose(running_sum(values, members), [0.6, 4 / 15, -1 / 15, -0.4, 0.0], atol=1e-12)
    rows = encoded(values[None])
    assert set_enrichment(rows, ranked(rows), members)[0] == pytest.approx(0.6)


def test_set_enrichment__does_not_depend_on_the_order_of_equal_genes():
    """Of calls: two of the three genes that go up are members, and one of the three that do not change.

    Weights 1/2, 1/2 and 0; three others fall by 1/3. Behind the genes at 1 the sum is 1 - 1/3, behind all it is 0.
    """
    calls, is_member = np.array([1, 1, 1, 0, 0, 0]), np.array([True, False, True, False, True, False])
    rng = np.random.default_rng(0)
    for _ in range(5):
        order = rng.permutation(6)
        rows, members = encoded(calls[order][None]), np.flatnonzero(is_member[order])
        assert set_enrichment(rows, ranked(rows), members)[0] == pytest.approx(2 / 3)
        assert running_sum(calls[order], members)[[2, 5]] == pytest.approx([2 / 3, 0])
        assert running_sum(calls[order], members).max() == pytest.approx(2 / 3)


def test_set_enrichment__without_a_member_is_unknown():
    rows = encoded(np.array([[np.nan, np.nan, 1.0, 2.0]]))
    assert np.isnan(set_enrichment(rows, ranked(rows), np.array([0, 1]))[0])


def test_set_enrichment__is_that_of_blitzgsea_and_gseapy():
    """blitzgsea 1.3.54 (enrichment_score) and gseapy 1.3.1 (prerank, weight 1) on the same values; ``make oracle``."""
    rng = np.random.default_rng(11)
    values, members = rng.normal(size=200).round(6), np.sort(rng.choice(200, 15, replace=False))
    rows = encoded(values[None])
    assert set_enrichment(rows, ranked(rows), members)[0] == pytest.approx(-0.2083443441738546, abs=1e-6)


def test_connectivity__is_0_where_both_sets_go_one_way():
    found = connectivity(np.array([0.5, 0.5, -0.2, np.nan]), np.array([-0.3, 0.3, -0.1, 0.1]))
    np.testing.assert_allclose(found, [0.4, 0.0, 0.0, np.nan])


def test_extreme_sum__takes_the_most_extreme_genes_alone():
    rows = encoded(np.array([[5.0, -4.0, 3.0, -2.0, 1.0, np.nan]]))
    up, down = np.array([0, 4]), np.array([1, 3, 5])
    assert extreme_sum(rows, up, down, 3)[0] == 5.0 + 4.0
    assert extreme_sum(rows, up, down, 100)[0] == 5.0 + 1.0 + 4.0 + 2.0


def read_gct(path):
    fields = [line.split("\t") for line in path.read_text().splitlines()[3:]]
    return [each[0] for each in fields], np.array([float(each[1]) for each in fields])


def test_connectivity__of_trichostatin_a_is_that_of_cmap(real_data):
    folder = real_data / "connectivity"
    if not folder.is_dir():
        pytest.skip("the files of cmapM are not here")
    probes, values = read_gct(folder / "trichostatina_mcf7_10um_score.gct")
    _, places = read_gct(folder / "trichostatina_mcf7_10um_rank_full.gct")
    at = {probe: i for i, probe in enumerate(probes)}
    texts = [(folder / f"HDAC_{side}.grp").read_text().split() for side in ("UP", "DN")]
    sets = [np.array([at[probe] for probe in text]) for text in texts]
    rows = encoded(values[None])
    for ranks in (ranked(rows), (places - 1).astype(np.uint16)[None]):
        for power, expected in ((1.0, (0.7449, -0.8016, 0.7733)), (0.0, (0.5516, -0.5585, 0.5551))):
            high, low = (set_enrichment(rows, ranks, members, power) for members in sets)
            np.testing.assert_allclose([high[0], low[0], connectivity(high, low)[0]], expected, atol=1e-4)


def test_p__is_uniform_where_genes_are_shuffled():
    """Also where signatures have heavy tails; what all signatures have of the query is taken back by their spread."""
    rng = np.random.default_rng(3)
    rows, query = rng.standard_t(3, size=(2000, 300)), rng.standard_t(3, size=300)
    for kind in PLAIN:
        p = p_of_z(correlate(encoded(rows), encoded(query), kind)[1], 1.0)
        assert kstest(p, "uniform").pvalue > 1e-3
        assert (p < 0.001).mean() < 0.004
    shared = rows + rng.normal(size=(2000, 1)) * query
    z = correlate(encoded(shared), encoded(query), "cosine")[1]
    assert (p_of_z(z, 1.0) < 0.05).mean() > 0.5
    assert (p_of_z(z, inflation_of(z)) < 0.05).mean() < 0.1


def test_p_of_pool__says_no_less_than_one_in_as_many():
    p = p_of_pool(np.array([2.0, -2.0, 0.5, 0.0, np.nan]), np.arange(1, 100) / 100.0)
    np.testing.assert_allclose(p, [0.01, 0.01, (1 + 50) / 100, 1.0, np.nan])


def test_q_values__are_those_of_benjamini_and_hochberg():
    p = np.array([0.01, np.nan, 0.04, 0.03, 0.5])
    np.testing.assert_allclose(q_values(p), [0.04, np.nan, 0.16 / 3, 0.16 / 3, 0.5])


def test_random_sets__are_of_genes_that_move_as_much():
    sets = [np.arange(10), np.arange(180, 195)]
    low, high = random_sets(sets, np.arange(200.0), np.random.default_rng(0))
    assert (len(set(low)), len(set(high))) == (10, 15)
    assert low.max() < 20
    assert high.min() >= 180
