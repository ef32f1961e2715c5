"""Effects of one source, shrunk towards none by how unsure they are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

Effects = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

POOLED = 4
"""Conditions of the overall variance that each gene's own is pooled with: a few conditions say little of a gene."""
LEAST = 0.1
"""The least that a condition's strength or a gene's variance counts as: nothing is shrunk to none at all, so that what
is left of a weak condition keeps its direction. Unit: share of the overall variance."""
_AT_ONCE = 256
"""Conditions whose numbers are in memory in double precision at once."""


def by_cells(effects: Effects, n_cells: pl.Series, half: float) -> Effects:
    """Multiply effects by ``n / (n + half)``; an unknown number counts as the median.

    Parameters
    ----------
    effects
        Shape (conditions, genes).
    n_cells
        Cells behind each condition.
    half
        Cells at which an effect counts half.
    """
    n = n_cells.cast(pl.Float64()).to_numpy()
    n = np.where(np.isnan(n), np.nanmedian(n) if np.isfinite(n).any() else np.inf, n)
    factor = np.where(np.isinf(n), 1.0, n / (np.where(np.isinf(n), 0.0, n) + half))
    return np.asarray(effects * factor[:, None], dtype=np.float32)


def empirical_bayes(effects: Effects, errors: Effects) -> Effects:
    """Return the mean of each effect given what was measured, under a normal prior that the source itself tells.

    An effect is drawn from N(0, t^2) and measured with its standard error s: its mean is then ``effect t^2 / (t^2 +
    s^2)``. For condition c and gene g, t^2 is the strength of c times the variance of g over the overall variance, each
    fitted by moments: the mean of ``effect^2 - s^2`` over genes, over conditions, over both. The overall variance is no
    less than its own sampling error, the others no less than a tenth of it.

    Parameters
    ----------
    effects, errors
        Effects and their standard errors. Shape (conditions, genes). An effect other than 0 whose error is unknown
        becomes missing, since nothing says how much of it to believe.

    References
    ----------
    Efron and Morris (1975), https://doi.org/10.1080/01621459.1975.10479864
    """
    blocks = [slice(first, first + _AT_ONCE) for first in range(0, len(effects), _AT_ONCE)]
    strength, variance = np.zeros(len(effects)), np.zeros(effects.shape[1])
    n_genes, n_conditions = np.zeros(len(effects)), np.zeros(effects.shape[1])
    noise = 0.0
    for rows in blocks:
        squared = errors[rows].astype(np.float64) ** 2
        excess = effects[rows].astype(np.float64) ** 2 - squared
        is_known = np.isfinite(excess)
        excess[~is_known] = 0.0
        noise += float((2.0 * squared[is_known] ** 2).sum())
        strength[rows], n_genes[rows] = excess.sum(axis=1), is_known.sum(axis=1)
        variance += excess.sum(axis=0)
        n_conditions += is_known.sum(axis=0)
    overall = max(float(variance.sum()), noise**0.5, np.finfo(float).tiny) / max(n_conditions.sum(), 1.0)
    strength = np.maximum(strength / np.maximum(n_genes, 1.0), LEAST * overall)
    variance = np.maximum((variance + POOLED * overall) / (n_conditions + POOLED), LEAST * overall)
    shrunk = np.empty_like(effects)
    for rows in blocks:
        prior = strength[rows, None] * (variance / overall)
        unsure = np.maximum(errors[rows].astype(np.float64) ** 2, np.finfo(float).tiny)
        shrunk[rows] = np.where(effects[rows] == 0, 0.0, effects[rows] * (prior / (prior + unsure)))
    return shrunk
