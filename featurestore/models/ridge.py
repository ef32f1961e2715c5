"""Ridge regression on external signatures: the effect of a perturbation as a linear map of its effect elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from featurestore.models.baseline import Array, Doubles, Labels, Truths
from featurestore.models.blocks import SignatureBlocks
from featurestore.models.outputs import Deviations, Outputs
from featurestore.models.regression import RegressionOnSignatures, inner_parts, rows_told
from featurestore.models.ridge_products import Fitted, fit_ridges, held_out_errors

_ALPHAS = tuple(np.logspace(-1, 4, 11))


class RidgeOnSignatures(RegressionOnSignatures):
    """Ridge from blocks of signature features to the deviation of every gene from the mean training effect.

    The penalty is chosen inside the training rows by squared error under a cross-validation that keeps groups whole.
    Scaling and imputation are refitted in each of its folds. A missing effect counts as the training mean. A row that
    no source covers gets the training mean exactly.

    Parameters
    ----------
    blocks, components
        As of :class:`RegressionOnSignatures`.
    indicator
        Whether the regressors say which blocks a row has.
    alphas
        Penalties to choose from.
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
        components: int | None = None,
        indicator: bool = False,
        alphas: tuple[float, ...] = _ALPHAS,
        inner_folds: int = 5,
    ) -> None:
        super().__init__(blocks, components=components)
        self.indicator = indicator
        self.alphas = alphas
        self.inner_folds = inner_folds

    def fitted_on(
        self,
        subsets: Sequence[Truths],
        X: Array,  # noqa: N803
        Y: Array,  # noqa: N803
        *,
        groups: Labels | None = None,
        sample_weight: Doubles | None = None,
        deviations: Deviations | None = None,
    ) -> list[Self]:
        """Fit a copy on each of some sets of features, whole blocks each: inner products are formed once for all."""
        outputs = self._outputs(Deviations(Y) if deviations is None else deviations)
        ridges = self._ridges(subsets, X, outputs, *rows_told(len(X), groups, sample_weight))
        models = [self._narrowed(features) for features in subsets]
        for model, features, (alpha, ridge) in zip(models, subsets, ridges, strict=True):
            model.mean_, model.outputs_ = self.mean_, self.outputs_
            model.blocks_ = SignatureBlocks(model.blocks, indicator=self.indicator).fit(X[:, features])
            model.alpha_, model.ridge_ = alpha, ridge
        return models

    def _fit(self, X: Array, outputs: Outputs, groups: Labels, weights: Doubles) -> None:  # noqa: N803
        every = np.ones(X.shape[1], dtype=bool)
        self.blocks_ = SignatureBlocks(self.blocks, indicator=self.indicator).fit(X)
        ((self.alpha_, self.ridge_),) = self._ridges([every], X, outputs, groups, weights)

    @property
    def chosen(self) -> dict[str, Any]:
        """The penalty, as an option."""
        return {"alphas": (self.alpha_,)}

    def _predict(self, X: Array) -> Doubles:  # noqa: N803
        return self.ridge_.predict(self.blocks_.transform(X))

    def _ridges(
        self,
        subsets: Sequence[Truths],
        X: Array,  # noqa: N803
        outputs: Outputs,
        groups: Labels,
        weights: Doubles,
    ) -> list[tuple[float, Fitted]]:
        """Choose a penalty for each set of features, and fit."""
        blocks = SignatureBlocks(self.blocks, indicator=self.indicator)
        penalties = self._penalties(blocks, subsets, X, outputs, groups, weights)
        values = blocks.fit_transform(X)
        columns = [blocks.regressors_of(features) for features in subsets]
        return list(zip(penalties, fit_ridges(values, outputs.values, weights, penalties, columns), strict=True))

    def _penalties(
        self,
        blocks: SignatureBlocks,
        subsets: Sequence[Truths],
        X: Array,  # noqa: N803
        outputs: Outputs,
        groups: Labels,
        weights: Doubles,
    ) -> list[float]:
        """Return the penalties with the smallest squared error on groups held out; the largest where none can be."""
        alphas = np.array(self.alphas, dtype=np.float64)
        inner = inner_parts(groups, self.inner_folds)
        if not inner or len(alphas) == 1:
            return [float(alphas.max())] * len(subsets)
        errors = np.zeros((len(subsets), len(alphas)))
        for train, test in inner:
            values = blocks.fit_transform(X[train])
            columns = [blocks.regressors_of(features) for features in subsets]
            known = outputs.products, weights[train], (train, test), blocks.transform(X[test])
            errors += held_out_errors(values, *known, alphas, columns)
        return [float(alphas[each.argmin()]) for each in errors]
