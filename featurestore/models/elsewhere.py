"""The same perturbation elsewhere, as it is or rescaled by one number: what needs no regression."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from featurestore.models.baseline import Array, Doubles, Inputs, Labels, Truths, mean_effect


class SamePerturbationElsewhere(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Predict what the same perturbation did in the external sources.

    X is the mean effect over the sources on the target's genes, shape (rows, genes). A gene that no source measured,
    and a row that no source covers, get the mean of the training rows.

    Parameters
    ----------
    rescaled
        Whether to multiply by the slope, one number for all rows and genes, that fits the training rows best.

    Attributes
    ----------
    slope_
        The slope; 1 unless rescaled, or where nothing tells it.
    """

    inputs: ClassVar[Inputs] = "elsewhere"

    def __init__(self, *, rescaled: bool = False) -> None:
        self.rescaled = rescaled

    def fit(self, X: Array, Y: Array, *, groups: Labels | None = None, sample_weight: Doubles | None = None) -> Self:  # noqa: ARG002, N803
        """Learn the mean to fall back on, and the slope."""
        self.mean_ = mean_effect(Y)
        self.slope_ = 1.0
        if self.rescaled:
            weights = np.ones(len(X)) if sample_weight is None else sample_weight
            both = np.isfinite(X) & np.isfinite(Y)
            x, y = np.where(both, X, 0.0).astype(np.float64), np.where(both, Y, 0.0)
            square = float(weights @ np.square(x).sum(axis=1))
            self.slope_ = float(weights @ (x * y).sum(axis=1)) / square if square > 0 else 1.0
        return self

    def predict(self, X: Array) -> Doubles:  # noqa: N803
        """Return the effects elsewhere, shape (rows, genes)."""
        check_is_fitted(self)
        return np.where(np.isfinite(X), self.slope_ * np.asarray(X, dtype=np.float64), self.mean_)

    def covered(self, X: Array) -> Truths:  # noqa: N803
        """Say which rows have an effect elsewhere."""
        return np.asarray(np.isfinite(X).any(axis=1))
