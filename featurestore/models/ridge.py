"""Ridge regression on external signatures: the effect of a perturbation as a linear map of its effect elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline

from featurestore.models.baseline import Array, Doubles, Labels
from featurestore.models.blocks import SignatureBlocks
from featurestore.models.regression import RegressionOnSignatures

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

    def _fit(self, X: Array, outputs: Doubles, groups: Labels, weights: Doubles) -> None:  # noqa: N803
        self.alpha_ = self._penalty(X, outputs, groups, weights)
        regressors = SignatureBlocks(self.blocks, indicator=self.indicator)
        self.pipeline_ = Pipeline([("blocks", regressors), ("ridge", Ridge(alpha=self.alpha_))])
        self.pipeline_.fit(X, outputs, ridge__sample_weight=weights)

    @property
    def chosen(self) -> dict[str, Any]:
        """The penalty, as an option."""
        return {"alphas": (self.alpha_,)}

    def _penalty(self, X: Array, outputs: Doubles, groups: Labels, weights: Doubles) -> float:  # noqa: N803
        """Return the penalty with the smallest squared error on groups held out; the largest where none can be."""
        alphas = np.array(self.alphas, dtype=np.float64)
        n_folds = min(self.inner_folds, len(np.unique(groups)))
        if n_folds <= 1 or len(alphas) == 1:
            return float(alphas.max())
        errors = np.zeros(len(alphas))
        for train, test in GroupKFold(n_folds).split(X, groups=groups):
            regressors = SignatureBlocks(self.blocks, indicator=self.indicator).fit(X[train])
            fitted = regressors.transform(X[train]), outputs[train], weights[train]
            errors += _held_out_errors(*fitted, regressors.transform(X[test]), outputs[test], alphas)
        return float(alphas[errors.argmin()])


def _held_out_errors(
    values: Doubles, outputs: Doubles, weights: Doubles, held_out: Doubles, measured: Doubles, alphas: Doubles
) -> Doubles:
    """Mean squared error of ridge regressions with several penalties, from one decomposition; shape (alphas,)."""
    share = weights / weights.sum()
    value_mean, output_mean = share @ values, share @ outputs
    root = np.sqrt(weights)[:, None]
    left, singular, right = np.linalg.svd(root * (values - value_mean), full_matrices=False)
    along = left.T @ (root * (outputs - output_mean))
    scores = (held_out - value_mean) @ right.T
    residual = measured - output_mean
    shrunk = singular / (np.square(singular) + alphas[:, None])
    return np.array([np.square(residual - (scores * by) @ along).mean() for by in shrunk])
