"""What controls let one expect, against plain simulation: means, variances, and the size of the test that follows."""

from __future__ import annotations

import numpy as np
import pytest

from ingest.signatures.count_test import count_test
from ingest.signatures.library import Library
from ingest.signatures.rates import ControlRates, fit_dispersion, fit_spread

N_GENES = 400


def world(seed, n_cells, *, n_batches=1, dispersion=0.1, strays=0.0, depths=(1.0,)):
    """Cells of several batches: counts (cells, genes), totals and batch; rates differ between batches by ``strays``."""
    fixed, rng = np.random.default_rng(99), np.random.default_rng(seed)
    mean = np.sort(np.exp(fixed.uniform(np.log(0.01), np.log(2.0), N_GENES)))
    of_batch = mean * np.exp(fixed.normal(0, strays, (n_batches, N_GENES)))
    batch = rng.integers(0, n_batches, n_cells)
    size = np.exp(rng.normal(0, 0.35, n_cells)) * np.resize(depths, n_batches)[batch]
    expected = size[:, None] * of_batch[batch]
    lam = expected * rng.gamma(1 / dispersion, dispersion, expected.shape) if dispersion else expected
    counts = rng.poisson(lam).astype(float)
    return counts, counts.sum(axis=1) + rng.poisson(5000 * size), batch


def fit(counts, totals, batch, n_batches):
    by_batch = [batch == b for b in range(n_batches)]
    count, square, product = (
        np.stack([part[rows].sum(axis=0) for rows in by_batch])
        for part in (counts, counts**2, counts * totals[:, None])
    )
    library = Library(*(np.array([part[rows].sum() for rows in by_batch]) for part in (totals, totals**2)))
    dispersion = fit_dispersion(count, square, product, library)
    spread = fit_spread(count, library, dispersion)
    return ControlRates.fit(count, library, dispersion, spread), spread


def p_values(rates, counts, totals, batch, n_cells, n_batches):
    """Test conditions of ``n_cells`` consecutive cells."""
    units = np.arange(len(counts) // n_cells * n_cells).reshape(-1, n_cells)
    total, square = (
        np.array([np.bincount(batch[unit], part[unit], n_batches) for unit in units]) for part in (totals, totals**2)
    )
    observed = np.stack([counts[unit].sum(axis=0) for unit in units])
    return np.exp(count_test(observed, rates.expected(Library(total, square)))[0])


@pytest.mark.parametrize("dispersion", [0.0, 0.1, 1.0])
def test_dispersion__is_that_of_the_simulation(dispersion):
    rates, _ = fit(*world(0, 2000, dispersion=dispersion), 1)
    assert np.median(rates.dispersion[-200:]) == pytest.approx(dispersion, abs=0.03 + 0.15 * dispersion)


@pytest.mark.parametrize("n_cells", [2, 5, 20, 100])
@pytest.mark.parametrize(
    "kind",
    [
        {},
        {"dispersion": 0.0},
        {"dispersion": 1.0},
        {"n_batches": 6, "strays": 0.3, "depths": (0.3, 0.6, 1.0, 1.0, 1.5, 3.0)},
        {"n_batches": 30, "strays": 0.3},
    ],
)
def test_size__is_right_where_nothing_happened(kind, n_cells):
    n_batches = kind.get("n_batches", 1)
    rates, _ = fit(*world(1, 600, **kind), n_batches)
    p_value = p_values(rates, *world(2, 1000, **kind), n_cells, n_batches)
    assert (p_value < 0.05).mean() <= 0.06
    assert (p_value < 0.001).mean() <= 0.003


def test_size__is_right_where_conditions_come_from_one_batch_each():
    kind = {"n_batches": 6, "strays": 0.3}
    rates, _ = fit(*world(1, 600, **kind), 6)
    counts, totals, batch = world(2, 1000, **kind)
    order = np.argsort(batch, kind="stable")
    p_value = p_values(rates, counts[order], totals[order], batch[order], 20, 6)
    assert (p_value < 0.05).mean() <= 0.06
    assert (p_value < 0.001).mean() <= 0.003


def test_power__is_not_bought_with_blindness():
    counts, totals, batch = world(2, 1000)
    changed = np.flatnonzero(counts.mean(axis=0) > 0.8)
    rates, _ = fit(*world(1, 1000), 1)
    thinned = counts.copy()
    thinned[:, changed] = np.random.default_rng(3).binomial(counts[:, changed].astype(int), 0.5)
    p_value = p_values(rates, thinned, totals, batch, 50, 1)
    assert (p_value[:, changed] < 0.01).mean() > 0.6


def test_batches__that_are_alike_share_a_rate_and_others_have_their_own():
    alike, spread = fit(*world(1, 4000, n_batches=4), 4)
    assert np.median(spread) < 0.01
    apart, _ = fit(*world(1, 4000, n_batches=4, strays=0.5), 4)
    relative = apart.rate / apart.pooled
    assert np.median(relative.std(axis=0)[-100:]) > 0.3
    assert np.median((alike.rate / alike.pooled).std(axis=0)[-100:]) < 0.1
    assert (apart.weight[:, -100:] > 0.9).mean() > 0.9


def test_gene__that_no_control_has_is_still_expected_a_little():
    counts, totals, batch = world(1, 500)
    counts[:, 0] = 0
    rates, _ = fit(counts, totals, batch, 1)
    assert 0 < rates.rate[0, 0] < 1.0 / totals.sum()


def test_expected__is_the_sum_over_batches_that_numpy_makes():
    rng = np.random.default_rng(3)
    rates = ControlRates(*(rng.uniform(0, 0.1, shape) for shape in (7, 7, 7, (3, 7), (3, 7), (3, 7))))
    total = rng.uniform(0, 1e4, (5, 3)) * (rng.random((5, 3)) < 0.7)
    expected = rates.expected(Library(total, total**2 / 9))
    mean = total @ rates.rate
    within = (total**2 / 9) @ (rates.rate**2 + rates.variance) * rates.dispersion
    pooled = (total @ (1.0 - rates.weight)) ** 2 * rates.pooled_variance
    np.testing.assert_allclose(expected.mean, mean, rtol=1e-13)
    np.testing.assert_allclose(expected.variance, within + mean + total**2 @ rates.variance + pooled, rtol=1e-13)
