"""Nearest neighbours: perturbations that do alike elsewhere do alike here."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import csr_array
from sklearn.neighbors import NearestNeighbors

from featurestore.models.baseline import Array, Doubles, Labels
from featurestore.models.blocks import SignatureBlocks
from featurestore.models.outputs import Outputs
from featurestore.models.regression import Positions, RegressionOnSignatures, inner_parts


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

    def _fit(self, X: Array, outputs: Outputs, groups: Labels, weights: Doubles) -> None:  # noqa: ARG002, N803
        sizes = np.unique(groups, return_counts=True)[1]
        smallest = max(1, (len(X) - int(sizes.max())) // 2)
        offered = sorted({min(k, smallest) for k in self.neighbours})
        self.neighbours_ = self._number(offered, X, outputs, groups)
        self.blocks_ = SignatureBlocks(self.blocks).fit(X)
        self.search_ = NearestNeighbors(n_neighbors=self.neighbours_).fit(self.blocks_.transform(X))
        self.known_ = outputs.values

    @property
    def chosen(self) -> dict[str, Any]:
        """The number of neighbours, as an option."""
        return {"neighbours": (self.neighbours_,)}

    def _predict(self, X: Array) -> Doubles:  # noqa: N803
        distance, nearest = self.search_.kneighbors(self.blocks_.transform(X))
        first = np.arange(0, nearest.size + 1, self.neighbours_)
        means = csr_array((_nearness(distance).ravel(), nearest.ravel(), first), shape=(len(X), len(self.known_)))
        return np.asarray(means @ self.known_)

    def _number(self, offered: list[int], X: Array, outputs: Outputs, groups: Labels) -> int:  # noqa: N803
        """Return the number with the smallest squared error on groups held out; the smallest where none can be."""
        errors = np.zeros(len(offered))
        if len(offered) > 1:
            for train, test in inner_parts(groups, self.inner_folds):
                blocks = SignatureBlocks(self.blocks).fit(X[train])
                search = NearestNeighbors(n_neighbors=offered[-1]).fit(blocks.transform(X[train]))
                distance, nearest = search.kneighbors(blocks.transform(X[test]))
                for place, k in enumerate(offered):
                    weights = _nearness(distance[:, :k])
                    errors[place] += _squared_error(outputs.products, test, train[nearest[:, :k]], weights)
        return offered[int(errors.argmin())]


def _nearness(distance: Doubles) -> Doubles:
    """Return weights that sum to one: inverse distances, or those of distance 0 alike where there are any."""
    same = distance == 0
    inverse = np.where(same.any(axis=1)[:, None], same, 1 / np.where(same, 1.0, distance))
    return np.asarray(inverse / inverse.sum(axis=1)[:, None])


def _squared_error(products: Doubles, test: Positions, nearest: Positions, weights: Doubles) -> float:
    """Return the mean over rows of the squared error of weighted means of others, by inner products of outputs."""
    joint = (products[test[:, None], nearest] * weights).sum(axis=1)
    among = products[nearest[:, :, None], nearest[:, None, :]]
    return float((products[test, test] - 2 * joint + np.einsum("ij,ijk,ik->i", weights, among, weights)).mean())
