"""Baselines that any model has to beat: no change, the mean training effect, and the same with its target silenced."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

Array = npt.NDArray[np.floating]
Doubles = npt.NDArray[np.float64]
Truths = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.str_]
Inputs = Literal["X", "elsewhere", "own", "all"]


def mean_effect(Y: Array) -> Doubles:  # noqa: N803
    """Average effects over rows, gene by gene over the rows that have it, shape (genes,); 0 for one that none has."""
    present = np.isfinite(Y)
    if present.all() and len(Y):
        return np.asarray(Y.mean(axis=0, dtype=np.float64))
    total, count = np.where(present, Y, 0.0).sum(axis=0, dtype=np.float64), present.sum(axis=0)
    return np.asarray(total / np.maximum(count, 1))


class NoChange(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Predict that nothing changes: effect 0 everywhere."""

    inputs: ClassVar[Inputs] = "X"

    def fit(self, X: Array, Y: Array, *, groups: Labels | None = None, sample_weight: Doubles | None = None) -> Self:  # noqa: ARG002, N803
        """Learn the number of genes."""
        self.n_genes_ = Y.shape[1]
        return self

    def predict(self, X: Array) -> Doubles:  # noqa: N803
        """Return zeros, shape (rows, genes)."""
        check_is_fitted(self)
        return np.zeros((len(X), self.n_genes_))

    def covered(self, X: Array) -> Truths:  # noqa: N803
        """Say that every row is covered."""
        return np.ones(len(X), dtype=bool)


class TrainMean(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Predict the mean effect of the training rows for every perturbation.

    Hard to beat by Pearson delta, because perturbations of one screen share a response.
    """

    inputs: ClassVar[Inputs] = "X"

    def fit(self, X: Array, Y: Array, *, groups: Labels | None = None, sample_weight: Doubles | None = None) -> Self:  # noqa: ARG002, N803
        """Learn the mean."""
        self.mean_ = mean_effect(Y)
        return self

    def predict(self, X: Array) -> Doubles:  # noqa: N803
        """Return the mean for each row, shape (rows, genes)."""
        check_is_fitted(self)
        return np.tile(self.mean_, (len(X), 1))

    def covered(self, X: Array) -> Truths:  # noqa: N803
        """Say that every row is covered."""
        return np.ones(len(X), dtype=bool)


class CrisprInformedMean(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Predict the mean training effect, and on a row's own target the mean effect of targets on themselves.

    X says which genes are a row's own targets, shape (rows, genes). Scores that leave own targets out see the train
    mean; without any target among the training rows it is the train mean.

    Source: the CRISPR-informed mean of Wong et al. 2025.
    """

    inputs: ClassVar[Inputs] = "own"

    def fit(self, X: Array, Y: Array, *, groups: Labels | None = None, sample_weight: Doubles | None = None) -> Self:  # noqa: ARG002, N803
        """Learn the mean, and the mean effect on own targets."""
        self.mean_ = mean_effect(Y)
        own = np.asarray(Y)[np.asarray(X, dtype=bool) & np.isfinite(Y)]
        self.silenced_ = float(own.mean(dtype=np.float64)) if len(own) else np.nan
        return self

    def predict(self, X: Array) -> Doubles:  # noqa: N803
        """Return the mean for each row with its own targets silenced, shape (rows, genes)."""
        check_is_fitted(self)
        own = np.asarray(X, dtype=bool) & np.isfinite(self.silenced_)
        return np.where(own, self.silenced_, self.mean_)

    def covered(self, X: Array) -> Truths:  # noqa: N803
        """Say that every row is covered."""
        return np.ones(len(X), dtype=bool)
