"""The outcome of an evaluation of pairs: held-out rankings, what each feature does alone, and the shuffled null."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from featurestore.evaluation.evaluation import check_model
from featurestore.evaluation.pair_scoring import (
    JUDGED_OF_PAIRS,
    Report,
    feature_scores,
    held_out_scores,
    mean_auroc,
    pair_models,
    per_gene,
    standard_error,
    title,
)
from featurestore.evaluation.pair_value import source_curve
from featurestore.evaluation.pair_verdict import pair_verdict
from featurestore.evaluation.reliability import reliability
from featurestore.models.baseline import Doubles, Truths

if TYPE_CHECKING:
    from featurestore.features.pairs.builder import PairTask
    from featurestore.features.pairs.pair_matrix import PairMatrix


@dataclass(frozen=True)
class PairEvaluation:
    """Held-out rankings of pairs by several models, and how good they are.

    Parameters
    ----------
    matrix
        The matrix of pairs.
    scores
        Held-out score of each pair by model, shape (pairs,).
    weights
        Mean weight of each standardised feature, of the models that have weights.
    null
        Areas of each model where the sources' perturbations are shuffled, once or several times.
    doubts
        Why p-values of the target or a source, and so calls, are not to be relied on, in sentences.
    probabilities
        Held-out probability that each pair is positive, of the models that say one.
    curve
        What fewer sources are worth; see :func:`featurestore.evaluation.pair_value.source_curve`.
    """

    matrix: PairMatrix
    scores: dict[str, Doubles]
    weights: dict[str, Doubles]
    null: list[dict[str, float]]
    doubts: tuple[str, ...] = ()
    probabilities: dict[str, Doubles] = field(default_factory=dict)
    curve: pl.DataFrame = field(default_factory=pl.DataFrame)

    @cached_property
    def per_gene(self) -> pl.DataFrame:
        """Area under the ROC curve by model, part held out, and gene."""
        return per_gene(self.matrix, self.scores)

    @cached_property
    def areas(self) -> dict[str, float]:
        """Mean area over genes, of the models that have any gene with both answers."""
        return mean_auroc(self.per_gene)

    @cached_property
    def errors(self) -> dict[str, float | None]:
        """Standard error of each mean area, over perturbations."""
        return {model: standard_error(self.matrix, score) for model, score in self.scores.items()}

    @property
    def question(self) -> str | None:
        """What is asked of a pair: whether the gene changed, or whether it went up."""
        asked: str | None = self.matrix.manifest.get("spec", {}).get("target", {}).get("question")
        return asked

    @property
    def verdict(self) -> list[str]:
        """What the judged model is worth, in sentences."""
        model = JUDGED_OF_PAIRS
        return pair_verdict(
            self.question,
            self.areas.get(model),
            self.errors.get(model),
            baseline=self.areas.get("elsewhere"),
            shuffled=self.shuffled(model),
            off=self.reliability.get(model, {}).get("calibration_error"),
        )

    @property
    def is_held_out(self) -> Truths:
        """Whether each pair was held out, shape (pairs,)."""
        return np.asarray((self.matrix.inner_fold < 0).any(axis=0))

    @cached_property
    def reliability(self) -> dict[str, dict[str, Any]]:
        """How honest the probabilities are, of the models that say one."""
        held = self.is_held_out
        return {model: reliability(self.matrix.y[held], each[held]) for model, each in self.probabilities.items()}

    def predictions(self, model: str = JUDGED_OF_PAIRS) -> pl.DataFrame:
        """Return what a model said of every pair while it was held out.

        Returns
        -------
        A line per pair: ``perturbation``, its label as published, ``condition_id``, ``gene_id``, ``gene_symbol``,
        ``score``, and ``probability`` that it is positive; NULL of a model that says none.

        Raises
        ------
        FeatureError
            There is no such model.
        """
        check_model(model, self.scores)
        said = self.probabilities.get(model, np.full(len(self.matrix.y), np.nan))
        lines = self.matrix.rows.select(
            pl.col("perturbation_label").alias("perturbation"),
            "condition_id",
            "gene_id",
            "gene_symbol",
            score=pl.Series(self.scores[model]),
            probability=pl.Series(said).fill_nan(None),
        )
        return lines.filter(pl.Series(self.is_held_out))

    @cached_property
    def alone(self) -> dict[str, float]:
        """Mean area of each feature taken for a score."""
        return mean_auroc(per_gene(self.matrix, feature_scores(self.matrix)))

    def shuffled(self, model: str) -> float | None:
        """Return the mean area of a model over the shuffles; None where there is none."""
        areas = [each[model] for each in self.null if model in each]
        return float(np.mean(areas)) if areas else None

    def counts(self) -> dict[str, int]:
        """Count pairs, perturbations and genes that are held out, and the genes that have both answers there."""
        held = self.matrix.rows.filter(pl.Series(self.is_held_out))
        return {
            "n_pairs": held.height,
            "n_positive": int(held["is_positive"].sum()),
            "n_perturbations": held["perturbation_id"].n_unique(),
            "n_genes": held["gene_id"].n_unique(),
            "n_genes_scored": self.per_gene["gene_id"].n_unique(),
            "n_parts": len(self.matrix.held_out),
            "n_shuffles": len(self.null),
        }

    def to_dict(self) -> dict[str, Any]:
        """Return all but the scores of single pairs and genes as plain values; undefined is None."""
        names = self.matrix.columns["name"].to_list()
        weights = {model: dict(zip(names, values.tolist(), strict=True)) for model, values in self.weights.items()}
        models = {
            model: {
                "title": title(model),
                "auroc": self.areas.get(model),
                "standard_error": self.errors[model],
                "auroc_shuffled_sources": self.shuffled(model),
                "weights": weights.get(model),
                "reliability": self.reliability.get(model),
            }
            for model in self.scores
        }
        manifest = self.matrix.manifest
        return {
            **{name: manifest.get(name) for name in ("name", "recipe", "snapshot")},
            "question": self.question,
            **self.counts(),
            "metric": "AUROC by gene, over genes with both answers among the held-out pairs; mean over genes",
            "models": models,
            "features_alone": self.alone,
            "sources": self.curve.to_dicts(),
            "verdict": self.verdict,
            "doubts": list(self.doubts),
        }


def evaluate_pairs(
    task: PairTask,
    models: dict[str, Any] | None = None,
    *,
    shuffles: int = 3,
    thorough: bool = False,
    doubts: Sequence[str] = (),
    report: Report = lambda _: None,
) -> PairEvaluation:
    """Hold every division's part out once, rank it, and do the same with the sources' perturbations shuffled.

    Parameters
    ----------
    task
        What a spec of pairs reads; see :func:`featurestore.features.pairs.builder.read_pairs`.
    models
        Estimators by name; by default the same pair elsewhere, ridge, and logistic regression.
    shuffles
        How often to shuffle.
    thorough
        Whether to learn from fewer sources too.
    doubts
        What is known against p-values of the datasets; see :func:`featurestore.calibration.doubts`.
    report
        Told in words what is being done.
    """
    matrix = task.build(report=report)
    models = pair_models(matrix) if models is None else models
    found = held_out_scores(matrix, models, report)
    null = []
    for seed in range(shuffles):
        report(f"shuffle {seed + 1} of the sources")
        shuffled = task.build(shuffle=seed)
        null.append(mean_auroc(per_gene(shuffled, held_out_scores(shuffled, models).scores)))
    curve = source_curve(task, report) if thorough else pl.DataFrame()
    return PairEvaluation(matrix, found.scores, found.weights, null, tuple(doubts), found.probabilities, curve)
