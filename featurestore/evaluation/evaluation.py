"""The outcome of an evaluation: predictions, scores and comparisons."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.errors import FeatureError, LeakageError, did_you_mean
from featurestore.evaluation.best_part import BLEND, NOT_PARTS, against_best_part, blend_sentences
from featurestore.evaluation.noise_ceiling import ALARM, NoiseCeiling, alarms
from featurestore.evaluation.readout import readout_scores
from featurestore.evaluation.scoring import FURTHER, METRICS, OF_EFFECTS, STRATA, summarise
from featurestore.evaluation.splits import Unseen
from featurestore.evaluation.uncovered import on_uncovered_rows, uncovered_sentences
from featurestore.evaluation.verdict import JUDGED, Comparison, as_records, comparisons, sentences, title
from featurestore.metrics import Metric, describe

if TYPE_CHECKING:
    from featurestore.features.matrix.feature_matrix import FeatureMatrix


def check_model(model: str, known: Collection[str]) -> None:
    """Refuse the name of a model that is not evaluated.

    Raises
    ------
    FeatureError
        There is no such model.
    """
    if model not in known:
        raise FeatureError(f"No model '{model}' is evaluated.", do=did_you_mean(model, known))


@dataclass(frozen=True, repr=False)
class Evaluation:
    """Held-out predictions of several models, and how good they are.

    Parameters
    ----------
    matrix
        The feature matrix.
    predicted
        Held-out prediction of each model, float32, shape (rows, genes).
    own
        Genes that are a row's own targets, shape (rows, genes): no score looks at them.
    per_perturbation
        One row per model and row: its scores, fold, and whether the model fell back to the training mean.
    penalties
        Penalty chosen in each fold, of the models that choose one.
    weights
        Weight of each part, and the magnitude, in each fold, of the models that blend others.
    weights_uncovered
        The same weights of rows of which no source has the effect, where they are others.
    unseen
        What training rows never had of the rows predicted.
    ceiling
        How well a measurement repeats; None without sums of halves.
    source_values, rescaled, curves
        What each source adds, scores of rescaled predictions, and learning curves; empty where not computed.
    data_points
        Conditions and responders of each dataset of the warehouse.
    n_untested
        Measured effects that were not tested, which scores of differential expression do not look at; None where
        nothing was tested.
    null
        Rows of ``calibration`` of the target dataset: how far its tests hold where nothing happened.
    doubts
        Why p-values and responders of the target or a source are not to be relied on, in sentences.
    """

    matrix: FeatureMatrix
    predicted: dict[str, npt.NDArray[np.float32]]
    own: npt.NDArray[np.bool_]
    per_perturbation: pl.DataFrame
    penalties: dict[str, list[float]] = field(default_factory=dict)
    weights: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    weights_uncovered: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    unseen: Unseen = "perturbation"
    ceiling: NoiseCeiling | None = None
    source_values: pl.DataFrame = field(default_factory=pl.DataFrame)
    rescaled: pl.DataFrame = field(default_factory=pl.DataFrame)
    curves: pl.DataFrame = field(default_factory=pl.DataFrame)
    data_points: pl.DataFrame = field(default_factory=pl.DataFrame)
    n_untested: int | None = None
    null: pl.DataFrame = field(default_factory=pl.DataFrame)
    doubts: tuple[str, ...] = ()

    @property
    def is_readout(self) -> bool:
        """Whether a single number is predicted, such as viability, and not the effect on many genes."""
        return int(self.matrix.Y.shape[1]) == 1

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What models are judged by."""
        return tuple(m for m in METRICS if not self.is_readout or m.name in OF_EFFECTS)

    @property
    def further(self) -> tuple[Metric, ...]:
        """What else is defined, and defined for anything here."""
        return tuple(m for m in FURTHER if any(self.score(name, m.name) is not None for name in self.predicted))

    @property
    def fold(self) -> npt.NDArray[np.int64]:
        """The part in which each row was held out, shape (rows,)."""
        return self.per_perturbation.filter(model=next(iter(self.predicted)))["fold"].to_numpy()

    @cached_property
    def summary(self) -> pl.DataFrame:
        """Mean scores: one row per model, stratum and metric."""
        return summarise(self.per_perturbation)

    @property
    def scores(self) -> pl.DataFrame:
        """Mean scores over all rows: a row a model, a column a metric, and how many rows fell back to the mean."""
        fell_back = self.per_perturbation.group_by("model").agg(n_fallback=pl.col("is_fallback").sum())
        means = [
            {"model": name} | {metric.name: self.score(name, metric.name) for metric in self.metrics}
            for name in self.predicted
        ]
        schema = {"model": pl.String} | {metric.name: pl.Float64 for metric in self.metrics}
        return pl.DataFrame(means, schema=schema).join(fell_back, on="model", how="left", maintain_order="left")

    def __repr__(self) -> str:
        counts = self.counts()
        return f"Evaluation of {counts['n_rows']:,} rows, unseen {self.unseen}\n{self.scores}"

    def _repr_html_(self) -> str:
        return str(self.scores._repr_html_())

    @cached_property
    def comparisons(self) -> list[Comparison]:
        """Every model against the train mean, and the judged one against the same perturbation elsewhere."""
        return comparisons(self.per_perturbation, self.metrics)

    @cached_property
    def best_part(self) -> list[Comparison]:
        """The blend against the part that is best in each metric; nothing where no blend is evaluated."""
        if BLEND not in self.weights:
            return []
        parts = [name for name in self.weights[BLEND][0] if name not in NOT_PARTS]
        return against_best_part(self.per_perturbation, parts, self.metrics)

    @cached_property
    def uncovered(self) -> list[Comparison]:
        """Every model against the train mean over the rows that no source covers."""
        return on_uncovered_rows(self.per_perturbation, self.metrics)

    @cached_property
    def across(self) -> dict[str, dict[str, float | None]]:
        """Correlation across perturbations of each model, where a single readout is predicted."""
        return readout_scores(self.predicted, self.matrix.Y, self.fold) if self.is_readout else {}

    @property
    def verdict(self) -> list[str]:
        """What the comparisons say, in sentences."""
        titles = {metric.name: metric.title for metric in self.metrics}
        of_uncovered = uncovered_sentences(self.uncovered, self.per_perturbation, titles)
        return [*sentences(self.comparisons), *blend_sentences(self.best_part, titles), *of_uncovered]

    @cached_property
    def alarms(self) -> dict[str, tuple[float, float]]:
        """Models at or above what the truth itself would score, with both: they have seen the answer."""
        scores = {name: self.per_perturbation.filter(model=name)[ALARM].to_numpy() for name in self.predicted}
        return alarms(scores, self.ceiling, self.matrix.rows["perturbation_id"].to_numpy())

    def check(self) -> None:
        """Fail where a model is too good to be honest.

        Raises
        ------
        LeakageError
            A model scores at or above the noise-free ceiling.
        """
        if self.alarms:
            scores = [f"{title(name)} {score:.3f} of {limit:.3f}" for name, (score, limit) in self.alarms.items()]
            raise LeakageError(
                "A model is better than the truth itself could be: a feature holds the answer.",
                where="centred Pearson of held-out predictions",
                expected="less than halves of the cells allow, over the perturbations that a model says something of",
                got=", ".join(scores),
                do="look for the measured cells among the sources, under another name or in an embedding",
            )

    def score(self, model: str, metric: str, stratum: str = "all") -> float | None:
        """Return a mean score; None where it is undefined."""
        rows = self.summary.filter(model=model, metric=metric, stratum=stratum)
        return None if rows.is_empty() else rows["mean"][0]

    def mean_weights(self, model: str, *, uncovered: bool = False) -> dict[str, float]:
        """Average the weights of a blend over folds, those of rows of which no source has the effect if asked."""
        folds = self.weights_uncovered[model] if uncovered else self.weights[model]
        return {part: float(np.mean([each[part] for each in folds])) for part in folds[0]}

    def counts(self) -> dict[str, int]:
        """Count rows, perturbations, groups, folds, and the rows that some source covers or that respond."""
        rows, covered = self.matrix.rows, self.matrix.covered
        none = pl.Series([None] * rows.height, dtype=pl.Boolean())
        responds = rows["is_responder"] if "is_responder" in rows.columns else none
        return {
            "n_rows": rows.height,
            "n_perturbations": rows["perturbation_id"].n_unique(),
            "n_groups": rows["group"].n_unique(),
            "n_folds": len(np.unique(self.fold)),
            "n_rows_covered": int(covered.sum()),
            "n_rows_uncovered": int((~covered).sum()),
            "n_responders": int(responds.sum() or 0),
            "n_responders_unknown": responds.null_count(),
        }

    def to_dict(self) -> dict[str, Any]:
        """Return all but predictions and single scores as plain values; undefined is None."""
        models: dict[str, Any] = {}
        for name in self.predicted:
            own = self.summary.filter(model=name)
            fallback = self.per_perturbation.filter(model=name)["is_fallback"].sum()
            models[name] = {"title": title(name), "n_rows_fallback": fallback} | {
                stratum: {
                    row["metric"]: {key: row[key] for key in ("mean", "n_perturbations", "n_undefined")}
                    for row in own.filter(stratum=stratum).iter_rows(named=True)
                }
                for stratum in STRATA
            }
            if name in self.penalties:
                models[name]["penalties"] = self.penalties[name]
            if name in self.weights:
                models[name] |= {"weights": self.mean_weights(name), "weights_by_fold": self.weights[name]}
            if name in self.weights_uncovered:
                models[name]["weights_uncovered"] = self.mean_weights(name, uncovered=True)
            if name in self.across:
                models[name]["across_perturbations"] = self.across[name]
        return {
            "name": self.matrix.manifest.get("name"),
            "recipe": self.matrix.manifest.get("recipe"),
            "snapshot": self.matrix.manifest.get("snapshot"),
            "unseen": self.unseen,
            **self.counts(),
            "n_effects": int(np.isfinite(self.matrix.Y).sum()),
            "n_effects_untested": self.n_untested,
            "own_targets": "left out of every score but mae_own_targets",
            "models": models,
            "comparisons": as_records(self.comparisons),
            "best_part": as_records(self.best_part),
            "uncovered": as_records(self.uncovered),
            "ceiling": None if self.ceiling is None else self.ceiling.to_dict(),
            "leak_alarms": list(self.alarms),
            "sources": self.source_values.to_dicts(),
            "rescaled": self.rescaled.to_dicts(),
            "learning_curves": self.curves.to_dicts(),
            "data_points": self.data_points.to_dicts(),
            "doubts": list(self.doubts),
            "metrics": describe((*self.metrics, *self.further)),
            "verdict": self.verdict,
        }

    def predictions(self, model: str = JUDGED) -> pl.DataFrame:
        """Return what a model predicted of every row while it was held out.

        Returns
        -------
        A row for each row of X: ``perturbation``, its label as published, or its condition_id where conditions share
        labels, then a column for each gene by gene_id, as ``featurestore submit`` reads it.

        Raises
        ------
        FeatureError
            There is no such model.
        """
        check_model(model, self.predicted)
        rows, genes = self.matrix.rows, self.matrix.genes["gene_id"].to_list()
        labels = rows["perturbation_label"]
        names = labels if labels.n_unique() == rows.height else rows["condition_id"]
        values = pl.DataFrame(self.predicted[model], schema=genes, orient="row")
        return values.insert_column(0, names.alias("perturbation"))
