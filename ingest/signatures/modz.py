"""Moderated z: replicate wells of one condition combined, each weighted by how well it agrees with the others.

As CMap's own pipeline does it (``distil``, ``modzs``): z-scores are clipped to +-10; wells are compared by Spearman's
rho over the landmark genes, the ones that were measured; a well's weight is half the sum of its correlations with the
others, those below 0 counting as 0, and at least 0.01; weights are divided by their sum. One well is its own signature.

References
----------
Subramanian et al. (2017), https://doi.org/10.1016/j.cell.2017.10.049
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]

LARGEST_Z = 10.0
LEAST_WEIGHT = 0.01
LEAST_CORRELATION = 0.001
STRONG = 2.0
"""Absolute moderated z, times the square root of the number of wells, from which a landmark gene counts as changed."""


@dataclass(frozen=True, slots=True)
class Moderated:
    """A signature and how far it can be trusted.

    Parameters
    ----------
    z
        Moderated z, shape (genes,).
    weights
        Of the wells; they add up to 1. Shape (wells,).
    correlation
        Upper quartile of the wells' pairwise correlations; NaN for one well.
    strength
        Landmark genes that changed.
    tas
        Transcriptional activity score: ``sqrt(strength * clip(correlation, 0.001, 1)) / sqrt(landmarks)``; NaN for one
        well.
    """

    z: Doubles
    weights: Doubles
    correlation: float
    strength: int
    tas: float


def moderate(values: Doubles, is_landmark: npt.NDArray[np.bool_]) -> Moderated:
    """Combine replicate wells.

    Parameters
    ----------
    values
        z-scores, shape (wells, genes). A gene that a well lacks is NaN and has no moderated z.
    is_landmark
        Shape (genes,).
    """
    clipped = np.clip(values, -LARGEST_Z, LARGEST_Z)
    landmarks = clipped[:, is_landmark]
    rho = spearman(landmarks[:, np.isfinite(landmarks).all(axis=0)])
    weights = _weights(rho)
    z = weights @ clipped
    n_wells = len(values)
    strength = int((np.abs(z[is_landmark]) * np.sqrt(n_wells) >= STRONG).sum())
    pairs = rho[np.triu_indices(n_wells, k=1)]
    # Hazen's plotting positions are those of MATLAB's quantile, with which LINCS computed cc_q75
    correlation = float(np.quantile(pairs, 0.75, method="hazen")) if pairs.size else np.nan
    share = strength * np.clip(correlation, LEAST_CORRELATION, 1.0) / max(1, int(is_landmark.sum()))
    return Moderated(z, weights, correlation, strength, float(np.sqrt(share)))


def spearman(values: Doubles) -> Doubles:
    """Correlate the ranks of each row with those of each other; 0 where a row is constant. Shape (rows, rows)."""
    from scipy.stats import rankdata  # noqa: PLC0415, a second of start-up that only this way of ingest needs

    ranks = rankdata(values, axis=1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    norm = np.sqrt((ranks**2).sum(axis=1, keepdims=True))
    scaled = np.divide(ranks, norm, out=np.zeros_like(ranks), where=norm > 0)
    return np.asarray(scaled @ scaled.T)


def _weights(rho: Doubles) -> Doubles:
    if len(rho) == 1:
        return np.ones(1)
    others = np.maximum(rho, 0.0)
    np.fill_diagonal(others, 0.0)
    weights = np.maximum(0.5 * others.sum(axis=1), LEAST_WEIGHT)
    return np.asarray(weights / weights.sum())
