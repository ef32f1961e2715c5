"""Calls as sparse entries of one matrix of perturbations and genes; a pair that a table does not list is unknown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import csr_array

from featurestore.features.perturbations import directed_key

if TYPE_CHECKING:
    from featurestore.features.effects.signature_matrix import SignatureMatrix
    from featurestore.features.kinds.options import Question

Positions = npt.NDArray[np.intp]
Values = npt.NDArray[np.float64]

_PRIOR = 5.0
"""Pairs at which a gene's own mean counts as much as the mean of all genes."""
_SHORTEST = 0.5
"""Share of the median length below which a gene counts as that long."""


def answers(matrix: SignatureMatrix, question: Question | None) -> tuple[Positions, Positions, Values]:
    """Ask a question of calls: row, column and answer of every pair that has one.

    Whether it has ``changed``, 0 or 1, every listed pair says; its ``direction``, -1 or 1, only one that has. Without
    a question effects are taken as they are.
    """
    is_asked = np.isfinite(matrix.values)
    if question == "direction":
        is_asked &= matrix.values != 0
    row, column = np.nonzero(is_asked)
    value = matrix.values[row, column].astype(np.float64)
    if question == "changed":
        value = (value != 0).astype(np.float64)
    elif question == "direction":
        value = np.sign(value)
    return row, column, value


@dataclass(frozen=True, slots=True)
class Axes:
    """The perturbations and genes that any experiment of a spec has, in alphabetical order.

    Parameters
    ----------
    perturbations
        Key of each: what was perturbed, and in which direction.
    genes
        gene_id of each.
    """

    perturbations: pl.Series
    genes: pl.Series

    @classmethod
    def spanning(cls, tables: Iterable[tuple[pl.DataFrame, SignatureMatrix]]) -> Self:
        """Find the axes of several experiments: their conditions, and their effects."""
        pairs = list(tables)
        keys = pl.concat([conditions.select(key=directed_key())["key"] for conditions, _ in pairs])
        genes = pl.concat([matrix.genes["gene_id"] for _, matrix in pairs])
        return cls(keys.unique().sort(), genes.unique().sort())

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of perturbations and genes."""
        return len(self.perturbations), len(self.genes)

    def perturbation_of(self, conditions: pl.DataFrame) -> Positions:
        """Return the position of each condition's perturbation."""
        return np.searchsorted(self.perturbations.to_numpy(), conditions.select(key=directed_key())["key"].to_numpy())

    def gene_of(self, genes: pl.DataFrame) -> Positions:
        """Return the position of each gene."""
        return np.searchsorted(self.genes.to_numpy(), genes["gene_id"].to_numpy())


@dataclass(frozen=True, slots=True)
class Calls:
    """Entries of a matrix of perturbations and genes.

    Parameters
    ----------
    perturbation, gene
        Positions on the axes, shape (entries,).
    value
        The call of each, or the mean of several, shape (entries,).
    shape
        Numbers of perturbations and genes.
    """

    perturbation: Positions
    gene: Positions
    value: Values
    shape: tuple[int, int]

    @classmethod
    def of(cls, axes: Axes, conditions: pl.DataFrame, matrix: SignatureMatrix, question: Question | None) -> Self:
        """Take the answers of an experiment, averaged over conditions of one perturbation."""
        row, column, value = answers(matrix, question)
        perturbation, gene = axes.perturbation_of(conditions)[row], axes.gene_of(matrix.genes)[column]
        return cls(perturbation, gene, value, axes.shape).merged()

    def merged(self) -> Self:
        """Average entries of the same pair; in order of perturbation and gene."""
        pairs, which, n = np.unique(self.pairs, return_inverse=True, return_counts=True)
        mean = np.bincount(which, weights=self.value, minlength=len(pairs)) / n
        return type(self)(pairs // self.shape[1], pairs % self.shape[1], mean, self.shape)

    @property
    def pairs(self) -> npt.NDArray[np.int64]:
        """One number per entry that tells its perturbation and gene."""
        return self.perturbation.astype(np.int64) * self.shape[1] + self.gene

    @property
    def n_genes(self) -> Values:
        """Number of genes listed for each perturbation."""
        return np.bincount(self.perturbation, minlength=self.shape[0]).astype(np.float64)

    def gene_mean(self) -> Values:
        """Return the mean of each gene, drawn to the mean of all entries where it has few, shape (genes,)."""
        n = np.bincount(self.gene, minlength=self.shape[1])
        total = np.bincount(self.gene, weights=self.value, minlength=self.shape[1])
        overall = self.value.mean() if len(self.value) else 0.0
        return np.asarray((total + _PRIOR * overall) / (n + _PRIOR))

    def centred(self) -> Self:
        """Take each gene's mean away: what is specific to the perturbation."""
        return type(self)(self.perturbation, self.gene, self.value - self.gene_mean()[self.gene], self.shape)

    def levelled(self) -> Self:
        """Divide each gene by the root of its length, and all by theirs: genes and tables that vary more weigh less."""
        length = np.sqrt(np.bincount(self.gene, weights=np.square(self.value), minlength=self.shape[1]))
        known = length[length > 0]
        divisor = np.sqrt(np.maximum(length, _SHORTEST * np.median(known)) if len(known) else np.ones_like(length))
        value = self.value / divisor[self.gene]
        whole = float(np.linalg.norm(value))
        return type(self)(self.perturbation, self.gene, value / whole if whole > 0 else value, self.shape)

    def strength(self) -> Values:
        """Return each perturbation's mean over genes, drawn to 0 where it lists few; NaN where it lists none."""
        total = np.bincount(self.perturbation, weights=self.value, minlength=self.shape[0])
        return np.where(self.n_genes > 0, total / (self.n_genes + _PRIOR), np.nan)

    def at(self, perturbation: Positions, gene: Positions) -> Values:
        """Look pairs up; NaN where one is not listed. The entries are in order, as :meth:`merged` leaves them."""
        wanted = perturbation.astype(np.int64) * self.shape[1] + gene
        place = np.minimum(np.searchsorted(self.pairs, wanted), max(len(self.value) - 1, 0))
        if not len(self.value):
            return np.full(len(wanted), np.nan)
        return np.where(self.pairs[place] == wanted, self.value[place], np.nan)

    def permuted(self, order: Positions) -> Self:
        """Give every perturbation's entries to another one: ``order`` says to which, shape (perturbations,)."""
        return type(self)(order[self.perturbation], self.gene, self.value, self.shape).merged()

    def matrix(self) -> csr_array:
        """Return a sparse matrix, 0 where there is no entry."""
        return csr_array((self.value, (self.perturbation, self.gene)), shape=self.shape)


def pooled(tables: Iterable[Calls]) -> Calls:
    """Pool the entries of several tables, averaged where they share a pair."""
    parts = list(tables)
    perturbation, gene = (np.concatenate([getattr(part, name) for part in parts]) for name in ("perturbation", "gene"))
    return Calls(perturbation, gene, np.concatenate([part.value for part in parts]), parts[0].shape).merged()
