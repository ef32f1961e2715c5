"""Signatures from sums: each condition's difference from its control, batch by batch, with its standard error.

For condition c with mean m_c over n_c cells, of which n_cb come from batch b, and control batch means m_b::

    effect = m_c - sum_b (n_cb / n_c) m_b
    standard_error^2 = v_c / n_c + v_0 sum_b (n_cb / n_c)^2 / n_b

``v_c`` is the variance of the condition's cells, ``v_0`` the control's pooled variance within batches. With one batch
this is Welch's t statistic, equal to ``scipy.stats.ttest_ind(equal_var=False)``; degrees of freedom are
Welch-Satterthwaite. A condition with cells in a batch without control is set against the pooled control.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from ingest.kernel import UNIT

Doubles = npt.NDArray[np.float64]

ROUNDING = 0.5 / UNIT
"""How far a value in a sum may be off."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Means and variances of some groups of cells.

    ``n`` has shape (groups,); ``mean`` and ``variance`` (unbiased, NaN below two cells) have shape (groups, genes).
    """

    n: Doubles
    mean: Doubles
    variance: Doubles

    @classmethod
    def from_sums(cls, n: Doubles, total: Doubles, square: Doubles) -> Moments:
        """Derive moments from cell numbers, sums and sums of squares.

        A spread that rounding alone could have made is none: cells that are all alike have variance 0.
        """
        cells = n[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = total / cells
            spread = square - total * mean
            rounding = cells * ROUNDING * (1.0 + 2.0 * np.abs(mean)) + 4.0 * np.finfo(float).eps * square
            variance = np.where(spread > rounding, spread, 0.0) / (cells - 1.0)
        variance[n <= 1] = np.nan
        return cls(n, mean, variance)


@dataclass(frozen=True, slots=True)
class Control:
    """The reference of some conditions: moments per batch, and of all batches together."""

    batches: Moments
    pooled: Moments

    @property
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
    """What conditions are compared with: matched control means, their variance, and its degrees of freedom.

    ``mean`` and ``variance`` (of the mean) have shape (conditions, genes), ``freedom`` (conditions,), ``is_matched``
    (conditions,): whether every batch of the condition has control cells.
    """

    mean: Doubles
    variance: Doubles
    freedom: Doubles
    is_matched: npt.NDArray[np.bool_]


def match(control: Control, cells: Doubles) -> Reference:
    """Match the control to conditions by batch.

    Parameters
    ----------
    control
        The control of the conditions' context.
    cells
        Cells of each condition in each batch of the control, then in all others. Shape (conditions, batches + 1).
    """
    n_batches = control.batches.n.size
    has_control = control.batches.n > 0
    orphans = cells[:, n_batches] + cells[:, :n_batches][:, ~has_control].sum(axis=1)
    is_matched = orphans == 0
    total = cells.sum(axis=1, keepdims=True)
    share = np.where(is_matched[:, None], cells[:, :n_batches] / np.maximum(total, 1.0), 0.0)
    safe_n = np.maximum(control.batches.n, 1.0)
    mean = share @ np.nan_to_num(control.batches.mean)
    variance = ((share**2) @ (1.0 / safe_n))[:, None] * control.variance_within[None, :]
    freedom = np.full(len(cells), control.freedom)
    if not is_matched.all():
        lost = ~is_matched
        mean[lost] = control.pooled.mean[0]
        variance[lost] = control.pooled.variance[0] / control.pooled.n[0]
        freedom[lost] = control.pooled.n[0] - 1.0
    return Reference(mean, variance, freedom, is_matched)


@dataclass(frozen=True, slots=True)
class Contrast:
    """Effects of conditions and how sure they are; every array has shape (conditions, genes), NaN where undefined."""

    effect: Doubles
    standard_error: Doubles
    z: Doubles
    p_value: Doubles
    q_value: Doubles


def welch(treated: Moments, reference: Reference) -> Contrast:
    """Compare conditions with their reference.

    A gene without variance on both sides has no z, p or q: no test can be made of it.
    """
    effect = treated.mean - reference.mean
    with np.errstate(divide="ignore", invalid="ignore"):
        own = treated.variance / treated.n[:, None]
        squared = own + reference.variance
        standard_error = np.where(squared > 0, np.sqrt(squared), np.nan)
        z = effect / standard_error
        freedom = squared**2 / (
            own**2 / (treated.n[:, None] - 1.0) + reference.variance**2 / reference.freedom[:, None]
        )
        p_value = np.where(np.isfinite(z), 2.0 * special.stdtr(freedom, -np.abs(z)), np.nan)
    return Contrast(effect, standard_error, z, p_value, benjamini_hochberg(p_value))


def benjamini_hochberg(p_value: Doubles) -> Doubles:
    """Adjust p-values for the false discovery rate along the last axis; NaN is no test and stays NaN.

    References
    ----------
    Benjamini and Hochberg (1995), https://doi.org/10.1111/j.2517-6161.1995.tb02031.x
    """
    order = np.argsort(np.where(np.isnan(p_value), np.inf, p_value), axis=-1)  # far faster without NaN
    ranked = np.take_along_axis(p_value, order, axis=-1)
    n_tests = np.isfinite(p_value).sum(axis=-1, keepdims=True)
    ranked = ranked * n_tests / np.arange(1, p_value.shape[-1] + 1)
    undefined = np.isnan(ranked)
    ranked[undefined] = np.inf
    ranked = np.minimum(np.minimum.accumulate(ranked[..., ::-1], axis=-1)[..., ::-1], 1.0)
    ranked[undefined] = np.nan
    adjusted = np.empty_like(ranked)
    np.put_along_axis(adjusted, order, ranked, axis=-1)
    return adjusted


def energy_distance(treated: Moments, control: Moments) -> Doubles:
    """Return the unbiased squared-Euclidean energy distance of conditions to the pooled control. Shape (conditions,).

    ``2 |m_c - m_0|^2 - 2 sum v_c / n_c - 2 sum v_0 / n_0``: its expectation is 0 where nothing changed. NaN below two
    cells. Batches are not matched.
    """
    distance = ((treated.mean - control.mean) ** 2).sum(axis=1)
    noise = treated.variance.sum(axis=1) / treated.n + control.variance.sum() / control.n[0]
    return np.asarray(2.0 * (distance - noise))


def row_correlation(left: Doubles, right: Doubles) -> Doubles:
    """Pearson correlation of each row of two arrays; NaN where a row has no variance. Shape (rows,)."""
    left = left - left.mean(axis=1, keepdims=True)
    right = right - right.mean(axis=1, keepdims=True)
    norm = np.sqrt((left**2).sum(axis=1) * (right**2).sum(axis=1))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(norm > 0, (left * right).sum(axis=1) / norm, np.nan)
