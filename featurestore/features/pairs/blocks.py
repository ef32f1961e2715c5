"""Blocks of pair features: each learns from training calls what it needs, and describes any pairs.

A feature is NaN where nothing is known: a source that does not list the pair, a perturbation without neighbours.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from featurestore.features.pairs.calls import Calls, Positions, Values, pooled
from featurestore.features.pairs.similarity import Factors, Neighbours, directions, factorise, pooled_response


class PairBlock(ABC):
    """Features of pairs; ``suffixes`` end their column names, ``is_fitted`` says whether they look at labels."""

    suffixes: tuple[str, ...]
    is_fitted: ClassVar[bool] = False

    def fit(self, training: Calls) -> None:  # noqa: B027, a block that looks at no label learns nothing
        """Learn from training calls."""

    @abstractmethod
    def columns(self, perturbation: Positions, gene: Positions) -> Sequence[npt.NDArray[np.floating[Any]]]:
        """Describe pairs, one array of shape (pairs,) per suffix."""


class SignatureBlock(PairBlock):
    """A source's own answer on each pair, less the gene's mean there; named by the question alone."""

    suffixes = ("",)

    def __init__(self, source: Calls) -> None:
        self._centred = source.centred()

    def columns(self, perturbation: Positions, gene: Positions) -> list[Values]:
        """Look the pairs up."""
        return [self._centred.at(perturbation, gene)]


class StrengthBlock(PairBlock):
    """Mean answer of each perturbation in a source, over all genes that it lists there, less each gene's mean."""

    suffixes: tuple[str, ...] = ("mean",)

    def __init__(self, source: Calls) -> None:
        self._mean = source.centred().strength()

    def columns(self, perturbation: Positions, gene: Positions) -> list[Values]:  # noqa: ARG002, the gene has no part
        """Look the perturbations up."""
        return [self._mean[perturbation]]


class ChangedBlock(StrengthBlock):
    """The same of changes, and how many genes a perturbation changes."""

    suffixes = ("mean", "log_n")

    def __init__(self, source: Calls) -> None:
        super().__init__(source)
        changed = np.bincount(source.perturbation, weights=source.value, minlength=source.shape[0])
        self._changed = np.where(source.n_genes > 0, np.log1p(changed), np.nan)

    def columns(self, perturbation: Positions, gene: Positions) -> list[Values]:
        """Look the perturbations up."""
        return [*super().columns(perturbation, gene), self._changed[perturbation]]


class NeighbourBlock(PairBlock):
    """Training calls of the perturbations that behave alike in the sources."""

    suffixes = ("response", "strength")
    is_fitted = True

    def __init__(self, sources: Sequence[Calls], components: int) -> None:
        self._directions = directions([source.centred() for source in sources], components)
        self._neighbours: Neighbours

    def fit(self, training: Calls) -> None:
        """Take the training calls less each gene's mean."""
        self._neighbours = Neighbours(self._directions, training.centred())

    def columns(self, perturbation: Positions, gene: Positions) -> list[Values]:
        """Average over the neighbours."""
        return [self._neighbours.response(perturbation, gene), self._neighbours.strength(perturbation)]


class AnalogueBlock(PairBlock):
    """Calls of the few perturbations that behave most alike: training calls, and the sources' own answers.

    ``behaviour`` are the tables to be alike in, ``answers`` calls on the target's own question.
    """

    suffixes = ("here", "elsewhere")
    is_fitted = True

    def __init__(self, behaviour: Sequence[Calls], answers: Sequence[Calls], components: int) -> None:
        self._directions = directions([table.levelled() for table in behaviour], components)
        self._answers = [Neighbours(self._directions, each.centred(), power=4, is_own_kept=True) for each in answers]
        self._neighbours: Neighbours

    def fit(self, training: Calls) -> None:
        """Take the training calls less each gene's mean."""
        self._neighbours = Neighbours(self._directions, training.centred(), power=4)

    def columns(self, perturbation: Positions, gene: Positions) -> list[Values]:
        """Average over the analogues."""
        return [self._neighbours.response(perturbation, gene), pooled_response(self._answers, perturbation, gene)]


class ReconstructionBlock(PairBlock):
    """Low-rank reconstruction of all calls, the sources' and the training ones."""

    suffixes = ("value",)
    is_fitted = True

    def __init__(self, sources: Sequence[Calls], components: int) -> None:
        self._sources = [source.centred() for source in sources]
        self._components = components
        self._factors: Factors
        self._known: Values

    def fit(self, training: Calls) -> None:
        """Decompose the matrix of mean calls."""
        calls = pooled([*self._sources, training.centred()])
        self._factors = factorise(calls.matrix(), self._components)
        self._known = calls.n_genes

    def columns(self, perturbation: Positions, gene: Positions) -> list[Values]:
        """Multiply the factors; NaN for a perturbation that no source and no training pair has."""
        left, right = self._factors
        value = np.einsum("ij,ji->i", left[perturbation], right[:, gene]).astype(np.float64)
        return [np.where(self._known[perturbation] > 0, value, np.nan)]


class BaseRateBlock(PairBlock):
    """How often each gene is called among the training pairs."""

    suffixes = ("log_odds",)
    is_fitted = True

    def __init__(self) -> None:
        self._log_odds: Values

    def fit(self, training: Calls) -> None:
        """Learn every gene's rate, drawn to the rate of all pairs where it has few."""
        rate = Calls(
            training.perturbation, training.gene, (training.value > 0).astype(np.float64), training.shape
        ).gene_mean()
        rate = np.clip(rate, 1 / (2 * len(training.value) + 2), 1 - 1 / (2 * len(training.value) + 2))
        self._log_odds = np.log(rate / (1 - rate))

    def columns(self, perturbation: Positions, gene: Positions) -> list[Values]:  # noqa: ARG002, the gene alone counts
        """Look the genes up."""
        return [self._log_odds[gene]]


class EmbeddingBlock(PairBlock):
    """Vectors of perturbations (``axis`` 0) or of genes (1), one row for each on that axis."""

    def __init__(self, values: npt.NDArray[np.float32], axis: int, suffixes: tuple[str, ...]) -> None:
        self._values = values
        self._axis = axis
        self.suffixes = suffixes

    def columns(self, perturbation: Positions, gene: Positions) -> list[npt.NDArray[np.float32]]:
        """Look the vectors up."""
        return list(self._values[(perturbation, gene)[self._axis]].T)
