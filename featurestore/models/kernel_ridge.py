"""Kernel ridge regression: the ridge of smooth functions of external signatures."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.pipeline import Pipeline

from featurestore.models.baseline import Array, Doubles, Labels
from featurestore.models.blocks import SignatureBlocks
from featurestore.models.outputs import Outputs
from featurestore.models.regression import Positions, RegressionOnSignatures, inner_parts

_MILD = 0.1
"""Most that rounding to single precision could change what a kernel and the least penalty say, as a share of it."""
_UNSURE = 0.001
"""Share of an error by which single precision must find one option better than every other; it is wrong by 1e-6."""


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

    def _fit(self, X: Array, outputs: Outputs, groups: Labels, weights: Doubles) -> None:  # noqa: N803
        gammas = [gamma / self._n_blocks for gamma in self.gammas]
        alpha, gamma = self._options(gammas, X, outputs.values, groups, weights)
        model = KernelRidge(kernel="rbf", alpha=alpha, gamma=gamma)
        self.pipeline_ = Pipeline([("blocks", SignatureBlocks(self.blocks)), ("model", model)])
        self.pipeline_.fit(X, outputs.values, model__sample_weight=weights)
        self.alpha_ = alpha

    @property
    def chosen(self) -> dict[str, Any]:
        """Penalty and width, as options."""
        return {"alphas": (self.alpha_,), "gammas": (self.pipeline_["model"].gamma * self._n_blocks,)}

    @property
    def _n_blocks(self) -> int:
        return 1 if self.blocks is None else len(np.unique(self.blocks))

    def _options(
        self,
        gammas: list[float],
        X: Array,  # noqa: N803
        outputs: Doubles,
        groups: Labels,
        weights: Doubles,
    ) -> tuple[float, float]:
        """Return penalty and inverse squared width with the smallest squared error on groups held out.

        The largest penalty and the first width where nothing can be held out, or there is nothing to choose.
        """
        inner = inner_parts(groups, self.inner_folds)
        if not inner or len(gammas) * len(self.alphas) == 1:
            return float(max(self.alphas)), gammas[0]
        is_mild = len(X) * float(np.finfo(np.float32).eps) < _MILD * min(self.alphas)
        errors = self._errors(gammas, X, outputs, inner, weights, np.float32 if is_mild else np.float64)
        best, second = np.partition(errors.ravel(), 1)[:2]
        if is_mild and best >= (1 - _UNSURE) * second:
            errors = self._errors(gammas, X, outputs, inner, weights, np.float64)
        alpha, width = np.unravel_index(errors.argmin(), errors.shape)
        return float(self.alphas[alpha]), gammas[width]

    def _errors(
        self,
        gammas: list[float],
        X: Array,  # noqa: N803
        outputs: Doubles,
        inner: list[tuple[Positions, Positions]],
        weights: Doubles,
        precision: type[np.floating],
    ) -> Doubles:
        """Return the squared error on groups held out of each penalty and width, shape (alphas, gammas).

        Distances are measured once for all widths, and a kernel is made once for all penalties. Single precision takes
        half the time.
        """
        errors = np.zeros((len(self.alphas), len(gammas)))
        for train, test in inner:
            blocks = SignatureBlocks(self.blocks).fit(X[train])
            values = blocks.transform(X[train])
            among = euclidean_distances(values, squared=True).astype(precision)
            across = euclidean_distances(blocks.transform(X[test]), values, squared=True).astype(precision)
            root = np.sqrt(weights[train]).astype(precision)
            rooted = root[:, None] * outputs[train].astype(precision)
            for j, gamma in enumerate(map(precision, gammas)):
                kernel, held_out = np.exp(-gamma * among) * root[:, None] * root, np.exp(-gamma * across) * root
                diagonal = kernel.diagonal().copy()
                for i, alpha in enumerate(map(precision, self.alphas)):
                    np.fill_diagonal(kernel, diagonal + alpha)
                    factor = cho_factor(kernel, check_finite=False)
                    dual = cho_solve(factor, rooted, check_finite=False)
                    errors[i, j] += np.square(held_out @ dual - outputs[test]).mean()
        return errors
