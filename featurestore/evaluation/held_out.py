"""Predictions of rows by models that were not fitted on them, and their scores, part by part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone

from featurestore.evaluation.scoring import SCORED, score_rows
from featurestore.metrics import Scores
from featurestore.models.baseline import mean_effect
from featurestore.models.inputs import RowInputs

if TYPE_CHECKING:
    from featurestore.evaluation.splits import Parts, Positions
    from featurestore.features.matrix.feature_matrix import FeatureMatrix

QUICK = ("pearson_delta", "centred_pearson", "mae", "pds")
"""What is computed where one model is fitted many times."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Held-out predictions of one model, shape (rows, genes), scores of every row, fallbacks, and what was chosen.

    ``penalties`` and ``weights`` are of each part; ``weights`` those of a blend, its magnitude among them.
    """

    predicted: npt.NDArray[np.float32]
    scores: dict[str, Scores]
    is_fallback: npt.NDArray[np.bool_]
    penalties: list[float]
    weights: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Setting:
    """What every model is fitted on and scored by.

    Parameters
    ----------
    matrix
        The feature matrix.
    own
        Own targets, shape (rows, genes).
    parts
        Positions of training and test rows, each row tested once.
    groups
        What inner cross-validations keep whole, shape (rows,).
    weights
        Trust in each row.
    significant
        Genes that respond, shape (rows, genes), where that is known.
    """

    matrix: FeatureMatrix
    own: npt.NDArray[np.bool_]
    parts: Parts
    groups: npt.NDArray[np.str_]
    weights: npt.NDArray[np.float64]
    significant: npt.NDArray[np.bool_] | None = None

    def run(
        self,
        template: Any,
        *,
        columns: npt.NDArray[np.bool_] | None = None,
        kept: Callable[[Positions], Positions] | None = None,
        names: tuple[str, ...] = SCORED,
    ) -> HeldOut:
        """Fit a model for each part, predict it, and score it.

        Parameters
        ----------
        template
            An unfitted model.
        columns
            Features it may see; by default all.
        kept
            Which of a part's training rows it may see; by default all.
        names
            What to score by.
        """
        inputs = self._inputs(template, columns)
        n_rows = self.matrix.rows.height
        predicted = np.full(self.matrix.Y.shape, np.nan, dtype=np.float32)
        scores = {name: np.full(n_rows, np.nan) for name in names}
        is_fallback = np.zeros(n_rows, dtype=bool)
        penalties, weights = [], []
        for whole, test in self.parts:
            train = whole if kept is None else kept(whole)
            model = clone(template)
            model.fit(inputs[train], self.matrix.Y[train], groups=self.groups[train], sample_weight=self.weights[train])
            predicted[test] = model.predict(inputs[test])
            is_fallback[test] = ~model.covered(inputs[test])
            if hasattr(model, "alpha_"):
                penalties.append(model.alpha_)
            if hasattr(model, "weights_"):
                weights.append(model.weights_ | {"magnitude": model.magnitude_})
            for name, values in self.score(predicted, whole, test, names).items():
                scores[name][test] = values
        return HeldOut(predicted, scores, is_fallback, penalties, weights)

    def score(
        self, predicted: npt.NDArray[np.float32], train: Positions, test: Positions, names: tuple[str, ...]
    ) -> dict[str, Scores]:
        """Score predictions of one part, centred on the mean of all its training rows."""
        train_mean = mean_effect(self.matrix.Y[train]).astype(np.float32)
        return score_rows(self.matrix, test, predicted[test], train_mean, self.own, self.significant, names)

    def _inputs(self, template: Any, columns: npt.NDArray[np.bool_] | None) -> Any:
        features = self.matrix.X if columns is None else self.matrix.X[:, columns]
        return RowInputs(features, self.matrix.elsewhere, self.own).of(template)
