"""What the scores say in words: whether features from other experiments beat the baselines that need no model."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from featurestore.evaluation.bootstrap import mean_intervals
from featurestore.evaluation.scoring import METRICS, by_perturbation
from featurestore.metrics import Metric

TITLES = {
    "no_change": "no change",
    "train_mean": "train mean",
    "crispr_mean": "CRISPR-informed mean",
    "elsewhere": "same perturbation elsewhere",
    "rescaled": "the same, rescaled",
    "neighbours": "nearest neighbours",
    "bilinear": "linear, Ahlmann-Eltze",
    "of_genes": "like genes, by knowledge",
    "ridge": "ridge on signatures",
    "kernel_ridge": "kernel ridge",
    "forest": "forest on signatures",
    "blend": "blend of models",
}
BASELINES = ("train_mean", "elsewhere")
JUDGED = "ridge"
"""The model that is judged, chosen beforehand: the best of several would be flattered by the choice."""
DECISIVE = ("pearson_delta", "mae", "pds")
PRINTED = ".3f"
"""How scores are written, in words and in tables."""
BETTER, WORSE, UNDECIDED = "better", "worse", "no clear difference"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A model against a baseline in one metric, perturbation by perturbation.

    ``gain`` is the mean paired difference with the sign turned so that more is better, ``low`` to ``high`` its 95 %
    bootstrap interval over the ``n`` perturbations for which both are defined; ``outcome`` is better, worse or no clear
    difference, by whether the interval holds 0 and whether the means differ in the digits that are printed.
    """

    model: str
    baseline: str
    metric: str
    model_mean: float | None
    baseline_mean: float | None
    gain: float | None
    low: float | None
    high: float | None
    n: int
    outcome: str


def title(model: str) -> str:
    """Return a model's name as a reader would say it."""
    return TITLES.get(model, model.replace("_", " "))


def compare(table: pl.DataFrame, models: list[str], baseline: str, metric: Metric) -> list[Comparison]:
    """Compare models with a baseline over the perturbations for which both have the metric; all by the same draws."""
    scores = by_perturbation(table.filter(pl.col("model").is_in([*models, baseline])), metric.name)
    theirs = _column(scores, baseline)
    sign = 1 if metric.more_is_better else -1
    gains = np.column_stack([sign * (_column(scores, model) - theirs) for model in models])
    lows, highs = mean_intervals(gains)
    found = []
    for place, model in enumerate(models):
        both = np.isfinite(gains[:, place])
        n, low, high = int(both.sum()), float(lows[place]), float(highs[place])
        if n <= 1:
            found.append(Comparison(model, baseline, metric.name, None, None, None, None, None, n, UNDECIDED))
            continue
        ours = _column(scores, model)
        means = float(ours[both].mean()), float(theirs[both].mean())
        is_same = f"{means[0]:{PRINTED}}" == f"{means[1]:{PRINTED}}"
        outcome = UNDECIDED if is_same else BETTER if low > 0 else WORSE if high < 0 else UNDECIDED
        gain = float(gains[both, place].mean())
        found.append(Comparison(model, baseline, metric.name, *means, gain, low, high, n, outcome))
    return found


def comparisons(table: pl.DataFrame, metrics: tuple[Metric, ...] = METRICS) -> list[Comparison]:
    """Compare every model with the train mean, and the judged one with the other baselines too."""
    present = table["model"].unique(maintain_order=True).to_list()
    found = []
    for baseline in BASELINES:
        models = [m for m in present if m != baseline and (baseline == BASELINES[0] or m == JUDGED)]
        if baseline in present and models:
            for metric in metrics:
                found += compare(table, models, baseline, metric)
    return found


def sentences(results: list[Comparison]) -> list[str]:
    """Say of each baseline in which metrics the judged model is better or worse; plainly where it does not win."""
    titles = {m.name: m.title for m in METRICS}
    judged = [result for result in results if result.model == JUDGED and result.metric in DECISIVE]
    said = []
    for baseline in dict.fromkeys(result.baseline for result in judged):
        own = [result for result in judged if result.baseline == baseline]
        model, other = title(own[0].model), title(baseline)
        facts = "; ".join(f"{r.outcome} in {titles[r.metric]} ({_figures(r)})" for r in own)
        wins = all(result.outcome == BETTER for result in own)
        loses = not any(result.outcome == BETTER for result in own)
        opening = (
            f"{model.capitalize()} beats {other}" if wins else f"{model.capitalize()} does not clearly beat {other}"
        )
        if not wins and not loses:
            opening = f"{model.capitalize()} beats {other} in part"
        said.append(f"{opening}: {facts}.")
    return said


def as_records(results: list[Comparison]) -> list[dict[str, Any]]:
    """Turn comparisons into plain records."""
    return [asdict(result) for result in results]


def _column(scores: pl.DataFrame, model: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    if model not in scores.columns:
        return np.full(scores.height, np.nan)
    return scores[model].cast(pl.Float64()).fill_null(np.nan).to_numpy()


def _figures(result: Comparison) -> str:
    if result.model_mean is None or result.baseline_mean is None:
        return "undefined"
    return f"{result.model_mean:{PRINTED}} against {result.baseline_mean:{PRINTED}}"
