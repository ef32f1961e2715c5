"""Rows that no source covers: what prior knowledge of a gene or compound says of a perturbation that nobody did."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from featurestore.counts import count_of
from featurestore.evaluation.best_part import BLEND
from featurestore.evaluation.verdict import DECISIVE, JUDGED, Comparison, compare, title
from featurestore.metrics import Metric

_MEAN = "train_mean"
_FEWEST = 2
"""Fewer perturbations have no interval."""


def on_uncovered_rows(table: pl.DataFrame, metrics: tuple[Metric, ...]) -> list[Comparison]:
    """Compare every model with the train mean over the rows that no source covers; nothing where there are none.

    Parameters
    ----------
    table
        Scores by model and row, ``is_covered`` among the columns.
    metrics
        What to compare by.
    """
    rows = table.filter(~pl.col("is_covered"))
    models = rows["model"].unique(maintain_order=True).to_list()
    if _MEAN not in models or rows["perturbation_id"].n_unique() < _FEWEST:
        return []
    others = [model for model in models if model != _MEAN]
    return [found for metric in metrics for found in compare(rows, others, _MEAN, metric)] if others else []


def uncovered_sentences(found: list[Comparison], table: pl.DataFrame, titles: Mapping[str, str]) -> list[str]:
    """Say what the judged model and the blend gain on the train mean there, with intervals.

    Parameters
    ----------
    found, table
        As of :func:`on_uncovered_rows`.
    titles
        Titles of metrics by name.
    """
    rows = table.filter(~pl.col("is_covered"))
    n = count_of(rows["perturbation_id"].n_unique(), "perturbation")
    said = []
    for model in (JUDGED, BLEND):
        own = [each for each in found if each.model == model and each.metric in DECISIVE and each.gain is not None]
        if own and rows.filter(pl.col("model") == model)["is_fallback"].all():
            return [f"Of {n} that no source covers nothing is known: models predict the train mean."]
        facts = "; ".join(
            f"{each.outcome} in {titles[each.metric]} by {each.gain:+.3f} ({each.low:+.3f} to {each.high:+.3f})"
            for each in own
        )
        said += [f"On {n} that no source covers, {title(model)} against train mean: {facts}."] if facts else []
    return said
