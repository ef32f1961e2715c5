"""Grouped cross-validation: every row is predicted once, by models that saw none of its perturbation."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl
from sklearn.base import clone
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from featurestore.evaluate.evaluation import Evaluation
from featurestore.evaluate.scoring import METRICS, score_fold, score_table
from featurestore.features.perturbations import own_targets
from featurestore.models import ForestOnSignatures, NoChange, RidgeOnSignatures, SamePerturbationElsewhere, TrainMean
from featurestore.models.baseline import mean_effect

if TYPE_CHECKING:
    from featurestore.features.feature_matrix import FeatureMatrix

Report = Callable[[str], None]
HALF_TRUST = 30
"""Cells at which a condition has half the weight of one with very many."""


def five_models(matrix: FeatureMatrix) -> dict[str, Any]:
    """Make the models that a report compares, baselines first."""
    blocks = matrix.columns["block"].to_numpy()
    return {
        "no_change": NoChange(),
        "train_mean": TrainMean(),
        "elsewhere": SamePerturbationElsewhere(),
        "ridge": RidgeOnSignatures(blocks),
        "forest": ForestOnSignatures(blocks),
    }


def cell_weights(n_cells: pl.Series, half_trust: float = HALF_TRUST) -> npt.NDArray[np.float64]:
    """Weight conditions by ``n / (n + half_trust)``, scaled to mean 1; an unknown number of cells counts as the median.

    Examples
    --------
    >>> import polars as pl
    >>> cell_weights(pl.Series([30, 30, None]))
    array([1., 1., 1.])
    """
    known = n_cells.cast(pl.Float64()).to_numpy()
    n = np.where(np.isnan(known), np.nanmedian(known) if np.isfinite(known).any() else 1.0, known)
    weights = n / (n + half_trust)
    return np.asarray(weights / weights.mean())


def evaluate(
    matrix: FeatureMatrix, models: dict[str, Any] | None = None, *, report: Report = lambda _: None
) -> Evaluation:
    """Hold every fold out once, predict it, and score the predictions.

    The models, their scalers, components and penalties are fitted on the other folds alone. Own target genes are left
    out of all scores. Linear algebra keeps to one thread: the matrices are small, and threads that wait for a busy core
    cost more than they bring.

    Parameters
    ----------
    matrix
        A feature matrix; its rows say their group and fold.
    models
        Estimators by name; by default no change, train mean, same perturbation elsewhere, ridge and forest.
    report
        Told in words what is being done.
    """
    models = five_models(matrix) if models is None else models
    own = own_targets(matrix.rows, matrix.genes)
    held_out = {name: _HeldOut(matrix, own) for name in models}
    folds = matrix.rows["fold"].to_numpy()
    with threadpool_limits(1):
        for fold in np.unique(folds):
            for name, template in models.items():
                report(f"fold {fold + 1}: {name.replace('_', ' ')}")
                held_out[name].add_fold(clone(template), folds == fold)
    return Evaluation(
        matrix,
        {name: model.predicted for name, model in held_out.items()},
        own,
        pl.concat(score_table(matrix, name, m.scores, m.is_fallback) for name, m in held_out.items()),
        {name: model.penalties for name, model in held_out.items() if model.penalties},
    )


class _HeldOut:
    """One model's predictions and scores of rows that it was not fitted on, filled fold by fold."""

    def __init__(self, matrix: FeatureMatrix, own: npt.NDArray[np.bool_]) -> None:
        n_rows = matrix.rows.height
        self.predicted = np.full(matrix.Y.shape, np.nan, dtype=np.float32)
        self.scores = {metric.name: np.full(n_rows, np.nan) for metric in METRICS}
        self.is_fallback = np.zeros(n_rows, dtype=bool)
        self.penalties: list[float] = []
        self._matrix = matrix
        self._own = own
        self._groups = matrix.rows["group"].to_numpy()
        self._weights = cell_weights(matrix.rows["n_cells"])

    def add_fold(self, model: Any, is_test: npt.NDArray[np.bool_]) -> None:
        """Fit a model on the other folds, predict one, and score it."""
        train, test = np.flatnonzero(~is_test), np.flatnonzero(is_test)
        inputs, measured = getattr(self._matrix, model.inputs), self._matrix.Y
        model.fit(inputs[train], measured[train], groups=self._groups[train], sample_weight=self._weights[train])
        self.predicted[test] = model.predict(inputs[test])
        self.is_fallback[test] = ~model.covered(inputs[test])
        if hasattr(model, "alpha_"):
            self.penalties.append(model.alpha_)
        train_mean = mean_effect(measured[train]).astype(np.float32)
        scores = score_fold(self._matrix, test, self.predicted[test], train_mean, self._own)
        for metric, values in scores.items():
            self.scores[metric][test] = values
