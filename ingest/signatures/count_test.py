"""The test of counts: how likely so many, or so few, of a gene are in a condition that is like its controls.

A condition's counts of a gene are set against the negative binomial of the mean and variance that the controls let one
expect (:mod:`ingest.signatures.rates`); p is twice the smaller tail, of which the observed number belongs to either
tail by half (mid-p). It holds for two cells as for thousands, and in genes that few cells have: where so few counts say
little, p is large.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy import special

from ingest.signatures.rates import Expected

Doubles = npt.NDArray[np.float64]
Signs = npt.NDArray[np.int8]

LEAST_EXCESS = 1e-7
"""Variance over the mean, at least: below, a negative binomial is no other than a Poisson distribution."""
ENOUGH = 1e-10
"""A tail is summed until a term is smaller than this part of it."""
WIDE = 1600.0
"""Variance above which a tail has so many terms that a continued fraction is faster than their sum."""
MOST_TERMS = 100_000
SMALLEST = 5e-324


def count_test(count: Doubles, expected: Expected) -> tuple[Doubles, Signs]:
    """Test counts against what is expected.

    Parameters
    ----------
    count
        Counts of each condition and gene. Shape (conditions, genes).
    expected
        What they would be, were the conditions controls. Shape (conditions, genes).

    Returns
    -------
    Two-sided mid-p, as its logarithm, and its sign: below 0 where there are fewer counts than expected. NaN where none
    are expected at all: no cell with counts is in a batch with a control. Shape (conditions, genes).
    """
    log_p = np.empty_like(expected.mean)
    sign: Signs = np.empty(log_p.shape, np.int8)
    _tails(count, expected.mean, expected.variance, log_p, sign)
    return log_p, sign


def log_p_of_none(expected: Expected) -> Doubles:
    """Return the logarithm of p of no count at all. Shape (conditions, genes)."""
    excess = np.maximum(expected.variance - expected.mean, expected.mean * LEAST_EXCESS)
    with np.errstate(divide="ignore", invalid="ignore"):
        size = expected.mean**2 / excess
        return np.asarray(-size * np.log1p(expected.mean / size))


def signed_z(log_p: Doubles, sign: Signs) -> Doubles:
    """Return the normal quantile of two-sided p-values, signed, however small they are."""
    return np.asarray(-special.ndtri_exp(log_p - math.log(2.0)) * sign)


def log2_fold_change(count: Doubles, expected: Expected) -> tuple[Doubles, Doubles]:
    """Return log2 of counts over what is expected, half a count added to both, and its standard error.

    The error is that of two counts as unsure as the controls let one expect (delta method).
    """
    ratio = (count + 0.5) / (expected.mean + 0.5)
    noise = np.sqrt(expected.variance + 0.25)
    error = noise / np.sqrt((count + 0.5) * (expected.mean + 0.5)) / math.log(2.0)
    return np.log2(ratio), error


@njit(cache=True, nogil=True)
def _tails(count: Doubles, mean: Doubles, variance: Doubles, log_p: Doubles, sign: Signs) -> None:
    """Find the tail on the side where the count lies, relative to the probability of the count itself."""
    for row in range(count.shape[0]):
        for gene in range(count.shape[1]):
            observed, expected = count[row, gene], mean[row, gene]
            if expected <= 0.0:
                log_p[row, gene], sign[row, gene] = np.nan, 1
                continue
            excess = max(variance[row, gene] - expected, expected * LEAST_EXCESS)
            size = expected * expected / excess
            share = expected / (size + expected)
            log_here = math.lgamma(size + observed) - math.lgamma(size) - math.lgamma(observed + 1.0)
            log_here += size * math.log1p(-share) + observed * math.log(share)
            is_more = observed >= expected
            if excess + expected < WIDE:
                beyond = _sum_beyond(observed, size, share, is_more)
            elif is_more:
                beyond = share * (size + observed) / (observed + 1.0) * _fraction(observed + 1.0, size, share)
            else:
                beyond = observed / size * _fraction(size, observed, 1.0 - share) if observed > 0.0 else 0.0
            log_tail = log_here + math.log(0.5 + beyond)
            if log_tail > -math.log(2.0):  # the other tail is the smaller one
                log_tail = math.log(max(1.0 - math.exp(log_tail), SMALLEST))
                is_more = not is_more
            log_p[row, gene] = log_tail + math.log(2.0)
            sign[row, gene] = 1 if is_more else -1


@njit(cache=True, nogil=True)
def _sum_beyond(observed: float, size: float, share: float, is_more: bool) -> float:  # noqa: FBT001, numba
    """Sum the probabilities beyond a count, relative to its own."""
    total, term, at = 0.0, 1.0, observed
    while term > ENOUGH * (total + 0.5):
        if is_more:
            term *= (size + at) / (at + 1.0) * share
            at += 1.0
        elif at > 0.0:
            term *= at / ((size + at - 1.0) * share)
            at -= 1.0
        else:
            break
        total += term
    return total


@njit(cache=True, nogil=True)
def _fraction(a: float, b: float, x: float) -> float:
    """Evaluate the continued fraction of the incomplete beta function, by Lentz's method.

    References
    ----------
    DLMF 8.17.22, https://dlmf.nist.gov/8.17#v
    """
    numerator, denominator = 1.0, 1.0 / (1.0 - (a + b) * x / (a + 1.0))
    value = denominator
    for n in range(1, MOST_TERMS):
        even = n * (b - n) * x / ((a + 2.0 * n - 1.0) * (a + 2.0 * n))
        odd = -(a + n) * (a + b + n) * x / ((a + 2.0 * n) * (a + 2.0 * n + 1.0))
        for coefficient in (even, odd):
            denominator = 1.0 / (1.0 + coefficient * denominator)
            numerator = 1.0 + coefficient / numerator
            change = numerator * denominator
            value *= change
        if abs(change - 1.0) < ENOUGH:
            break
    return value
