"""A ridge that trusts sources as far as they tell, and each more in one region of perturbations than in another."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from sklearn.metrics.pairwise import euclidean_distances

from featurestore.models.baseline import Array, Doubles, Labels
from featurestore.models.blocks import SignatureBlocks
from featurestore.models.outputs import Outputs
from featurestore.models.regression import RegressionOnSignatures, inner_parts
from featurestore.models.ridge_products import held_out_errors

_ALONE = np.array([1.0, 10.0, 100.0, 1e12])
"""Penalties of a ridge on one block alone; by the last it says nothing."""
_LEAST_SKILL = 1e-3


class LocalRidgeOnSignatures(RegressionOnSignatures):
    """Ridge on external signatures whose linear map changes smoothly with where a row is among the others.

    The kernel is an inner product of rows times a Gaussian of their distance: of two rows far apart nothing is learnt
    from each other, so a source may be trusted for some perturbations and not for others. In both, a block counts by
    its skill: the share of held-out training effects that a ridge on it alone explains. All of it is learnt inside the
    training rows.

    Parameters
    ----------
    blocks, components
        As of :class:`RegressionOnSignatures`.
    alphas
        Penalties to choose from.
    gammas
        Inverse squared widths to choose from, for each block.
    inner_folds
        Folds of the inner cross-validation; fewer where there are fewer groups.

    Attributes
    ----------
    alpha_
        The penalty chosen.
    counts_
        How much each block counts, 1 on average.
    """

    def __init__(
        self,
        blocks: Labels | None = None,
        *,
        components: int | None = 30,
        alphas: tuple[float, ...] = (0.3, 3.0),
        gammas: tuple[float, ...] = (0.05, 0.2),
        inner_folds: int = 5,
    ) -> None:
        super().__init__(blocks, components=components)
        self.alphas = alphas
        self.gammas = gammas
        self.inner_folds = inner_folds

    def _fit(self, X: Array, outputs: Outputs, groups: Labels, weights: Doubles) -> None:  # noqa: N803
        inner = inner_parts(groups, self.inner_folds)
        skill = self._skill(X, outputs, weights, inner)
        self.counts_ = np.asarray(skill / skill.mean())
        self.alpha_, self._gamma = self._options(X, outputs.values, weights, inner)
        self.blocks_ = SignatureBlocks(self.blocks).fit(X)
        self._known = self._placed(X)
        root = np.sqrt(weights)[:, None]
        kernel = self._kernel(self._known, self._gamma) * root * root.T
        self._dual = root * _solved(kernel, self.alpha_, root * outputs.values)

    @property
    def chosen(self) -> dict[str, Any]:
        """Penalty and width, as options."""
        return {"alphas": (self.alpha_,), "gammas": (self._gamma,)}

    def _predict(self, X: Array) -> Doubles:  # noqa: N803
        return np.asarray(self._kernel(self._placed(X), self._gamma, self._known) @ self._dual)

    def _skill(self, X: Array, outputs: Outputs, weights: Doubles, inner: list[Any]) -> Doubles:  # noqa: N803
        """Return the share of held-out squares that each block explains alone; all alike where none can be held out."""
        blocks = SignatureBlocks(self.blocks).fit(X)
        columns = [blocks.block_of_ == block for block in range(len(blocks.block_names_))]
        errors = np.zeros((len(columns), len(_ALONE)))
        for train, test in inner:
            values = blocks.fit_transform(X[train])
            told = outputs.products, weights[train], (train, test), blocks.transform(X[test])
            errors += held_out_errors(values, *told, _ALONE, columns)
        nothing = errors[:, -1]
        explained = np.divide(nothing - errors.min(axis=1), nothing, out=np.zeros(len(columns)), where=nothing > 0)
        return np.asarray(np.maximum(explained, _LEAST_SKILL))

    def _options(self, X: Array, values: Doubles, weights: Doubles, inner: list[Any]) -> tuple[float, float]:  # noqa: N803
        """Return penalty and inverse squared width with the smallest squared error on groups held out."""
        errors = np.zeros((len(self.gammas), len(self.alphas)))
        for train, test in inner if errors.size > 1 else ():
            self.blocks_ = SignatureBlocks(self.blocks).fit(X[train])
            inside, outside, root = self._placed(X[train]), self._placed(X[test]), np.sqrt(weights[train])[:, None]
            for place, gamma in enumerate(self.gammas):
                kernel = self._kernel(inside, gamma) * root * root.T
                across = self._kernel(outside, gamma, inside) * root.T
                for at, alpha in enumerate(self.alphas):
                    dual = _solved(kernel, alpha, root * values[train])
                    errors[place, at] += np.square(across @ dual - values[test]).mean()
        width, penalty = divmod(int(errors.argmin()), len(self.alphas))
        return self.alphas[penalty], self.gammas[width]

    def _placed(self, X: Array) -> Doubles:  # noqa: N803
        """Return regressors, each block as long as it counts."""
        return np.asarray(self.blocks_.transform(X) * np.sqrt(self.counts_)[self.blocks_.block_of_])

    def _kernel(self, rows: Doubles, gamma: float, others: Doubles | None = None) -> Doubles:
        there = rows if others is None else others
        distance = euclidean_distances(rows, there, squared=True)
        return np.asarray((rows @ there.T) * np.exp(-gamma / len(self.counts_) * distance))


def _solved(kernel: Doubles, alpha: float, values: Doubles) -> Doubles:
    factor = cho_factor(kernel + alpha * np.eye(len(kernel)), overwrite_a=True, check_finite=False)
    return np.asarray(cho_solve(factor, values, check_finite=False))
