"""What a perturbation does to the genes that are like it: one slope for each feature that both have."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from featurestore.models.baseline import Array, Doubles, Inputs, Labels, Truths, mean_effect
from featurestore.models.inputs import RowInputs
from featurestore.models.regression import Positions, evened, inner_parts, rows_told

_ALPHAS = tuple(np.logspace(-3, 3, 7))
_FREE = 1e-6
"""Penalty of the slope that a block's features share, as a share of the mean square of a feature."""
_AT_ONCE = 2**20
"""Numbers of single pairs that are in memory at once."""


class DiagonalOnGenes(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    r"""Deviations as a diagonal bilinear form of what the perturbed and the measured gene are known to be like.

    .. math:: Y_{pg} \approx \sum_j w_j a_{pj} b_{gj}

    Both are described by the same features: the gene sets that a gene is in, its vector, or how it responds elsewhere.
    Features of a block share a slope, and each may leave it, under a penalty that is chosen inside the training rows;
    where no penalty beats the mean training effect there, that is predicted. So few parameters can be learnt from few
    perturbations, and for perturbations that no source did. A row without any of the features gets the mean exactly.

    Parameters
    ----------
    columns
        Positions in X of the features that measured genes have too.
    of_genes
        These features of the measured genes, shape (genes, features); NaN where a gene has none.
    blocks
        Block of each of them.
    alphas
        Penalties to choose from, as shares of the mean square of a feature over pairs.
    inner_folds
        Folds of the inner cross-validation; fewer where there are fewer groups.

    Attributes
    ----------
    alpha_
        The penalty chosen; infinite where the mean was best.
    slopes_
        Slope of each feature, shape (features,).

    Source: the diagonal bilinear form of Yang et al. 2015 (DistMult), fitted by ridge regression.
    """

    inputs: ClassVar[Inputs] = "all"

    def __init__(
        self,
        columns: Positions,
        of_genes: Array,
        blocks: Labels,
        *,
        alphas: tuple[float, ...] = _ALPHAS,
        inner_folds: int = 5,
    ) -> None:
        self.columns = columns
        self.of_genes = of_genes
        self.blocks = blocks
        self.alphas = alphas
        self.inner_folds = inner_folds

    def fit(
        self,
        X: RowInputs,  # noqa: N803
        Y: Array,  # noqa: N803
        *,
        groups: Labels | None = None,
        sample_weight: Doubles | None = None,
    ) -> Self:
        """Choose a penalty inside the training rows, and fit; own targets do not count."""
        groups, trust = rows_told(len(X), groups, sample_weight)
        shared = self._describe_genes()
        visible = np.where(X.own, np.nan, Y)
        self.alpha_ = self._penalty(X, Y, visible, groups, trust, shared)
        self.mean_ = mean_effect(Y)
        described, self.origin_ = self._rows(X)
        self.slopes_ = _slopes(*self._products(described, visible - self.mean_, trust), shared, self.alpha_)
        return self

    def _describe_genes(self) -> Doubles:
        """Centre the features of genes, scale each block, and return which each is of, shape (features, blocks)."""
        genes = np.asarray(self.of_genes, np.float64)
        self.centre_ = mean_effect(genes)
        genes = np.nan_to_num(genes - self.centre_)
        _, of_block = np.unique(self.blocks, return_inverse=True)
        lengths = np.sqrt(np.bincount(of_block, np.square(genes).sum(axis=0)) / max(len(genes), 1))
        self.scale_ = np.where(lengths > 0, lengths, 1.0)[of_block]
        self.genes_ = genes / self.scale_
        return np.eye(int(of_block.max(initial=-1)) + 1)[of_block]

    def _penalty(
        self,
        X: RowInputs,  # noqa: N803
        Y: Array,  # noqa: N803
        visible: Array,
        groups: Labels,
        trust: Doubles,
        shared: Doubles,
    ) -> float:
        """Return the penalty with the smallest squared error on groups held out; infinite where the mean has less."""
        inner = inner_parts(groups, self.inner_folds)
        if not inner:
            return float(self.alphas[0]) if len(self.alphas) == 1 else np.inf
        errors = np.zeros(len(self.alphas))
        for train, test in inner:
            mean, (described, origin) = mean_effect(Y[train]), self._rows(X[train])
            fitted = self._products(described, visible[train] - mean, trust[train])
            gram, moment = self._products(self._described(X[test], origin), visible[test] - mean, trust[test])
            for place, alpha in enumerate(self.alphas):
                slopes = _slopes(*fitted, shared, alpha)
                errors[place] += slopes @ gram @ slopes - 2 * slopes @ moment
        place = int(errors.argmin())
        return float(self.alphas[place]) if errors[place] < 0 else np.inf

    @property
    def chosen(self) -> dict[str, Any]:
        """The penalty, as an option."""
        return {"alphas": (self.alpha_,)}

    def predict(self, X: RowInputs) -> Doubles:  # noqa: N803
        """Predict effects, shape (rows, genes)."""
        check_is_fitted(self)
        described = self._described(X, self.origin_)
        return np.asarray(self.mean_ + (described * self.slopes_) @ self.genes_.T)

    def covered(self, X: RowInputs) -> Truths:  # noqa: N803
        """Say which rows have any of the features."""
        return np.asarray(np.isfinite(X.X[:, self.columns]).any(axis=1))

    def _rows(self, X: RowInputs) -> tuple[Doubles, Doubles]:  # noqa: N803
        """Describe training rows in the genes' terms, less their own mean; and that mean."""
        origin = mean_effect((X.X[:, self.columns] - self.centre_) / self.scale_)
        return self._described(X, origin), origin

    def _described(self, X: RowInputs, origin: Doubles) -> Doubles:  # noqa: N803
        """Describe rows in the genes' terms, shape (rows, features); what is missing is the training mean."""
        return np.nan_to_num((X.X[:, self.columns] - self.centre_) / self.scale_ - origin)

    def _products(self, rows: Doubles, deviations: Doubles, trust: Doubles) -> tuple[Doubles, Doubles]:
        """Return cross products of features over pairs of row and gene, and with the deviations; NaN does not count.

        Over all pairs the cross products are those of rows times those of genes, element by element; pairs without an
        effect are taken away. Rows weigh as :func:`evened` says, as in a blend.
        """
        known = np.isfinite(deviations)
        filled = np.where(known, deviations, 0.0)
        weight = evened(trust, deviations)
        moment = ((weight[:, None] * rows) * (filled @ self.genes_)).sum(axis=0)
        is_sparse = 2 * known.sum() < known.size
        row, gene = np.nonzero(known if is_sparse else ~known)
        some = np.zeros((rows.shape[1], rows.shape[1]))
        step = max(1, _AT_ONCE // max(rows.shape[1], 1))
        for first in range(0, len(row), step):
            pairs = slice(first, first + step)
            values = rows[row[pairs]] * self.genes_[gene[pairs]]
            some += values.T @ (weight[row[pairs], None] * values)
        every = (rows.T @ (weight[:, None] * rows)) * (self.genes_.T @ self.genes_)
        return (some if is_sparse else every - some), moment


def _slopes(gram: Doubles, moment: Doubles, shared: Doubles, alpha: float) -> Doubles:
    """Solve for the slopes that blocks share, and for what each feature departs from its block's."""
    scale = float(np.trace(gram)) / max(len(gram), 1)
    if scale <= 0 or np.isinf(alpha):
        return np.zeros(len(gram))
    parts = np.hstack([shared, np.eye(len(gram))])
    penalty = scale * np.concatenate([np.full(shared.shape[1], _FREE), np.full(len(gram), alpha)])
    return np.asarray(parts @ np.linalg.solve(parts.T @ gram @ parts + np.diag(penalty), parts.T @ moment))
