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
from featurestore.evaluate.scoring import METRICS, own_targets, score_fold, score_table
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
    known = n_cells.cast(pl.Float64())
    n = known.fill_null(known.median()).fill_null(1.0).to_numpy()
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
    folds = matrix.rows["fold"].to_numpy()
    groups = matrix.rows["group"].to_numpy()
    weights = cell_weights(matrix.rows["n_cells"])
    own = own_targets(matrix)
    predicted = {name: np.full(matrix.Y.shape, np.nan, dtype=np.float32) for name in models}
    scores = {name: {m.name: np.full(len(folds), np.nan) for m in METRICS} for name in models}
    fallback = {name: np.zeros(len(folds), dtype=bool) for name in models}
    chosen: dict[str, list[float]] = {}
    with threadpool_limits(1):
        for fold in np.unique(folds):
            train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
            train_mean = mean_effect(matrix.Y[train]).astype(np.float32)
            for name, template in models.items():
                report(f"fold {fold + 1}: {name.replace('_', ' ')}")
                inputs = getattr(matrix, template.inputs)
                model = clone(template)
                model.fit(inputs[train], matrix.Y[train], groups=groups[train], sample_weight=weights[train])
                predicted[name][test] = model.predict(inputs[test])
                fallback[name][test] = ~model.covered(inputs[test])
                if hasattr(model, "alpha_"):
                    chosen.setdefault(name, []).append(model.alpha_)
                for metric, values in score_fold(matrix, test, predicted[name][test], train_mean, own).items():
                    scores[name][metric][test] = values
    table = pl.concat(score_table(matrix, name, scores[name], fallback[name]) for name in models)
    return Evaluation(matrix, predicted, own, table, chosen)
