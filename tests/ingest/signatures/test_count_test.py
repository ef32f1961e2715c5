from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from ingest.signatures import count_test as kernels
from ingest.signatures.count_test import count_test, log2_fold_change
from ingest.signatures.normal import signed_z
from ingest.signatures.rates import Expected

mpmath.mp.dps = 40


def p_of(count, mean, variance):
    log_p, sign, _ = count_test(np.array([[float(count)]]), Expected(np.array([[mean]]), np.array([[variance]])))
    return np.exp(log_p).item(), sign.item()


def by_scipy(count, mean, variance):
    size = mean**2 / (variance - mean)
    law = stats.nbinom(size, size / (size + mean))
    half = law.pmf(count) / 2
    return min(1.0, 2 * min(law.cdf(count) - half, law.sf(count) + half))


@settings(max_examples=300, deadline=None)
@given(
    count=st.integers(0, 3000),
    mean=st.floats(0.01, 3000.0),
    dispersion=st.floats(1e-3, 5.0),
)
def test_count_test__equals_scipy(count, mean, dispersion):
    p_value, _ = p_of(count, mean, mean + dispersion * mean**2)
    exact = by_scipy(count, mean, mean + dispersion * mean**2)
    if exact > 1e-12:  # below, the subtraction of half the probability costs digits there
        assert p_value == pytest.approx(exact, rel=1e-7)


@pytest.mark.parametrize(
    ("count", "mean", "dispersion"),
    [(0, 3.0, 0.1), (40, 3.0, 0.1), (900, 100.0, 0.05), (2, 90.0, 0.02), (9000, 5e3, 0.01)],
)
def test_count_test__equals_sums_in_40_digits(count, mean, dispersion):
    mean_, variance = mpmath.mpf(mean), mpmath.mpf(mean) + mpmath.mpf(dispersion) * mpmath.mpf(mean) ** 2
    size = mean_**2 / (variance - mean_)
    share = mean_ / (size + mean_)

    def probability(k):
        return mpmath.exp(
            mpmath.loggamma(size + k)
            - mpmath.loggamma(size)
            - mpmath.loggamma(k + 1)
            + size * mpmath.log(1 - share)
            + k * mpmath.log(share)
        )

    beyond = range(count) if count < mean else range(count + 1, count + 40_000)
    tail = probability(count) / 2
    for k in reversed(beyond) if count < mean else beyond:
        term = probability(k)
        tail += term
        if term < tail * mpmath.mpf(10) ** -15:
            break
    p_value, sign = p_of(count, mean, float(variance))
    assert p_value == pytest.approx(float(2 * tail), rel=1e-7)
    assert sign == (-1 if count < mean else 1)


@pytest.mark.parametrize(("mean", "dispersion"), [(0.01, 2.0), (3.0, 0.1), (64.0, 0.02), (5e3, 0.01)])
def test_count_test__of_no_count_is_the_p_of_none_to_the_digit(mean, dispersion):
    law = Expected(np.array([[mean] * 3]), np.array([[mean + dispersion * mean**2] * 3]))
    log_p, _, of_none = count_test(np.array([[0.0, 1.0, 70.0]]), law)
    assert log_p[0, 0] == of_none[0, 0]
    np.testing.assert_allclose(of_none, np.log1p(dispersion * mean) / -dispersion, rtol=1e-12)


@settings(max_examples=200, deadline=None)
@given(count=st.integers(0, 400), mean=st.floats(0.01, 300.0), dispersion=st.floats(1e-4, 5.0))
def test_count_test__has_one_value_where_one_way_of_adding_up_ends_and_the_next_begins(count, mean, dispersion):
    size, none = 1 / dispersion, -np.log1p(dispersion * mean) / dispersion
    variance = mean + dispersion * mean**2
    from_count, is_more = kernels._tail_from_count(float(count), size, mean, none)
    assert p_of(count, mean, variance)[0] == pytest.approx(2 * np.exp(from_count), rel=1e-7, abs=1e-300)
    assert p_of(count, mean, variance)[1] == (1 if is_more else -1) or np.exp(from_count) > 0.5 - 1e-9


def test_count_test__is_poisson_where_nothing_is_unsure():
    law = stats.poisson(7.5)
    assert p_of(15, 7.5, 7.5)[0] == pytest.approx(2 * (law.sf(15) + law.pmf(15) / 2), rel=1e-5)


@settings(max_examples=100, deadline=None)
@given(mean=st.floats(0.05, 200.0), dispersion=st.floats(1e-3, 3.0))
def test_z__orders_genes_as_p_does_and_has_the_sign_of_the_change(mean, dispersion):
    counts = np.arange(0.0, 5 * mean + 10)[None, :]
    law = Expected(np.full(counts.shape, mean), np.full(counts.shape, mean + dispersion * mean**2))
    log_p, sign, _ = count_test(counts, law)
    z = signed_z(log_p, sign)
    assert (np.diff(z[0]) >= -1e-6).all()  # more counts, larger z
    np.testing.assert_allclose(2 * stats.norm.sf(np.abs(z)), np.exp(log_p), rtol=1e-6)


def test_z__is_the_normal_quantile_of_scipy():
    log_p = np.append(-np.logspace(-12, 6, 20_001), [-0.0, np.nan])
    sign = np.where(np.arange(log_p.size) % 2, -1, 1).astype(np.int8)
    z = -special.ndtri_exp(log_p - np.log(2.0)) * sign
    np.testing.assert_allclose(signed_z(log_p, sign), z, rtol=1e-11, atol=1e-15)


def test_z__is_finite_however_small_p_is():
    log_p, sign, _ = count_test(np.array([[100_000.0]]), Expected(np.array([[10.0]]), np.array([[12.0]])))
    assert log_p.item() < -1000
    assert 40 < signed_z(log_p, sign).item() < 1000


def test_log2_fold_change__is_that_of_counts_at_one_depth():
    law = Expected(np.array([[10.0]]), np.array([[25.0]]))
    fold, error = log2_fold_change(np.array([[41.5]]), law)
    assert fold.item() == pytest.approx(2.0)
    assert error.item() == pytest.approx(np.sqrt(25.25) / np.sqrt(42 * 10.5) / np.log(2))


def test_count_test__of_what_is_not_expected_at_all_is_none():
    expected = Expected(np.array([[0.0, 10.0]]), np.array([[0.0, 12.0]]))
    log_p, sign, of_none = count_test(np.array([[3.0, 10.0]]), expected)
    np.testing.assert_array_equal(np.isnan(log_p), [[True, False]])
    np.testing.assert_array_equal(np.isnan(of_none), [[True, False]])
    assert abs(sign).tolist() == [[1, 1]]
