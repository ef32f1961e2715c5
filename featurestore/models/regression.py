"""What all regressions on external signatures share: the train mean, gaps, outputs as components, and the fallback."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from featurestore.models.baseline import Array, Doubles, Inputs, Labels, Truths
from featurestore.models.outputs import Deviations, Outputs

Positions = npt.NDArray[np.intp]

_TINY = 1e-9


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

    def fit(
        self,
        X: Array,  # noqa: N803
        Y: Array,  # noqa: N803
        *,
        groups: Labels | None = None,
        sample_weight: Doubles | None = None,
        deviations: Deviations | None = None,
    ) -> Self:
        """Choose what there is to choose inside the training rows, and fit.

        Parameters
        ----------
        X, Y
            Features, shape (rows, features), and effects, shape (rows, genes); NaN is missing.
        groups
            Rows that the inner cross-validation keeps together; by default each row is its own group.
        sample_weight
            Trust in each row, such as :func:`featurestore.evaluation.cell_weights`. Shape (rows,).
        deviations
            Those of Y, where other regressions are fitted to them too.
        """
        outputs = self._outputs(Deviations(Y) if deviations is None else deviations)
        self._fit(X, outputs, *rows_told(len(X), groups, sample_weight))
        return self

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
        """Fit a copy of this model on each of some sets of features: whole blocks, each shape (features,)."""
        told: dict[str, Any] = {"groups": groups, "sample_weight": sample_weight}
        told["deviations"] = Deviations(Y) if deviations is None else deviations
        return [self._narrowed(features).fit(X[:, features], Y, **told) for features in subsets]

    def _narrowed(self, features: Truths) -> Self:
        """Return an unfitted copy that takes some of the features."""
        blocks = None if self.blocks is None else np.asarray(self.blocks)[features]
        narrowed: Self = clone(self).set_params(blocks=blocks)
        return narrowed

    def _outputs(self, deviations: Deviations) -> Outputs:
        """Learn the mean, and the components that are predicted in place of genes."""
        self.mean_, self.outputs_ = deviations.mean, None
        k = 0 if self.components is None else min(self.components, deviations.n_rows - 1)
        if 1 <= k < len(self.mean_) and (reduced := deviations.components(k)) is not None:
            self.outputs_, scores = reduced
            return Outputs(scores)
        return Outputs(deviations.values(), deviations)

    def predict(self, X: Array) -> Doubles:  # noqa: N803
        """Predict effects, shape (rows, genes)."""
        check_is_fitted(self)
        outputs = self._predict(X).reshape(len(X), -1)
        specific = outputs if self.outputs_ is None else self.outputs_.inverse_transform(outputs)
        effects: Doubles = np.where(self.covered(X)[:, None], specific, 0.0)
        effects += self.mean_
        return effects

    def covered(self, X: Array) -> Truths:  # noqa: N803
        """Say which rows have any feature."""
        return np.asarray(np.isfinite(X).any(axis=1))

    @abstractmethod
    def _fit(self, X: Array, outputs: Outputs, groups: Labels, weights: Doubles) -> None:  # noqa: N803
        """Fit deviations on features."""

    def _predict(self, X: Array) -> Doubles:  # noqa: N803
        """Predict deviations, shape (rows, outputs): what the fitted ``pipeline_`` says, where there is one."""
        return np.asarray(self.pipeline_.predict(X))


def rows_told(n_rows: int, groups: Labels | None, weights: Doubles | None) -> tuple[Labels, Doubles]:
    """Make every row a group of its own and trust all alike, where nothing else is said."""
    alone = np.arange(n_rows).astype(str) if groups is None else groups
    return alone, np.ones(n_rows) if weights is None else weights


def inner_parts(groups: Labels, n_folds: int) -> list[tuple[Positions, Positions]]:
    """Cut rows into parts that keep groups whole, no more than there are groups; nothing of a single group."""
    n_folds = min(n_folds, len(np.unique(groups)))
    return list(GroupKFold(n_folds).split(groups, groups=groups)) if n_folds > 1 else []


def evened(trust: Doubles, deviations: Array) -> Doubles:
    """Weigh a row less the stronger its effect is, or a few strong perturbations would settle all alone.

    Parameters
    ----------
    trust
        Trust in each row.
    deviations
        Measured deviations from the train mean, shape (rows, genes); NaN does not count.

    Returns
    -------
    Trust over the root of a row's mean square, of weak rows over a tenth of the median's. Shape (rows,).
    """
    known = np.isfinite(deviations)
    length = np.sqrt(np.square(np.where(known, deviations, 0.0)).sum(axis=1) / np.maximum(known.sum(axis=1), 1))
    return np.asarray(trust / np.maximum(length, max(0.1 * float(np.median(length)), _TINY)))
