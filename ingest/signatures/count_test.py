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

from ingest.signatures.rates import Expected

Doubles = npt.NDArray[np.float64]
Signs = npt.NDArray[np.int8]

LEAST_EXCESS = 1e-7
"""Variance over the mean, at least: below, a negative binomial is no other than a Poisson distribution."""
ENOUGH = 1e-10
"""A tail is summed until a term is smaller than this part of it."""
FEW = 64
"""Counts up to which the probabilities of fewer counts are added up, from that of none."""
LEAST_NONE = -600.0
"""Logarithm of the probability of none, below which it has too few digits for that."""
LEAST_REST = 1e-5
"""Least that is known, to ten digits, as one minus a sum."""
WIDE = 1600.0
"""Variance above which a tail has so many terms that a continued fraction is faster than their sum."""
LARGE = 16.0
"""From here on, four terms of Stirling's series give the logarithm of the gamma function to 1e-13."""
MOST_TERMS = 100_000
SMALLEST = 5e-324
LOG_2 = math.log(2.0)
INVERSES = 1.0 / np.arange(1.0, FEW + 1.0)
LOG_FACTORIALS = np.array([math.lgamma(at + 1.0) for at in range(4096)])


def count_test(count: Doubles, expected: Expected) -> tuple[Doubles, Signs, Doubles]:
    """Test counts against what is expected.

    Parameters
    ----------
    count
        Counts of each condition and gene. Shape (conditions, genes).
    expected
        What they would be, were the conditions controls. Shape (conditions, genes).

    Returns
    -------
    Two-sided mid-p, as its logarithm; its sign, below 0 where there are fewer counts than expected; and the logarithm
    of p of no count at all. Tails are exact to 1e-9 of themselves. NaN where none are expected at all: no cell with
    counts is in a batch with a control. Shape (conditions, genes).
    """
    size, log_none = np.empty_like(expected.mean), np.empty_like(expected.mean)
    _shape(expected.mean, expected.variance, size, log_none)
    np.log1p(log_none, out=log_none)  # numpy has logarithms and exponentials of several numbers at a time
    np.multiply(log_none, -size, out=log_none)
    tail, log_p = np.exp(log_none), np.empty_like(log_none)
    sign: Signs = np.empty(log_p.shape, np.int8)
    _tails(count, expected.mean, size, log_none, tail, sign, log_p)
    log_p += np.log(tail, out=tail)
    return log_p, sign, log_none


def log2_fold_change(count: Doubles, expected: Expected) -> tuple[Doubles, Doubles]:
    """Return log2 of counts over what is expected, half a count added to both, and its standard error.

    The error is that of two counts as unsure as the controls let one expect (delta method).
    """
    ratio, error = np.empty(count.shape), np.empty(count.shape)
    _fold(count, expected.mean, expected.variance, ratio, error)
    return np.log2(ratio, out=ratio), error


@njit(cache=True, nogil=True, error_model="numpy")
def _fold(count: Doubles, mean: Doubles, variance: Doubles, ratio: Doubles, error: Doubles) -> None:
    for row in range(count.shape[0]):
        for gene in range(count.shape[1]):
            observed, expected = count[row, gene] + 0.5, mean[row, gene] + 0.5
            ratio[row, gene] = observed / expected
            error[row, gene] = np.sqrt(variance[row, gene] + 0.25) / np.sqrt(observed * expected) / LOG_2


@njit(cache=True, nogil=True, error_model="numpy")
def _shape(mean: Doubles, variance: Doubles, size: Doubles, ratio: Doubles) -> None:
    """Find the size of each negative binomial, and its mean over its size; NaN where no counts are expected."""
    for row in range(mean.shape[0]):
        for gene in range(mean.shape[1]):
            expected = mean[row, gene] if mean[row, gene] > 0.0 else np.nan
            ratio[row, gene] = max((variance[row, gene] - expected) / expected, LEAST_EXCESS)
            size[row, gene] = expected / ratio[row, gene]


@njit(cache=True, nogil=True)
def _tails(
    count: Doubles, mean: Doubles, size: Doubles, log_none: Doubles, tail: Doubles, sign: Signs, log_p: Doubles
) -> None:
    """Find twice the smaller tail of every count, as a factor and the logarithm of another.

    The factors are put in the place of the probabilities of no count, which ``tail`` holds.
    """
    for row in range(count.shape[0]):
        for gene in range(count.shape[1]):
            observed, expected, none = count[row, gene], mean[row, gene], log_none[row, gene]
            if observed == 0.0 or not expected > 0.0:
                log_p[row, gene], tail[row, gene] = none, 1.0
                sign[row, gene] = -1 if expected > 0.0 else 1
                continue
            if observed <= FEW and none > LEAST_NONE:
                factor, is_more = _tail_from_none(observed, size[row, gene], expected, tail[row, gene])
                log_p[row, gene], tail[row, gene] = LOG_2, factor
            else:
                log_tail, is_more = _tail_from_count(observed, size[row, gene], expected, none)
                log_p[row, gene], tail[row, gene] = log_tail + LOG_2, 1.0
            sign[row, gene] = 1 if is_more else -1


@njit(cache=True, nogil=True)
def _tail_from_none(observed: float, size: float, expected: float, none: float) -> tuple[float, bool]:
    """Add up the probabilities of none, one, two, ...; return the tail, and whether it is that of more."""
    share = expected / (size + expected)
    more = share * (size - 1.0)  # of n counts there are (size + n - 1) share / n times as many as of n - 1
    here, fewer, at = none, 0.0, 0
    while at + 4 <= observed:  # four at a time, whose ratios do not wait for each other
        one, two = share + more * INVERSES[at], share + more * INVERSES[at + 1]
        three, four = share + more * INVERSES[at + 2], share + more * INVERSES[at + 3]
        fewer += here * ((1.0 + one) + one * two * (1.0 + three))
        here *= one * two * (three * four)
        at += 4
    while at < observed:
        fewer += here
        here *= share + more * INVERSES[at]
        at += 1
    tail = fewer + 0.5 * here
    is_more = tail > 0.5  # noqa: PLR2004
    tail = 1.0 - tail if is_more else tail
    if is_more and tail < LEAST_REST:
        tail = here * (0.5 + _sum_beyond(observed, size, share, is_more))
    return max(tail, SMALLEST), is_more


@njit(cache=True, nogil=True)
def _tail_from_count(observed: float, size: float, expected: float, none: float) -> tuple[float, bool]:
    """Find the tail beyond a count, relative to the probability of the count itself; return as above."""
    share = expected / (size + expected)
    is_more = observed >= expected
    if expected * (1.0 + expected / size) < WIDE:
        beyond = _sum_beyond(observed, size, share, is_more)
    elif is_more:
        beyond = share * (size + observed) / (observed + 1.0) * _fraction(observed + 1.0, size, share)
    else:
        beyond = observed / size * _fraction(size, observed, 1.0 - share) if observed > 0.0 else 0.0
    log_tail = _log_probability(observed, size, expected, none) + math.log(0.5 + beyond)
    if log_tail > -LOG_2:  # the other tail is the smaller one
        return math.log(max(1.0 - math.exp(log_tail), SMALLEST)), not is_more
    return log_tail, is_more


@njit(cache=True, nogil=True)
def _log_probability(observed: float, size: float, expected: float, none: float) -> float:
    """Return the logarithm of the probability of a count."""
    if size < LARGE:
        binomial = math.lgamma(size + observed) - math.lgamma(size) - math.lgamma(observed + 1.0)
        return binomial + none + observed * math.log(expected / (size + expected))
    at = int(observed)
    factorial = LOG_FACTORIALS[at] if at < LOG_FACTORIALS.size else math.lgamma(observed + 1.0)
    power = (size - 0.5) * math.log1p(observed / size) + _beyond_stirling(size + observed) - _beyond_stirling(size)
    return power + none + observed * (math.log(expected * (size + observed) / (size + expected)) - 1.0) - factorial


@njit(cache=True, nogil=True)
def _beyond_stirling(x: float) -> float:
    """Return what the logarithm of the gamma function is beyond Stirling's formula (DLMF 5.11.1)."""
    y = 1.0 / (x * x)
    return (1.0 / 12.0 - y * (1.0 / 360.0 - y * (1.0 / 1260.0 - y / 1680.0))) / x


@njit(cache=True, nogil=True)
def _sum_beyond(observed: float, size: float, share: float, is_more: bool) -> float:  # noqa: FBT001, numba
    """Sum the probabilities beyond a count, relative to its own."""
    total, term, at = 0.0, 1.0, observed
    while term > ENOUGH * (total + 0.5):  # four at a time, whose ratios do not wait for each other
        if is_more:
            (a, b), (c, d) = ((size + at) * share, at + 1.0), ((size + at + 1.0) * share, at + 2.0)
            (e, f), (g, h) = ((size + at + 2.0) * share, at + 3.0), ((size + at + 3.0) * share, at + 4.0)
            at += 4.0
        else:
            (a, b), (c, d) = _ratio_of_fewer(at, size, share), _ratio_of_fewer(at - 1.0, size, share)
            (e, f), (g, h) = _ratio_of_fewer(at - 2.0, size, share), _ratio_of_fewer(at - 3.0, size, share)
            at -= 4.0
        each = 1.0 / ((b * d) * (f * h))
        total += term * (a * (d * (f * h) + c * (f * h + e * (h + g))) * each)
        term *= (a * c) * (e * g) * each
    return total


@njit(cache=True, nogil=True)
def _ratio_of_fewer(at: float, size: float, share: float) -> tuple[float, float]:
    """Return the probability of one count fewer over that of a count, as two factors; 0 of none."""
    return (at, (size + at - 1.0) * share) if at > 0.0 else (0.0, 1.0)


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
