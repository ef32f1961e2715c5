"""A random forest on external signatures: the same inputs as the ridge, without its linearity."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestRegressor
from sklearn.utils.validation import check_is_fitted

from featurestore.models.baseline import Array, Doubles, Inputs, Labels, Truths, mean_effect
from featurestore.models.blocks import SignatureBlocks


class ForestOnSignatures(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Random forest from blocks of signature features to the main directions of the effects.

    With more genes than ``components`` the trees predict the principal components of the training effects, fitted on
    the training rows alone, and the prediction is turned back into genes. A missing effect counts as the training mean.
    A row that no source covers gets the training mean exactly.

    Parameters
    ----------
    blocks
        Block of each feature; see :class:`SignatureBlocks`. The trees are told which blocks a row has.
    components
        Most outputs the trees predict.
    n_estimators, min_samples_leaf, max_features
        As of :class:`sklearn.ensemble.RandomForestRegressor`.
    n_jobs
        Threads.
    random_state
        Seed.
    """

    inputs: ClassVar[Inputs] = "X"

    def __init__(
        self,
        blocks: Labels | None = None,
        *,
        components: int = 30,
        n_estimators: int = 200,
        min_samples_leaf: int = 2,
        max_features: float = 1 / 3,
        n_jobs: int = 2,
        random_state: int = 0,
    ) -> None:
        self.blocks = blocks
        self.components = components
        self.n_estimators = n_estimators
        self.min_samples_leaf = min_samples_leaf
        self.max_features = max_features
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: Array, Y: Array, *, groups: Labels | None = None, sample_weight: Doubles | None = None) -> Self:  # noqa: ARG002, N803
        """Fit the outputs' components and the trees; groups have no influence."""
        self.mean_ = mean_effect(Y)
        specific = np.nan_to_num(np.asarray(Y, dtype=np.float64) - self.mean_)
        self.blocks_ = SignatureBlocks(self.blocks, indicator=True).fit(X)
        self.forest_ = RandomForestRegressor(
            n_estimators=self.n_estimators,
            min_samples_leaf=self.min_samples_leaf,
            max_features=self.max_features,
            n_jobs=self.n_jobs,
            random_state=self.random_state,
        )
        k = min(self.components, len(X) - 1)
        self.outputs_ = PCA(k, random_state=0).fit(specific) if 1 <= k < specific.shape[1] else None
        outputs = specific if self.outputs_ is None else self.outputs_.transform(specific)
        outputs = outputs.ravel() if outputs.shape[1] == 1 else outputs
        self.forest_.fit(self.blocks_.transform(X), outputs, sample_weight=sample_weight)
        return self

    def predict(self, X: Array) -> Doubles:  # noqa: N803
        """Predict effects, shape (rows, genes)."""
        check_is_fitted(self)
        outputs = self.forest_.predict(self.blocks_.transform(X)).reshape(len(X), -1)
        specific = outputs if self.outputs_ is None else self.outputs_.inverse_transform(outputs)
        return np.asarray(self.mean_ + np.where(self.covered(X)[:, None], specific, 0.0))

    def covered(self, X: Array) -> Truths:  # noqa: N803
        """Say which rows have any feature."""
        return np.asarray(np.isfinite(X).any(axis=1))
