"""Nearest neighbours: perturbations that do alike elsewhere do alike here."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.neighbors import KNeighborsRegressor

from featurestore.models.baseline import Array, Doubles, Labels
from featurestore.models.regression import RegressionOnSignatures, searched


class NeighboursOnSignatures(RegressionOnSignatures):
    """Mean deviation of the training rows with the nearest signatures elsewhere, the nearer the heavier.

    How many neighbours is chosen inside the training rows. They know nothing of a row's number of cells.

    Parameters
    ----------
    blocks, components
        As of :class:`RegressionOnSignatures`.
    neighbours
        Numbers of neighbours to choose from, as far as there are rows.
    inner_folds
        Folds of the inner cross-validation; fewer where there are fewer groups.

    Attributes
    ----------
    neighbours_
        The number chosen.
    """

    def __init__(
        self,
        blocks: Labels | None = None,
        *,
        components: int | None = None,
        neighbours: tuple[int, ...] = (3, 10, 30),
        inner_folds: int = 5,
    ) -> None:
        super().__init__(blocks, components=components)
        self.neighbours = neighbours
        self.inner_folds = inner_folds

    def _fit(self, X: Array, outputs: Doubles, groups: Labels, weights: Doubles) -> None:  # noqa: ARG002, N803
        sizes = np.unique(groups, return_counts=True)[1]
        smallest = max(1, (len(X) - int(sizes.max())) // 2)
        offered = sorted({min(k, smallest) for k in self.neighbours})
        model = KNeighborsRegressor(n_neighbors=offered[0], weights="distance")
        self.pipeline_ = searched(model, {"n_neighbors": offered}, self.blocks, X, outputs, groups, self.inner_folds)
        self.neighbours_ = int(self.pipeline_["model"].n_neighbors)

    @property
    def chosen(self) -> dict[str, Any]:
        """The number of neighbours, as an option."""
        return {"neighbours": (self.neighbours_,)}
