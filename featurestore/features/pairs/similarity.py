"""Which perturbations behave alike in other experiments, and what their neighbours did in this one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, hstack
from sklearn.utils.extmath import randomized_svd

from featurestore.features.pairs.calls import Calls, Positions, Values

Singles = npt.NDArray[np.float32]

_ITERATIONS = 4
PRIOR = 0.5
"""Weight of a neighbour that did nothing: it draws the mean of few or distant neighbours to 0."""
_PRIOR_STRENGTH = 5.0
_TINY = 1e-9


class Factors(NamedTuple):
    """A low-rank matrix: ``left`` of shape (rows, components) times ``right`` of shape (components, columns)."""

    left: Singles
    right: Singles


def factorise(matrix: csr_array, components: int) -> Factors:
    """Decompose a sparse matrix by its largest singular values, from a fixed start."""
    k = min(components, *matrix.shape)
    u, s, vt = randomized_svd(matrix.astype(np.float32), k, n_iter=_ITERATIONS, random_state=0)
    return Factors((u * s).astype(np.float32), vt.astype(np.float32))


def directions(tables: Sequence[Calls], components: int) -> Singles:
    """Describe every perturbation by a unit vector of how it behaves over all tables; 0 where none has it.

    Parameters
    ----------
    tables
        Centred calls of each source; a gene of two sources is two columns.
    components
        Principal directions.

    Returns
    -------
    Shape (perturbations, components).
    """
    side_by_side = csr_array(hstack([table.matrix() for table in tables]))
    scores = factorise(side_by_side, components).left
    scores[sum(table.n_genes for table in tables) == 0] = 0
    length = np.linalg.norm(scores, axis=1, keepdims=True)
    return np.asarray(scores / np.maximum(length, _TINY))


class Neighbours:
    """Training calls of the perturbations that behave like a given one.

    The weight of a neighbour is a power of its cosine where that is positive.

    Parameters
    ----------
    directions
        As of :func:`directions`.
    training
        Centred training calls.
    power
        Of the cosine: the higher, the fewer count.
    is_own_kept
        Whether a perturbation is a neighbour of itself.
    """

    def __init__(self, directions: Singles, training: Calls, *, power: int = 2, is_own_kept: bool = False) -> None:
        self._directions = directions
        self._power = power
        self._is_own_kept = is_own_kept
        order = np.argsort(training.gene, kind="stable")
        self._perturbation, self._value = training.perturbation[order], training.value[order].astype(np.float32)
        self._starts = np.searchsorted(training.gene[order], np.arange(training.shape[1] + 1))
        self._total = np.bincount(training.perturbation, weights=training.value, minlength=training.shape[0])
        self._count = training.n_genes

    def response(self, perturbation: Positions, gene: Positions) -> Values:
        """Average the neighbours' calls on each pair's gene, shape (pairs,); NaN where there is no neighbour."""
        total, weight = self.sums(perturbation, gene)
        return _mean(total, weight, PRIOR)

    def sums(self, perturbation: Positions, gene: Positions) -> tuple[Values, Values]:
        """Add up the neighbours' calls on each pair's gene, weighted, and their weights; shape (pairs,)."""
        total, weights = np.zeros(len(gene)), np.zeros(len(gene))
        order = np.argsort(gene, kind="stable")
        present, starts = np.unique(gene[order], return_index=True)
        for one, rows in zip(present, np.split(order, starts[1:]), strict=True):
            known = slice(self._starts[one], self._starts[one + 1])
            if known.start < known.stop:
                weight = self._weight(perturbation[rows], self._perturbation[known])
                total[rows], weights[rows] = weight @ self._value[known], weight.sum(axis=1)
        return total, weights

    def strength(self, perturbation: Positions) -> Values:
        """Average the neighbours' calls over all genes, shape (pairs,); NaN where there is no neighbour."""
        asked, which = np.unique(perturbation, return_inverse=True)
        known = np.flatnonzero(self._count)
        weight = self._weight(asked, known)
        return _mean(weight @ self._total[known], weight @ self._count[known], _PRIOR_STRENGTH)[which]

    def _weight(self, one: Positions, other: Positions) -> Singles:
        cosine = self._directions[one] @ self._directions[other].T
        weight = np.maximum(cosine, 0) ** self._power
        return np.asarray(weight if self._is_own_kept else weight * (one[:, None] != other[None, :]))


def pooled_response(tables: Sequence[Neighbours], perturbation: Positions, gene: Positions) -> Values:
    """Average the neighbours' calls on each pair's gene over all tables together; NaN where none has a neighbour."""
    if not tables:
        return np.full(len(gene), np.nan)
    total, weight = (sum(each) for each in zip(*(one.sums(perturbation, gene) for one in tables), strict=True))
    return _mean(np.asarray(total), np.asarray(weight), PRIOR)


def _mean(total: npt.NDArray[np.floating], weight: npt.NDArray[np.floating], prior: float) -> Values:
    return np.where(weight > 0, total / (weight + prior), np.nan)
