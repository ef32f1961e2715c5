"""A forest of random trees on external signatures: the same inputs as the ridge, without its linearity."""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import ExtraTreesRegressor

from featurestore.models.baseline import Array, Doubles, Labels
from featurestore.models.blocks import SignatureBlocks
from featurestore.models.outputs import Outputs
from featurestore.models.regression import RegressionOnSignatures


class ForestOnSignatures(RegressionOnSignatures):
    """Extremely randomised trees from blocks of signature features to the main directions of the effects.

    Cuts are drawn at random, not searched: a quarter of the time of a random forest, whose scores are no better.

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
        As of :class:`sklearn.ensemble.ExtraTreesRegressor`.
    n_jobs
        Threads.
    random_state
        Seed.
    """

    def __init__(
        self,
        blocks: Labels | None = None,
        *,
        components: int | None = 30,
        n_estimators: int = 60,
        min_samples_leaf: int = 2,
        max_features: float = 1.0,
        n_jobs: int = 2,
        random_state: int = 0,
    ) -> None:
        super().__init__(blocks, components=components)
        self.n_estimators = n_estimators
        self.min_samples_leaf = min_samples_leaf
        self.max_features = max_features
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _fit(self, X: Array, outputs: Outputs, groups: Labels, weights: Doubles) -> None:  # noqa: ARG002, N803
        """Fit the trees; groups have no influence."""
        self.blocks_ = SignatureBlocks(self.blocks, indicator=True).fit(X)
        self.forest_ = ExtraTreesRegressor(
            n_estimators=self.n_estimators,
            min_samples_leaf=self.min_samples_leaf,
            max_features=self.max_features,
            n_jobs=self.n_jobs,
            random_state=self.random_state,
        )
        targets = outputs.values.ravel() if outputs.values.shape[1] == 1 else outputs.values
        self.forest_.fit(self.blocks_.transform(X), targets, sample_weight=weights)

    def _predict(self, X: Array) -> Doubles:  # noqa: N803
        return np.asarray(self.forest_.predict(self.blocks_.transform(X)))
