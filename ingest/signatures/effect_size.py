"""How large effects are: over all genes, in the target alone, and how alike in two halves; a number a condition."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from ingest.signatures.moments import Doubles, Moments


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


def knockdown(treated: Doubles, control: Doubles, targets: list[list[int]]) -> Doubles:
    """Expression of the least silenced target over control; NaN where no target is measured or expressed."""
    ratios = np.full(len(targets), np.nan)
    for row, positions in enumerate(targets):
        base = np.expm1(control[row, positions])
        if positions and (base > 0).all():
            ratios[row] = (np.expm1(treated[row, positions]) / base).max()
    return ratios
