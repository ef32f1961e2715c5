"""How often such a score comes by chance, and how many of what is found are by chance.

*Cosine, Pearson, Spearman.* The products of a pair's centred values are summed over genes. By chance the sign of each
is either (what permuting gene labels among genes of ever more alike expression comes to), so the sum over the root of
the sum of their squares is a normal z, in the tails too, however few genes dominate.

*Gene sets.* Sets of the same sizes are drawn among genes that move as much, and scored in the same signatures.

*Genes do not move alone.* They answer in programmes, so that queries which share none of a signature's cause are like
it or unlike it more often than single genes by chance. As most signatures of a dataset are neither, the spread of the
scores over all of them says by how much; where it is wider than by chance, all scores are taken by that much nearer to
0 (genomic control: Devlin and Roeder 1999).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

Floats = npt.NDArray[np.float64]

ENOUGH_SCORES = 50
"""Scores of a dataset that say how far they spread."""
SMALLEST_P = 1e-300
"""The smallest p-value of a correlation that is told from 0."""
N_NULL_SCORES = 100_000
"""Scores of random gene sets, at least, where there are signatures enough: the smallest p is one in as many."""
_MOST_SETS = 1000
_N_BINS = 10
_MEDIAN = 0.6744897501960817
"""Median magnitude of a normal z."""


def p_of_z(z: Floats, inflation: float) -> Floats:
    """Return two-sided p-values of z that spread wider than by chance; NaN where there is no z."""
    return np.asarray(np.maximum(2.0 * ndtr(-np.abs(z) / inflation), np.where(np.isnan(z), np.nan, SMALLEST_P)))


def inflation_of(scores: Floats, by_chance: float = _MEDIAN) -> float:
    """Say how many times wider scores spread than by chance, by their median magnitude; at least 1.

    Few scores do not say it: 1.
    """
    known = np.abs(scores[np.isfinite(scores) & (scores != 0)])
    if known.size < ENOUGH_SCORES or by_chance <= 0:
        return 1.0
    return max(1.0, float(np.median(known)) / by_chance)


def p_of_pool(scores: Floats, pool: Floats) -> Floats:
    """Return two-sided p-values of scores against those of random sets: never below one in as many as there are."""
    sizes = np.sort(np.abs(pool[np.isfinite(pool)]))
    if sizes.size == 0:
        return np.full(scores.shape, np.nan)
    inflation = inflation_of(scores, float(np.median(sizes[sizes > 0])) if (sizes > 0).any() else 0.0)
    n_larger = sizes.size - np.searchsorted(sizes, np.abs(scores) / inflation * (1 - 1e-12), "left")
    return np.where(np.isnan(scores), np.nan, (1.0 + n_larger) / (1.0 + sizes.size))


def n_random_sets(n_signatures: int) -> int:
    """Return how many random sets make a pool of :data:`N_NULL_SCORES` of so many signatures, within reason."""
    return int(np.clip(-(-N_NULL_SCORES // max(n_signatures, 1)), 50, _MOST_SETS))


def random_sets(
    sets: list[npt.NDArray[np.intp]], mobility: Floats, rng: np.random.Generator
) -> list[npt.NDArray[np.intp]]:
    """Draw sets of the same sizes, each gene replaced by one that moves as much; no gene is in two.

    Parameters
    ----------
    sets
        Columns of each set's genes.
    mobility
        How much each gene moves in the dataset.
    """
    n_bins = max(1, min(_N_BINS, mobility.size // 20))
    bins = np.argsort(np.argsort(mobility, kind="stable")) * n_bins // mobility.size
    image = np.empty(mobility.size, np.intp)
    for each in range(n_bins):
        inside = np.flatnonzero(bins == each)
        image[inside] = rng.permutation(inside)
    return [image[members] for members in sets]


def q_values(p: Floats, n_others: int = 0) -> Floats:
    """Return Benjamini-Hochberg q over all that has a p; NaN for the rest.

    ``n_others`` more were tested, whose p is not known and larger than those that matter: no q is too small for it.
    """
    q = np.full(p.shape, np.nan)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    stepped = p[order] * (order.size + n_others) / np.arange(1, order.size + 1)
    q[order] = np.minimum(np.minimum.accumulate(stepped[::-1])[::-1], 1.0)
    return q
