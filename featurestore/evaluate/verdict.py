"""What the scores say in words: whether features from other experiments beat the two baselines that need no model."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from featurestore.evaluate.scoring import METRICS, Metric

TITLES = {
    "no_change": "no change",
    "train_mean": "train mean",
    "elsewhere": "same perturbation elsewhere",
    "ridge": "ridge on signatures",
    "forest": "forest on signatures",
}
BASELINES = ("train_mean", "elsewhere")
LEARNT = ("ridge", "forest")
DECISIVE = ("pearson_delta", "mae", "pds")
BETTER, WORSE, UNDECIDED = "better", "worse", "no clear difference"
_CLEAR = 2.0
"""Standard errors that a difference has to exceed to be called one."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A model against a baseline in one metric, perturbation by perturbation.

    ``gain`` is the mean paired difference with the sign turned so that more is better, ``standard_error`` its standard
    error over ``n`` perturbations for which both are defined; ``outcome`` is better, worse or no clear difference, by
    two standard errors.
    """

    model: str
    baseline: str
    metric: str
    model_mean: float | None
    baseline_mean: float | None
    gain: float | None
    standard_error: float | None
    n: int
    outcome: str


def title(model: str) -> str:
    """Return a model's name as a reader would say it."""
    return TITLES.get(model, model.replace("_", " "))


def compare(table: pl.DataFrame, model: str, baseline: str, metric: Metric) -> Comparison:
    """Compare two models over the perturbations for which both have the metric."""
    both = (
        table.filter(pl.col("model").is_in([model, baseline]))
        .group_by("perturbation_id", "model")
        .agg(pl.col(metric.name).mean())
        .pivot("model", index="perturbation_id", values=metric.name)
        .drop_nulls()
    )
    n = both.height
    if n <= 1:
        return Comparison(model, baseline, metric.name, None, None, None, None, n, UNDECIDED)
    ours, theirs = both[model].to_numpy(), both[baseline].to_numpy()
    difference = (ours - theirs) if metric.more_is_better else (theirs - ours)
    gain, error = float(difference.mean()), float(difference.std(ddof=1) / np.sqrt(n))
    outcome = UNDECIDED if abs(gain) <= _CLEAR * error else BETTER if gain > 0 else WORSE
    return Comparison(model, baseline, metric.name, float(ours.mean()), float(theirs.mean()), gain, error, n, outcome)


def comparisons(table: pl.DataFrame, model: str) -> list[Comparison]:
    """Compare one model with the baselines that the table has, in the decisive metrics."""
    present = set(table["model"])
    decisive = [m for m in METRICS if m.name in DECISIVE]
    return [compare(table, model, b, metric) for b in BASELINES if b in present and b != model for metric in decisive]


def best_learnt(summary: pl.DataFrame) -> str | None:
    """Return the learnt model with the highest mean Pearson delta; None where none was scored."""
    rows = summary.filter(
        (pl.col("stratum") == "all") & (pl.col("metric") == "pearson_delta") & pl.col("model").is_in(LEARNT)
    ).drop_nulls("mean")
    return None if rows.is_empty() else str(rows.sort("mean", descending=True)["model"][0])


def sentences(results: list[Comparison]) -> list[str]:
    """Say of each baseline in which metrics the model is better or worse, and say plainly where it does not win."""
    titles = {m.name: m.title for m in METRICS}
    said = []
    for baseline in dict.fromkeys(result.baseline for result in results):
        own = [result for result in results if result.baseline == baseline]
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


def _figures(result: Comparison) -> str:
    if result.model_mean is None or result.baseline_mean is None:
        return "undefined"
    return f"{result.model_mean:.3f} against {result.baseline_mean:.3f}"
