"""From a feature matrix with gaps to regressors: blocks of equal weight, a missing source at its own mean."""

from __future__ import annotations

from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from featurestore.models.baseline import Array, Doubles, Labels, Truths, mean_effect


class SignatureBlocks(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Centre features, scale blocks to equal norm, and impute a missing feature as 0: the mean of the training rows.

    The columns of a block keep their relative scale, so a first principal component stays larger than a tenth. A block
    is divided by the root mean square length of the rows that have it, so that sources on different scales (z-scores,
    log fold changes) and of different coverage weigh the same. All of it is learnt from the training rows.

    Parameters
    ----------
    blocks
        Block of each feature; by default all are one block.
    indicator
        Whether to append, for each block, whether the row has it (centred).
    """

    def __init__(self, blocks: Labels | None = None, *, indicator: bool = False) -> None:
        self.blocks = blocks
        self.indicator = indicator

    def fit(self, X: Array, Y: Array | None = None) -> Self:  # noqa: ARG002, N803
        """Learn means and scales.

        Raises
        ------
        ValueError
            ``blocks`` are of another number of features.
        """
        self.n_features_in_ = X.shape[1]
        labels = np.zeros(X.shape[1]) if self.blocks is None else np.asarray(self.blocks)
        if len(labels) != X.shape[1]:
            raise ValueError(f"blocks names {len(labels)} features; X has {X.shape[1]}")
        self.block_names_, self.block_of_ = np.unique(labels, return_inverse=True)
        self.mean_ = mean_effect(X)
        squares = np.square(np.nan_to_num(X - self.mean_))
        norms = np.ones(len(self.block_names_))
        for block, has in enumerate(self._has(X).T):
            if has.any():
                norms[block] = np.sqrt(squares[:, self.block_of_ == block].sum() / has.sum())
        self.scale_ = np.where(norms > 0, norms, 1.0)[self.block_of_]
        self.coverage_ = self._has(X).mean(axis=0)
        return self

    def transform(self, X: Array) -> Doubles:  # noqa: N803
        """Return regressors without gaps, shape (rows, features), or with one more column per block.

        Raises
        ------
        ValueError
            X has another number of features than was fitted.
        """
        check_is_fitted(self)
        if X.shape[1] != self.n_features_in_:
            raise ValueError(f"X has {X.shape[1]} features; {self.n_features_in_} were fitted")
        values = np.nan_to_num((X - self.mean_) / self.scale_)
        return np.hstack([values, self._has(X) - self.coverage_]) if self.indicator else np.asarray(values)

    def regressors_of(self, features: Truths) -> Truths:
        """Say which regressors some of the features have, whole blocks, shape (regressors,): as if no other were.

        Raises
        ------
        ValueError
            Some are a part of a block.
        """
        check_is_fitted(self)
        of_block = np.array([features[self.block_of_ == b].any() for b in range(len(self.block_names_))], dtype=bool)
        if not np.array_equal(of_block[self.block_of_], features):
            raise ValueError("features are taken by whole blocks")
        return np.append(features, of_block) if self.indicator else features

    def _has(self, X: Array) -> Doubles:  # noqa: N803
        """Whether a row has any feature of a block, shape (rows, blocks)."""
        present = np.isfinite(X)
        blocks = range(len(self.block_names_))
        return np.stack([present[:, self.block_of_ == b].any(axis=1) for b in blocks], axis=1).astype(np.float64)
