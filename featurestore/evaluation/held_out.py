"""Predictions of rows by models that were not fitted on them, and their scores, part by part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from sklearn.utils.validation import has_fit_parameter

from featurestore.counts import count_of
from featurestore.evaluation.beside import Beside
from featurestore.evaluation.scoring import SCORED, score_rows
from featurestore.metrics import Scores
from featurestore.models.inputs import RowInputs
from featurestore.models.outputs import Deviations

if TYPE_CHECKING:
    from featurestore.evaluation.splits import Parts, Positions
    from featurestore.features.effects.significant import Calls
    from featurestore.features.matrix.feature_matrix import FeatureMatrix

QUICK = ("pearson_delta", "centred_pearson", "mae", "pds")
"""What is computed where one model is fitted many times."""


@dataclass(slots=True)
class HeldOut:
    """Held-out predictions of one model, shape (rows, genes), scores of every row, fallbacks, and what was chosen.

    ``penalties`` and ``weights`` are of each part; ``weights`` those of a blend, its magnitude among them, and
    ``weights_uncovered`` those of rows of which no source has the effect.
    """

    predicted: npt.NDArray[np.float32]
    scores: dict[str, Scores]
    is_fallback: npt.NDArray[np.bool_]
    penalties: list[float] = field(default_factory=list)
    weights: list[dict[str, float]] = field(default_factory=list)
    weights_uncovered: list[dict[str, float]] = field(default_factory=list)

    @classmethod
    def nothing_yet(cls, shape: tuple[int, ...], names: tuple[str, ...]) -> Self:
        """Make one of no part, for effects of a shape and scores of these names."""
        scores = {name: np.full(shape[0], np.nan) for name in names}
        return cls(np.full(shape, np.nan, dtype=np.float32), scores, np.zeros(shape[0], dtype=bool))

    def add(self, model: Any, test: Positions, predicted: npt.NDArray[np.float32], inputs: Any) -> None:
        """Note what the model of one part predicts of its test rows, and what it chose."""
        self.predicted[test] = predicted
        self.is_fallback[test] = ~model.covered(inputs)
        if hasattr(model, "alpha_"):
            self.penalties.append(model.alpha_)
        if hasattr(model, "weights_"):
            self.weights.append(model.weights_ | {"magnitude": model.magnitude_})
            self.weights_uncovered.append(model.weights_uncovered_ | {"magnitude": model.magnitude_uncovered_})

    @property
    def is_weighed_apart(self) -> bool:
        """Whether a blend weighs rows of which no source has the effect otherwise, in any part."""
        pairs = zip(self.weights_uncovered, self.weights, strict=True)
        return any(not apart.items() <= weights.items() for apart, weights in pairs)


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
    calls
        Genes that respond, of those tested, where that is known.
    """

    matrix: FeatureMatrix
    own: npt.NDArray[np.bool_]
    parts: Parts
    groups: npt.NDArray[np.str_]
    weights: npt.NDArray[np.float64]
    calls: Calls | None = None
    _shared: dict[int, Deviations] = field(default_factory=dict, repr=False, compare=False)

    def run(
        self,
        template: Any,
        *,
        kept: Callable[[Positions], Positions] | None = None,
        names: tuple[str, ...] = SCORED,
    ) -> HeldOut:
        """Fit one model for each part, predict it, and score it; see :meth:`run_all`."""
        return self.run_all({"": template}, kept=kept, names=names)[""]

    def run_all(
        self,
        templates: Mapping[str, Any],
        *,
        kept: Callable[[Positions], Positions] | None = None,
        names: tuple[str, ...] = SCORED,
        report: Callable[[str], None] = lambda _: None,
    ) -> dict[str, HeldOut]:
        """Fit models for each part, predict it, and score it.

        Part by part, so that models share what they need of its training rows, and a blend takes those that were fitted
        to them before. What a model predicts is scored while the next one is fitted.

        Parameters
        ----------
        templates
            Unfitted models by name.
        kept
            Which of a part's training rows they may see; by default all.
        names
            What to score by.
        report
            Told which part is held out.
        """
        found = {name: HeldOut.nothing_yet(self.matrix.Y.shape, names) for name in templates}
        with Beside() as beside:
            for place, (whole, test) in enumerate(self.parts):
                report(f"fitting {count_of(len(templates), 'model')} without part {place + 1} of {len(self.parts)}")
                train = whole if kept is None else kept(whole)
                deviations = self._deviations(place) if kept is None else Deviations(self.matrix.Y, train)
                fitted: list[Any] = []
                effects = self.matrix.Y[train]
                with deviations.kept():
                    for name, template in templates.items():
                        inputs, model = self._inputs(template), clone(template)
                        model.fit(inputs[train], effects, **self._told(model, train, deviations, fitted))
                        fitted.append(model)
                        predicted = model.predict(inputs[test]).astype(np.float32)
                        found[name].add(model, test, predicted, inputs[test])
                        beside.do(self._score, place, predicted, found[name].scores)
        return found

    def run_on(
        self, template: Any, subsets: Sequence[npt.NDArray[np.bool_]], names: tuple[str, ...] = SCORED
    ) -> list[dict[str, Scores]]:
        """Fit a regression for each part on each of some sets of features, and return the scores of every set."""
        inputs = self._inputs(template)
        scores = [{name: np.full(len(inputs), np.nan) for name in names} for _ in subsets]
        with Beside() as beside:
            for place, (train, test) in enumerate(self.parts):
                told = self._told(template, train, self._deviations(place))
                models = clone(template).fitted_on(subsets, inputs[train], self.matrix.Y[train], **told)
                for model, features, own in zip(models, subsets, scores, strict=True):
                    predicted = model.predict(inputs[test][:, features]).astype(np.float32)
                    beside.do(self._score, place, predicted, own)
        return scores

    def score_parts(self, predicted: npt.NDArray[np.float32], names: tuple[str, ...]) -> dict[str, Scores]:
        """Score predictions of all rows, part by part."""
        scores = {name: np.full(len(predicted), np.nan) for name in names}
        for place, (_, test) in enumerate(self.parts):
            self._score(place, predicted[test], scores)
        return scores

    def _score(self, place: int, predicted: npt.NDArray[np.float32], scores: dict[str, Scores]) -> None:
        """Score predictions of one part, centred on the mean of all its training rows, into the scores of all rows."""
        train_mean = self._deviations(place).mean.astype(np.float32)
        test, names = self.parts[place][1], tuple(scores)
        for name, values in score_rows(self.matrix, test, predicted, train_mean, self.own, self.calls, names).items():
            scores[name][test] = values

    def _deviations(self, place: int) -> Deviations:
        """Return what models of one part share."""
        if place not in self._shared:
            self._shared[place] = Deviations(self.matrix.Y, self.parts[place][0])
        return self._shared[place]

    def _told(self, model: Any, train: Positions, deviations: Deviations, fitted: Sequence[Any] = ()) -> dict[str, Any]:
        """Name what a model's fit is told of its rows: groups and weights, and what is shared where it takes that."""
        told: dict[str, Any] = {"groups": self.groups[train], "sample_weight": self.weights[train]}
        shared = {"deviations": deviations, "fitted": fitted}
        return told | {name: value for name, value in shared.items() if has_fit_parameter(model, name)}

    def _inputs(self, template: Any) -> Any:
        return RowInputs(self.matrix.X, self.matrix.elsewhere, self.own).of(template)
