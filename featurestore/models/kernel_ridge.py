"""Kernel ridge regression: the ridge of smooth functions of external signatures."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.kernel_ridge import KernelRidge

from featurestore.models.baseline import Array, Doubles, Labels
from featurestore.models.regression import RegressionOnSignatures, searched


class KernelRidgeOnSignatures(RegressionOnSignatures):
    """Kernel ridge with a Gaussian kernel, from blocks of signature features to the main directions of the effects.

    Penalty and width are chosen inside the training rows. Blocks have rows of mean square length one, so a width of 1
    falls to 1/e at about the distance of two unrelated rows of a single block.

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
    """

    def __init__(
        self,
        blocks: Labels | None = None,
        *,
        components: int | None = 30,
        alphas: tuple[float, ...] = (0.03, 0.3, 3.0),
        gammas: tuple[float, ...] = (0.05, 0.2, 0.8),
        inner_folds: int = 5,
    ) -> None:
        super().__init__(blocks, components=components)
        self.alphas = alphas
        self.gammas = gammas
        self.inner_folds = inner_folds

    def _fit(self, X: Array, outputs: Doubles, groups: Labels, weights: Doubles) -> None:  # noqa: N803
        gammas = [gamma / self._n_blocks for gamma in self.gammas]
        model = KernelRidge(kernel="rbf", alpha=max(self.alphas), gamma=gammas[0])
        grid = {"alpha": self.alphas, "gamma": gammas}
        self.pipeline_ = searched(model, grid, self.blocks, X, outputs, groups, self.inner_folds, sample_weight=weights)
        self.alpha_ = float(self.pipeline_["model"].alpha)

    @property
    def chosen(self) -> dict[str, Any]:
        """Penalty and width, as options."""
        return {"alphas": (self.alpha_,), "gammas": (self.pipeline_["model"].gamma * self._n_blocks,)}

    @property
    def _n_blocks(self) -> int:
        return 1 if self.blocks is None else len(np.unique(self.blocks))
