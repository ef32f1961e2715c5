from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.signatures.modz import moderate, spearman


def mean_ranks(values):
    return [1 + sum(v < x for v in values) + 0.5 * (sum(v == x for v in values) - 1) for x in values]


def pearson(x, y):
    n = len(x)
    mx, my = sum(x) / n, sum(y) / n
    covariance = sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True))
    spread = math.sqrt(sum((a - mx) ** 2 for a in x) * sum((b - my) ** 2 for b in y))
    return covariance / spread if spread else 0.0


def cmapm(wells, landmarks):
    """CMap's steps one by one: clip, correlate ranks, weigh by half the sum of correlations, average, score."""
    wells = [[min(max(z, -10.0), 10.0) for z in well] for well in wells]
    ranks = [mean_ranks([z for z, is_landmark in zip(well, landmarks, strict=True) if is_landmark]) for well in wells]
    n = len(wells)
    rho = [[pearson(ranks[i], ranks[j]) for j in range(n)] for i in range(n)]
    raw = [max(0.5 * sum(max(rho[i][j], 0.0) for j in range(n) if j != i), 0.01) for i in range(n)]
    weights = [w / sum(raw) for w in raw] if n > 1 else [1.0]
    z = [sum(w * well[g] for w, well in zip(weights, wells, strict=True)) for g in range(len(landmarks))]
    changed = sum(abs(v) * math.sqrt(n) >= 2 for v, is_landmark in zip(z, landmarks, strict=True) if is_landmark)
    pairs = sorted(rho[i][j] for i in range(n) for j in range(i + 1, n))
    at = 0.75 * len(pairs) - 0.5  # MATLAB: sorted value k of m is the quantile (k - 0.5) / m
    if not pairs:
        return weights, z, changed, math.nan, math.nan
    below, above = pairs[max(math.floor(at), 0)], pairs[min(math.floor(at) + 1, len(pairs) - 1)]
    q75 = below + (at - math.floor(at)) * (above - below)
    tas = math.sqrt(changed * min(max(q75, 0.001), 1.0)) / math.sqrt(sum(landmarks))
    return weights, z, changed, q75, tas


@pytest.mark.parametrize("n_wells", [1, 2, 3, 4, 7, 9])
@pytest.mark.parametrize("signal", [0.0, 1.0, 8.0])
def test_moderate__equals_the_steps_of_cmap(n_wells, signal):
    rng = np.random.default_rng(n_wells)
    values = signal * rng.normal(size=60) + rng.normal(size=(n_wells, 60))
    values[:, :6] = values[:, :6].round()  # ties
    is_landmark = np.arange(60) % 3 != 0
    found = moderate(values, is_landmark)
    weights, z, changed, q75, tas = cmapm(values.tolist(), is_landmark.tolist())
    np.testing.assert_allclose(found.weights, weights, atol=1e-12)
    np.testing.assert_allclose(found.z, z, atol=1e-12)
    assert found.strength == changed
    np.testing.assert_allclose([found.correlation, found.tas], [q75, tas], atol=1e-12)


def test_moderate__gives_a_well_that_disagrees_the_least_weight():
    rng = np.random.default_rng(1)
    signal = rng.normal(size=100)
    wells = np.stack([signal, signal + 0.1 * rng.normal(size=100), -signal])
    found = moderate(wells, np.ones(100, bool))
    assert found.weights[2] == pytest.approx(0.01 / (found.weights[0] / found.weights[2] * 0.01 * 2 + 0.01), rel=0.02)
    assert found.weights[2] < 0.02


def test_moderate__leaves_out_of_the_comparison_what_was_not_measured():
    rng = np.random.default_rng(2)
    values = rng.normal(size=(3, 50))
    is_landmark = np.arange(50) < 20
    other = values.copy()
    other[:, 20:] = rng.normal(size=(3, 30))
    np.testing.assert_array_equal(moderate(values, is_landmark).weights, moderate(other, is_landmark).weights)


def test_moderate__a_gene_that_a_well_lacks_has_no_moderated_z():
    values = np.random.default_rng(3).normal(size=(3, 10))
    values[1, 4] = np.nan
    found = moderate(values, np.ones(10, bool))
    assert np.isnan(found.z).tolist() == [gene == 4 for gene in range(10)]
    assert np.isfinite(found.weights).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 6))
def test_moderate__does_not_depend_on_the_order_of_wells_or_genes(seed, n_wells):
    rng = np.random.default_rng(seed)
    values, is_landmark = rng.normal(scale=4, size=(n_wells, 30)), rng.random(30) < 0.7
    is_landmark[0] = True
    wells, genes = rng.permutation(n_wells), rng.permutation(30)
    first, second = moderate(values, is_landmark), moderate(values[np.ix_(wells, genes)], is_landmark[genes])
    np.testing.assert_allclose(second.z, first.z[genes], atol=1e-12)
    np.testing.assert_allclose(second.weights, first.weights[wells], atol=1e-12)
    assert first.weights.sum() == pytest.approx(1.0)
    assert np.abs(first.z).max() <= 10
    assert second.tas == pytest.approx(first.tas, abs=1e-9)


def test_spearman__of_a_constant_row_is_zero():
    rho = spearman(np.array([[1.0, 1.0, 1.0], [1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]))
    np.testing.assert_allclose(rho, [[0, 0, 0], [0, 1, -1], [0, -1, 1]], atol=1e-12)
