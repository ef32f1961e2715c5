"""Ridge regression on external signatures: the effect of a perturbation as a linear map of its effect elsewhere."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from featurestore.models.baseline import Array, Doubles, Inputs, Labels, Truths, mean_effect
from featurestore.models.blocks import SignatureBlocks

_ALPHAS = tuple(np.logspace(-1, 4, 11))


class RidgeOnSignatures(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Ridge from blocks of signature features to the deviation of every gene from the mean training effect.

    The penalty is chosen inside the training rows by squared error under a cross-validation that keeps groups whole.
    Scaling and imputation are refitted in each of its folds. A missing effect counts as the training mean. A row that
    no source covers gets the training mean exactly.

    Parameters
    ----------
    blocks
        Block of each feature; see :class:`SignatureBlocks`.
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

    inputs: ClassVar[Inputs] = "X"

    def __init__(
        self,
        blocks: Labels | None = None,
        *,
        indicator: bool = False,
        alphas: tuple[float, ...] = _ALPHAS,
        inner_folds: int = 5,
    ) -> None:
        self.blocks = blocks
        self.indicator = indicator
        self.alphas = alphas
        self.inner_folds = inner_folds

    def fit(self, X: Array, Y: Array, *, groups: Labels | None = None, sample_weight: Doubles | None = None) -> Self:  # noqa: N803
        """Choose the penalty and fit.

        Parameters
        ----------
        X, Y
            Features and effects; NaN is missing.
        groups
            Rows that the inner cross-validation keeps together; by default each row is its own group.
        sample_weight
            Trust in each row, such as :func:`featurestore.evaluate.cell_weights`.
        """
        groups = np.arange(len(X)).astype(str) if groups is None else groups
        self.mean_ = mean_effect(Y)
        specific = np.nan_to_num(np.asarray(Y, dtype=np.float64) - self.mean_)
        regressors = SignatureBlocks(self.blocks, indicator=self.indicator)
        pipeline = Pipeline([("blocks", regressors), ("ridge", Ridge(alpha=max(self.alphas)))])
        n_folds = min(self.inner_folds, len(np.unique(groups)))
        if n_folds > 1 and len(self.alphas) > 1:
            folds = GroupKFold(n_folds)
            pipeline = GridSearchCV(pipeline, {"ridge__alpha": self.alphas}, scoring="neg_mean_squared_error", cv=folds)
            pipeline.fit(X, specific, groups=groups, ridge__sample_weight=sample_weight)
            pipeline = pipeline.best_estimator_
        else:
            pipeline.fit(X, specific, ridge__sample_weight=sample_weight)
        self.pipeline_ = pipeline
        self.alpha_ = float(pipeline["ridge"].alpha)
        return self

    def predict(self, X: Array) -> Doubles:  # noqa: N803
        """Predict effects, shape (rows, genes)."""
        check_is_fitted(self)
        specific = self.pipeline_.predict(X)
        return np.asarray(self.mean_ + np.where(self.covered(X)[:, None], specific, 0.0))

    def covered(self, X: Array) -> Truths:  # noqa: N803
        """Say which rows have any feature."""
        return np.asarray(np.isfinite(X).any(axis=1))
