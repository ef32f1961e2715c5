"""A blend of models: what each says of a row that it has not seen, weighted by how well it did on others."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from featurestore.models.baseline import Array, Doubles, Inputs, Labels, Truths
from featurestore.models.bilinear import BilinearOnSignatures
from featurestore.models.elsewhere import SamePerturbationElsewhere
from featurestore.models.inputs import RowInputs
from featurestore.models.kernel_ridge import KernelRidgeOnSignatures
from featurestore.models.neighbours import NeighboursOnSignatures
from featurestore.models.outputs import Deviations
from featurestore.models.regression import Positions, inner_parts, rows_told
from featurestore.models.ridge import RidgeOnSignatures
from featurestore.models.stacking import FEWEST_ROWS, blend_magnitude, compared_on, weights_by_coverage

_FOLDS_AT_ONCE = 2
"""Inner folds that are held out beside each other: each has the deviations of its rows in memory."""


def blend_parts(blocks: Labels | None) -> dict[str, Any]:
    """Make the parts of a blend; a rescaled one would be none of its own, since a weight rescales."""
    return {
        "elsewhere": SamePerturbationElsewhere(),
        "neighbours": NeighboursOnSignatures(blocks),
        "bilinear": BilinearOnSignatures(blocks),
        "ridge": RidgeOnSignatures(blocks, indicator=True),
        "kernel_ridge": KernelRidgeOnSignatures(blocks),
    }


class Blend(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Weighted sum of what several models say beyond the train mean.

    Weights and magnitude are learnt inside the training rows: every part predicts each group of them while it is held
    out, with the options that it chose on all of them. Rows of which no source has the effect are weighted apart, where
    there are enough. X is a :class:`RowInputs`. A row of which no part has anything to say gets the train mean exactly.

    Parameters
    ----------
    blocks
        Block of each feature; see :class:`SignatureBlocks`.
    parts
        Unfitted models by name; by default those of :func:`blend_parts`.
    inner_folds
        Folds of the inner cross-validation; fewer where there are fewer groups.

    Attributes
    ----------
    weights_, weights_uncovered_
        Weight of each part, and of the train mean: what is missing of 1. Of rows of which some source has the effect,
        and of the others.
    magnitude_, magnitude_uncovered_
        Factor of the weighted sum, and of that of rows of which no source has the effect; see :func:`blend_magnitude`.
    """

    inputs: ClassVar[Inputs] = "all"

    def __init__(
        self, blocks: Labels | None = None, *, parts: dict[str, Any] | None = None, inner_folds: int = 5
    ) -> None:
        self.blocks = blocks
        self.parts = parts
        self.inner_folds = inner_folds

    def fit(
        self,
        X: RowInputs,  # noqa: N803
        Y: Array,  # noqa: N803
        *,
        groups: Labels | None = None,
        sample_weight: Doubles | None = None,
        deviations: Deviations | None = None,
        fitted: Sequence[Any] = (),
    ) -> Self:
        """Fit every part on all rows, and again on all but each fold of groups for the weights.

        Parameters
        ----------
        X, Y
            What is known of rows, and their effects, shape (rows, genes); NaN is missing.
        groups
            Rows that the inner cross-validation keeps together; by default each row is its own group.
        sample_weight
            Trust in each row. Shape (rows,).
        deviations
            Those of Y, where other regressions are fitted to them too.
        fitted
            Models that were fitted to just this before: a part that is like one of them is not fitted again.
        """
        groups, trust = rows_told(len(X), groups, sample_weight)
        templates = blend_parts(self.blocks) if self.parts is None else self.parts
        shared = Deviations(Y) if deviations is None else deviations
        told = {"groups": groups, "sample_weight": trust}
        self.mean_ = shared.mean
        self.parts_ = {}
        for name, model in templates.items():
            before = [one for one in fitted if are_alike(one, model)]
            self.parts_[name] = before[0] if before else _fitted(clone(model), X, Y, shared, **told)
        self.shares_ = np.full((2, len(templates)), 1 / len(templates))
        self.magnitude_ = self.magnitude_uncovered_ = 1.0
        if inner := inner_parts(groups, self.inner_folds):
            self._weigh(X, Y, groups, trust, *self._held_out(X, Y, groups, trust, inner, shared))
        self.weights_uncovered_, self.weights_ = (
            dict(zip(templates, shares.tolist(), strict=True)) | {"train_mean": max(0.0, 1 - float(shares.sum()))}
            for shares in self.shares_
        )
        return self

    def _weigh(
        self,
        X: RowInputs,  # noqa: N803
        Y: Array,  # noqa: N803
        groups: Labels,
        trust: Doubles,
        held_out: dict[str, Array],
        mean: Array,
    ) -> None:
        """Learn weights and magnitudes from what parts and train mean said of held-out rows, which is overwritten."""
        rows, genes = compared_on(*Y.shape)
        some = np.ix_(rows, genes)
        parts = {name: part[some] for name, part in held_out.items()}
        beyond = [np.subtract(part, mean, out=part) for part in held_out.values()]
        self.shares_ = weights_by_coverage(beyond, np.where(X.own, np.nan, Y) - mean, trust, X.has_elsewhere)
        shares = zip(self._shares(X[rows]), beyond, strict=True)
        centre, measured, own, labels = mean[some], Y[some], X.own[some], groups[rows]
        blended = centre + sum(share * part[some] for share, part in shares)
        self.magnitude_ = self.magnitude_uncovered_ = blend_magnitude(blended, parts, centre, measured, own, labels)
        bare = ~X[rows].has_elsewhere
        if FEWEST_ROWS <= bare.sum() < len(bare):
            uncovered = {name: part[bare] for name, part in parts.items()}
            self.magnitude_uncovered_ = blend_magnitude(
                blended[bare], uncovered, centre[bare], measured[bare], own[bare], labels[bare]
            )

    def _shares(self, X: RowInputs) -> Doubles:  # noqa: N803
        """Return the weight of each part for each row, shape (parts, rows, 1)."""
        return np.asarray(self.shares_[X.has_elsewhere.astype(np.intp)].T[:, :, None])

    def _held_out(
        self,
        X: RowInputs,  # noqa: N803
        Y: Array,  # noqa: N803
        groups: Labels,
        trust: Doubles,
        inner: list[tuple[Positions, Positions]],
        whole: Deviations,
    ) -> tuple[dict[str, Array], Array]:
        """Predict each row without its group, by every part and by the train mean; two folds at once."""
        mean = np.empty(Y.shape, np.float32)
        predicted = {name: np.empty(Y.shape, np.float32) for name in self.parts_}

        def hold_out(fold: tuple[Positions, Positions]) -> None:
            train, test = fold
            shared = whole.some(train)
            told = {"groups": groups[train], "sample_weight": trust[train]}
            inside, outside, effects = X[train], X[test], Y[train]
            mean[test] = shared.mean
            for name, part in self.parts_.items():
                model = _fitted(as_chosen(part), inside, effects, shared, **told)
                predicted[name][test] = model.predict(outside.of(model))

        with ThreadPoolExecutor(_FOLDS_AT_ONCE) as pool:
            list(pool.map(hold_out, inner))
        return predicted, mean

    def predict(self, X: RowInputs) -> Doubles:  # noqa: N803
        """Predict effects, shape (rows, genes)."""
        check_is_fitted(self)
        total = np.zeros((len(X), len(self.mean_)))
        for share, model in zip(self._shares(X), self.parts_.values(), strict=True):
            if share.any():
                total += share * (model.predict(X.of(model)) - self.mean_)
        factor = np.where(X.has_elsewhere, self.magnitude_, self.magnitude_uncovered_)
        factor = np.where(self.covered(X), factor, 1.0)[:, None]
        return np.asarray(factor * (self.mean_ + total))

    def covered(self, X: RowInputs) -> Truths:  # noqa: N803
        """Say which rows some part has something to say about."""
        return np.asarray(np.any([model.covered(X.of(model)) for model in self.parts_.values()], axis=0))


def as_chosen(fitted: Any) -> Any:
    """Return an unfitted copy of a model that chooses nothing: its options are those that it chose before."""
    return clone(fitted).set_params(**getattr(fitted, "chosen", {}))


def are_alike(model: Any, other: Any) -> bool:
    """Say whether two models are of one class and have the same options."""
    ours, theirs = model.get_params(deep=False), other.get_params(deep=False)
    return type(model) is type(other) and all(np.array_equal(ours[name], value) for name, value in theirs.items())


def _fitted(model: Any, X: RowInputs, Y: Array, shared: Deviations, **told: Any) -> Any:  # noqa: N803
    takes = {"deviations": shared} if has_fit_parameter(model, "deviations") else {}
    return model.fit(X.of(model), Y, **told, **takes)
