"""Calls averaged over both axes: perturbations that behave alike, and genes that respond alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array

from featurestore.features.pairs.blocks import PairBlock
from featurestore.features.pairs.calls import Calls, Positions, Values
from featurestore.features.pairs.similarity import PRIOR, Singles, directions

_SQUARINGS = 2
_SQUARINGS_OF_GENES_HERE = 1
"""Training calls are fewer than the sources': more genes count."""
_LEAST = 1e-3
"""Weight below which a gene has none: sums over many genes that have nothing in common are noise."""
_GENES_AT_ONCE = 1000


class CoResponseBlock(PairBlock):
    """Calls of perturbations that behave alike on genes that respond alike: training calls, and the sources' answers.

    ``behaviour`` are the tables in which perturbations are to be alike, ``responses`` those in which genes are, beside
    the training calls; ``answers`` are calls on the target's own question.
    """

    suffixes = ("here", "elsewhere")
    is_fitted = True

    def __init__(
        self,
        behaviour: Sequence[Calls],
        responses: Sequence[Calls],
        answers: Sequence[Calls],
        components: int,
        gene_components: int,
    ) -> None:
        self._perturbations = directions([table.levelled() for table in behaviour], components)
        self._responses = [_by_gene(table.centred()) for table in responses]
        self._answers = [table.centred() for table in answers]
        self._components = gene_components
        self._genes: Singles
        self._training: Calls

    def fit(self, training: Calls) -> None:
        """Learn which genes respond alike, and take the training calls less each gene's mean."""
        self._training = training.centred()
        self._genes = directions([*self._responses, _by_gene(self._training)], self._components)

    def columns(self, perturbation: Positions, gene: Positions) -> list[Values]:
        """Average over both."""
        here = self._mean([self._training], perturbation, gene, squarings=_SQUARINGS_OF_GENES_HERE, is_own_kept=False)
        return [here, self._mean(self._answers, perturbation, gene, squarings=_SQUARINGS, is_own_kept=True)]

    def _mean(
        self, tables: Sequence[Calls], perturbation: Positions, gene: Positions, *, squarings: int, is_own_kept: bool
    ) -> Values:
        """Average calls over all tables together, shape (pairs,); NaN where nothing has any weight."""
        asked, row = np.unique(perturbation, return_inverse=True)
        summed, counted = np.zeros((2, len(asked), len(self._genes)), np.float32)
        for table in tables:
            known = np.flatnonzero(table.n_genes)
            alike = _nearness(self._perturbations[asked], self._perturbations[known], _SQUARINGS)
            if not is_own_kept:
                alike *= asked[:, None] != known[None, :]
            calls = csr_array(table.matrix()[known]).astype(np.float32)
            summed += alike @ calls
            counted += alike @ csr_array((np.ones_like(calls.data), calls.indices, calls.indptr), shape=calls.shape)
        listed = np.flatnonzero(counted.any(axis=0))
        summed, counted = summed[:, listed], counted[:, listed]
        total, weight = np.zeros(len(gene)), np.zeros(len(gene))
        genes, column = np.unique(gene, return_inverse=True)
        order = np.argsort(column, kind="stable")
        for first in range(0, len(genes), _GENES_AT_ONCE):
            some = genes[first : first + _GENES_AT_ONCE]
            here = order[slice(*np.searchsorted(column[order], [first, first + len(some)]))]
            respond = _nearness(self._genes[listed], self._genes[some], squarings)
            respond[respond < _LEAST] = 0
            place = row[here], column[here] - first
            total[here], weight[here] = (summed @ respond)[place], (counted @ respond)[place]
        return np.where(weight > 0, total / (weight + PRIOR), np.nan)


def _by_gene(calls: Calls) -> Calls:
    """Exchange perturbations and genes, and level what are the columns now."""
    return Calls(calls.gene, calls.perturbation, calls.value, calls.shape[::-1]).levelled()


def _nearness(one: Singles, other: Singles, squarings: int) -> Singles:
    nearness = np.maximum(one @ other.T, 0)
    for _ in range(squarings):
        nearness *= nearness
    return np.asarray(nearness)
