"""The linear model of Ahlmann-Eltze, Huber and Anders: gene embedding times weights times perturbation embedding."""

from __future__ import annotations

import numpy as np
from scipy.sparse.linalg import eigsh

from featurestore.models.baseline import Array, Doubles, Labels
from featurestore.models.blocks import SignatureBlocks
from featurestore.models.components import principal_components
from featurestore.models.outputs import Outputs
from featurestore.models.regression import RegressionOnSignatures


class BilinearOnSignatures(RegressionOnSignatures):
    r"""Deviations as a bilinear form of what genes and perturbations are like.

    .. math:: Y \approx G K P^T, \quad K = (G^T G + \lambda I)^{-1} G^T Y P (P^T P + \lambda I)^{-1}

    G, shape (genes, k), are the principal axes of the training effects; P, shape (rows, k), the principal components of
    the external signatures. Nothing is searched, and weights have no influence: it is the published model.

    Parameters
    ----------
    blocks
        Block of each feature; see :class:`SignatureBlocks`.
    dimensions
        Length k of both embeddings; fewer where there are fewer genes, rows or features.
    penalty
        Lambda, on both sides.

    Source: Ahlmann-Eltze et al. 2025, with the perturbation embedding of another dataset, k = 10 and lambda = 0.1.
    """

    def __init__(self, blocks: Labels | None = None, *, dimensions: int = 10, penalty: float = 0.1) -> None:
        super().__init__(blocks)
        self.dimensions = dimensions
        self.penalty = penalty

    def _fit(self, X: Array, outputs: Outputs, groups: Labels, weights: Doubles) -> None:  # noqa: ARG002, N803
        self.blocks_ = SignatureBlocks(self.blocks).fit(X)
        values = self.blocks_.transform(X)
        self.embedding_ = principal_components(values, min(self.dimensions, *values.shape))
        P = self._embedded(values)  # noqa: N806
        G = self._gene_embedding(outputs)  # noqa: N806
        inner_g = G.T @ G + self.penalty * np.eye(G.shape[1])
        inner_p = P.T @ P + self.penalty * np.eye(P.shape[1])
        weights_ = np.linalg.solve(inner_g, (outputs.values @ G).T @ P)
        self.map_ = np.asarray(G @ np.linalg.solve(inner_p, weights_.T).T)

    def _gene_embedding(self, outputs: Outputs) -> Doubles:
        """Return G, the leading left singular vectors of the effects by gene, times their singular values."""
        n, n_genes = outputs.values.shape
        k = min(self.dimensions, n, n_genes)
        if n_genes < n:
            axes, singular, _ = np.linalg.svd(outputs.values.T, full_matrices=False)
            return np.asarray(axes[:, :k] * singular[:k])
        if k < n // 5 and outputs.products.any():
            leading = eigsh(outputs.products, k, v0=np.random.default_rng(0).uniform(-1, 1, (n,)))[1]
        else:
            leading = np.linalg.eigh(outputs.products)[1][:, n - k :]
        return np.asarray(outputs.values.T @ leading)

    def _predict(self, X: Array) -> Doubles:  # noqa: N803
        return np.asarray(self._embedded(self.blocks_.transform(X)) @ self.map_.T)

    def _embedded(self, values: Doubles) -> Doubles:
        """Return P, of length 0 where no two training rows differ."""
        return np.zeros((len(values), 0)) if self.embedding_ is None else np.asarray(self.embedding_.transform(values))
