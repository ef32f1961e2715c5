"""What all regressions on external signatures share: the train mean, gaps, outputs as components, and the fallback."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from featurestore.models.baseline import Array, Doubles, Inputs, Labels, Truths, mean_effect
from featurestore.models.blocks import SignatureBlocks


class RegressionOnSignatures(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A regression from blocks of signature features to the deviation of every gene from the mean training effect.

    A missing effect counts as the training mean. A row that no source covers gets the training mean exactly.

    Parameters
    ----------
    blocks
        Block of each feature; see :class:`SignatureBlocks`.
    components
        Predict this many principal components of the training effects, in place of genes where there are more; None
        predicts the genes.
    """

    inputs: ClassVar[Inputs] = "X"
    pipeline_: Pipeline

    def __init__(self, blocks: Labels | None = None, *, components: int | None = None) -> None:
        self.blocks = blocks
        self.components = components

    def fit(self, X: Array, Y: Array, *, groups: Labels | None = None, sample_weight: Doubles | None = None) -> Self:  # noqa: N803
        """Choose what there is to choose inside the training rows, and fit.

        Parameters
        ----------
        X, Y
            Features and effects; NaN is missing.
        groups
            Rows that the inner cross-validation keeps together; by default each row is its own group.
        sample_weight
            Trust in each row, such as :func:`featurestore.evaluation.cell_weights`.
        """
        self.mean_ = mean_effect(Y)
        specific = np.nan_to_num(np.asarray(Y, dtype=np.float64) - self.mean_)
        k = 0 if self.components is None else min(self.components, len(X) - 1)
        self.outputs_ = principal_components(specific, k) if 1 <= k < specific.shape[1] else None
        outputs = specific if self.outputs_ is None else self.outputs_.transform(specific)
        groups = np.arange(len(X)).astype(str) if groups is None else groups
        self._fit(X, outputs, groups, np.ones(len(X)) if sample_weight is None else sample_weight)
        return self

    def predict(self, X: Array) -> Doubles:  # noqa: N803
        """Predict effects, shape (rows, genes)."""
        check_is_fitted(self)
        outputs = self._predict(X).reshape(len(X), -1)
        specific = outputs if self.outputs_ is None else self.outputs_.inverse_transform(outputs)
        return np.asarray(self.mean_ + np.where(self.covered(X)[:, None], specific, 0.0))

    def covered(self, X: Array) -> Truths:  # noqa: N803
        """Say which rows have any feature."""
        return np.asarray(np.isfinite(X).any(axis=1))

    @abstractmethod
    def _fit(self, X: Array, outputs: Doubles, groups: Labels, weights: Doubles) -> None:  # noqa: N803
        """Fit deviations, shape (rows, outputs), on features."""

    def _predict(self, X: Array) -> Doubles:  # noqa: N803
        """Predict deviations, shape (rows, outputs): what the fitted ``pipeline_`` says, where there is one."""
        return np.asarray(self.pipeline_.predict(X))


def principal_components(values: Doubles, k: int) -> PCA | None:
    """Fit k principal components of values, shape (rows, columns); None where no two rows differ: there are none."""
    return PCA(k, random_state=0).fit(values) if np.ptp(values, axis=0).any() else None


def searched(
    model: Any,
    grid: dict[str, Any],
    blocks: Labels | None,
    X: Array,  # noqa: N803
    outputs: Doubles,
    groups: Labels,
    inner_folds: int,
    **fitted_with: Doubles,
) -> Pipeline:
    """Fit a model behind blocks with the options of a grid that predict unseen groups best by squared error.

    Scaling and imputation are refitted in each fold. With a single group, or nothing to choose, the model is taken as
    it is.

    Parameters
    ----------
    model
        A scikit-learn regressor.
    grid
        Options to choose from.
    blocks, X, outputs, groups
        As in a regression.
    inner_folds
        Folds of the inner cross-validation; fewer where there are fewer groups.
    fitted_with
        What the model's fit is told of each row.
    """
    pipeline = Pipeline([("blocks", SignatureBlocks(blocks)), ("model", model)])
    told = {f"model__{name}": values for name, values in fitted_with.items()}
    n_folds = min(inner_folds, len(np.unique(groups)))
    if n_folds <= 1 or all(len(values) == 1 for values in grid.values()):
        return pipeline.fit(X, outputs, **told)
    options = {f"model__{name}": values for name, values in grid.items()}
    search = GridSearchCV(pipeline, options, scoring="neg_mean_squared_error", cv=GroupKFold(n_folds))
    search.fit(X, outputs, groups=groups, **told)
    return search.best_estimator_
