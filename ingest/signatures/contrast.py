"""Effects of conditions: each one's difference from its control, batch by batch, and how unsure it is.

For condition c with mean m_c over n_c cells, of which n_cb come from batch b, and control batch means m_b::

    effect = m_c - sum_b (n_cb / n_c) m_b
    standard_error^2 = max(v_c, v_0) / n_c + v_0 sum_b (n_cb / n_c)^2 / n_b

``v_c`` is the variance of the condition's cells, ``v_0`` the control's variance within batches: a few cells that happen
to be alike are as unsure as the control's. How likely such a difference is where nothing happened is not read off from
these, but tested: :mod:`ingest.signatures.count_test` for counts, :func:`moderated_test` for logarithms.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import scipy  # its modules load when they are first used
from numba import njit

from ingest.kernel import UNIT
from ingest.reader import Numbers
from ingest.signatures.prior import inverse_trigamma

Doubles = npt.NDArray[np.float64]

ROUNDING = 0.5 / UNIT
"""How far a value in a sum may be off."""
EPSILON = float(np.finfo(float).eps)
NORMAL = 1e7
"""Degrees of freedom above which Student's t is the normal distribution."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Means and variances of some groups of cells.

    ``n`` has shape (groups,); ``mean`` and ``variance`` (unbiased, NaN below two cells) have shape (groups, genes).
    """

    n: Doubles
    mean: Doubles
    variance: Doubles

    @classmethod
    def from_sums(cls, n: Doubles, total: Numbers, square: Numbers, unit: float = 1.0) -> Moments:
        """Derive moments from cell numbers, and sums and sums of squares in some unit.

        A spread that rounding alone could have made is none: cells that are all alike have variance 0.
        """
        mean, variance = np.empty(total.shape), np.empty(total.shape)
        _spread(n, total, square, unit, mean, variance)
        return cls(n, mean, variance)


@njit(cache=True, nogil=True, error_model="numpy")
def _spread(n: Doubles, total: Numbers, square: Numbers, unit: float, mean: Doubles, variance: Doubles) -> None:
    for row in range(n.size):
        for gene in range(total.shape[1]):
            added, squares = total[row, gene] / unit, square[row, gene] / unit
            centre = added / n[row]
            spread = squares - added * centre
            rounding = n[row] * ROUNDING * (1.0 + 2.0 * abs(centre)) + 4.0 * EPSILON * squares
            mean[row, gene] = centre
            variance[row, gene] = (spread if spread > rounding else 0.0) / (n[row] - 1.0)
        if n[row] <= 1.0:
            variance[row] = np.nan


@dataclass(frozen=True)
class Control:
    """The reference of some conditions: moments per batch, and of all batches together."""

    batches: Moments
    pooled: Moments

    @cached_property
    def means(self) -> Doubles:
        """Means of the batches, 0 for those without a cell. Shape (batches, genes)."""
        return np.nan_to_num(self.batches.mean)

    @cached_property
    def variance_within(self) -> Doubles:
        """Variance within batches, pooled over them. Shape (genes,); NaN where no batch has two cells."""
        weight = np.maximum(self.batches.n - 1.0, 0.0)
        if weight.sum() == 0:
            return np.full(self.pooled.mean.shape[1], np.nan)
        return np.asarray(weight @ np.nan_to_num(self.batches.variance) / weight.sum())

    @property
    def freedom(self) -> float:
        """Degrees of freedom of :attr:`variance_within`."""
        return float(np.maximum(self.batches.n - 1.0, 0.0).sum())


@dataclass(frozen=True, slots=True)
class Reference:
    """What conditions are compared with: matched control means, and the weight of the control's noise in them.

    ``mean`` has shape (conditions, genes), ``noise`` (conditions,): the variance of the mean is that of a control cell
    times it; ``is_matched`` (conditions,) says whether the condition has cells in batches with a control.
    """

    mean: Doubles
    noise: Doubles
    is_matched: npt.NDArray[np.bool_]


def match(control: Control, cells: Doubles) -> Reference:
    """Match the control to conditions by batch; conditions without a cell there are set against the pooled control.

    Parameters
    ----------
    control
        The control of the conditions' context.
    cells
        Cells of each condition in each batch of the control. Shape (conditions, batches).
    """
    has_control = control.batches.n > 0
    inside = np.where(has_control, cells, 0.0)
    total = inside.sum(axis=1)
    is_matched = total > 0
    share = inside / np.maximum(total, 1.0)[:, None]
    mean = share @ control.means
    noise = (share**2) @ (1.0 / np.maximum(control.batches.n, 1.0))
    mean[~is_matched] = control.pooled.mean[0]
    noise[~is_matched] = 1.0 / max(float(control.pooled.n[0]), 1.0)
    return Reference(mean, noise, is_matched)


def difference_of_means(total: npt.NDArray[np.int64], n: Doubles, reference: Doubles) -> Doubles:
    """Return means less those of a reference, in whose place they are put.

    Parameters
    ----------
    total
        Sums of logarithms, in fixed point. Shape (conditions, genes).
    n
        Cells of the conditions. Shape (conditions,).
    reference
        What the conditions are compared with. Shape (conditions, genes).
    """
    _subtract(total, n, reference)
    return reference


@njit(cache=True, nogil=True, error_model="numpy")
def _subtract(total: npt.NDArray[np.int64], n: Doubles, difference: Doubles) -> None:
    for row in range(n.size):
        for gene in range(total.shape[1]):
            difference[row, gene] = total[row, gene] / UNIT / n[row] - difference[row, gene]


def standard_error(treated: Moments, control: Control, reference: Reference) -> Doubles:
    """Return how unsure effects are, never less than as many control cells. Shape (conditions, genes)."""
    error = np.empty(treated.variance.shape)
    _error(treated.n, treated.variance, reference.noise, control.variance_within, error)
    return error


@njit(cache=True, nogil=True, error_model="numpy")
def _error(n: Doubles, variance: Doubles, noise: Doubles, within: Doubles, error: Doubles) -> None:
    for row in range(n.size):
        for gene in range(within.size):
            own = variance[row, gene]
            own = own if own >= within[gene] or np.isnan(within[gene]) else within[gene]  # NaN only where both are
            squared = own / n[row] + noise[row] * within[gene]
            error[row, gene] = np.sqrt(squared) if squared > 0.0 else np.nan


def moderated_test(
    treated: Moments, reference: Reference, variance: Doubles, freedom: Doubles
) -> tuple[Doubles, npt.NDArray[np.int8]]:
    """Test differences of means with a variance that is moderated across genes, as limma does.

    Parameters
    ----------
    treated, reference
        The conditions, and what they are compared with.
    variance, freedom
        Moderated variance of a cell, shape (conditions or 1, genes), and its degrees of freedom, (conditions or 1,).

    Returns
    -------
    Two-sided p, as its logarithm, NaN where nothing can be tested, and its sign. Shape (conditions, genes).

    References
    ----------
    Smyth (2004), https://doi.org/10.2202/1544-6115.1027
    """
    effect = treated.mean - reference.mean
    with np.errstate(divide="ignore", invalid="ignore"):
        t = effect / np.sqrt(variance * (1.0 / treated.n + reference.noise)[:, None])
    return log_two_sided(t, freedom[:, None]), np.where(effect < 0, -1, 1).astype(np.int8)


def log_two_sided(t: Doubles, freedom: Doubles | float) -> Doubles:
    """Return two-sided p of Student's t as its logarithm, however small; NaN stays NaN."""
    degrees, t = np.minimum(freedom, NORMAL), np.abs(t)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_p = np.log(2.0 * scipy.special.stdtr(degrees, -t))
        head = (
            scipy.special.gammaln((degrees + 1.0) / 2.0)
            - scipy.special.gammaln(degrees / 2.0)
            - 0.5 * np.log(degrees * np.pi)
        )
        density = head - (degrees + 1.0) / 2.0 * np.log1p(t**2 / degrees)
        beyond = np.log(2.0) + density + np.log((degrees + t**2) / ((degrees + 1.0) * t))
    return np.where(np.isneginf(log_p), beyond, log_p)


def pooled_variance(treated: Moments, control: Control) -> tuple[Doubles, Doubles]:
    """Return the moderated variance within conditions and their control, and its degrees of freedom.

    So it is of samples, of which a control has few; cells are tested by the variance of the control alone.
    """
    own = np.maximum(treated.n - 1.0, 0.0)[:, None]
    spread = own * np.nan_to_num(treated.variance) + control.freedom * np.nan_to_num(control.variance_within)
    degrees = own[:, 0] + control.freedom
    rows = [moderate(row / max(degree, 1.0), degree) for row, degree in zip(spread, degrees, strict=True)]
    return np.stack([row for row, _ in rows]), np.array([degree for _, degree in rows])


def moderate(variance: Doubles, freedom: float) -> tuple[Doubles, float]:
    """Shrink variances of genes towards each other, and return them with their degrees of freedom.

    Genes without variance, or without an estimate, take no part in the prior; they get its variance.
    """
    is_seen = np.isfinite(variance) & (variance > 0)
    if freedom <= 0 or is_seen.sum() < 2:  # noqa: PLR2004
        return np.where(is_seen, variance, np.nan), freedom
    logs = np.log(variance[is_seen]) - scipy.special.digamma(freedom / 2.0) + np.log(freedom / 2.0)
    beyond = logs.var(ddof=1) - scipy.special.polygamma(1, freedom / 2.0)
    prior_freedom = 2.0 * inverse_trigamma(float(beyond)) if beyond > 0 else np.inf
    if np.isinf(prior_freedom):
        return np.full(variance.shape, np.exp(logs.mean())), np.inf
    prior = np.exp(logs.mean() + scipy.special.digamma(prior_freedom / 2.0) - np.log(prior_freedom / 2.0))
    shrunk = (prior_freedom * prior + freedom * np.where(is_seen, variance, 0.0)) / (prior_freedom + freedom)
    return shrunk, prior_freedom + freedom


def energy_distance(treated: Moments, control: Moments) -> Doubles:
    """Return the unbiased squared-Euclidean energy distance of conditions to the pooled control. Shape (conditions,).

    ``2 |m_c - m_0|^2 - 2 sum v_c / n_c - 2 sum v_0 / n_0``: its expectation is 0 where nothing changed. NaN below two
    cells. Batches are not matched.
    """
    distance, spread = np.empty(treated.n.shape), np.empty(treated.n.shape)
    _distance(treated.mean, treated.variance, control.mean[0], distance, spread)
    return np.asarray(2.0 * (distance - (spread / treated.n + control.variance.sum() / control.n[0])))


@njit(cache=True, nogil=True)
def _distance(mean: Doubles, variance: Doubles, control: Doubles, distance: Doubles, spread: Doubles) -> None:
    for row in range(mean.shape[0]):
        apart, own = 0.0, 0.0
        for gene in range(mean.shape[1]):
            difference = mean[row, gene] - control[gene]
            apart += difference * difference
            own += variance[row, gene]
        distance[row], spread[row] = apart, own


def effect_norm(effect: Doubles, is_counted: npt.NDArray[np.bool_] | None = None) -> Doubles:
    """Euclidean norm of effects in the genes that count, all by default. Shape (conditions,)."""
    is_counted = np.ones(effect.shape, bool) if is_counted is None else is_counted
    norm = np.empty(len(effect))
    _norm(effect, is_counted, norm)
    return norm


@njit(cache=True, nogil=True)
def _norm(effect: Doubles, is_counted: npt.NDArray[np.bool_], norm: Doubles) -> None:
    for row in range(norm.size):
        total = 0.0
        for gene in range(effect.shape[1]):
            total += effect[row, gene] * effect[row, gene] if is_counted[row, gene] else 0.0
        norm[row] = np.sqrt(total)


def row_correlation(left: Doubles, right: Doubles) -> Doubles:
    """Pearson correlation of each row of two arrays; NaN where a row has no variance. Shape (rows,)."""
    correlation = np.empty(len(left))
    _correlate(left, right, correlation)
    return correlation


@njit(cache=True, nogil=True)
def _correlate(left: Doubles, right: Doubles, correlation: Doubles) -> None:
    for row in range(correlation.size):
        one, other = left[row].mean(), right[row].mean()
        both, of_one, of_other = 0.0, 0.0, 0.0
        for gene in range(left.shape[1]):
            x, y = left[row, gene] - one, right[row, gene] - other
            both += x * y
            of_one += x * x
            of_other += y * y
        norm = np.sqrt(of_one * of_other)
        correlation[row] = both / norm if norm > 0.0 else np.nan
