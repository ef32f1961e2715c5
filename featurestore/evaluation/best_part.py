"""The blend against its best part: the part that is best in each metric, which nobody could have chosen beforehand."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from featurestore.evaluation.scoring import by_perturbation
from featurestore.evaluation.verdict import BETTER, UNDECIDED, WORSE, Comparison, compare, title
from featurestore.metrics import Metric

BLEND = "blend"
NOT_PARTS = ("magnitude",)
"""What stands beside weights and is none."""
_SAID = {
    BETTER: "beats its best part in",
    UNDECIDED: "is not clearly above or below its best part in",
    WORSE: "falls below its best part in",
}


def against_best_part(table: pl.DataFrame, parts: list[str], metrics: tuple[Metric, ...]) -> list[Comparison]:
    """Compare the blend, in each metric, with the part that has the best mean there.

    Parameters
    ----------
    table
        Scores by model and perturbation.
    parts
        Models that the blend is made of; those that were not evaluated are left out.
    metrics
        What to compare by.
    """
    found = []
    for metric in metrics:
        scores = by_perturbation(table.filter(pl.col("model").is_in(parts)), metric.name)
        means = {part: scores[part].mean() for part in parts if part in scores.columns}
        known = {part: mean for part, mean in means.items() if isinstance(mean, float)}
        if known:
            sign = 1 if metric.more_is_better else -1
            best = max(known, key=lambda part: sign * known[part])
            found += compare(table, [BLEND], best, metric)
    return found


def blend_sentences(found: list[Comparison], titles: Mapping[str, str]) -> list[str]:
    """Say in which metrics the blend beats its best part, is told from it by no interval, and falls below it.

    Parameters
    ----------
    found
        As of :func:`against_best_part`.
    titles
        Titles of metrics by name.
    """
    said = []
    for outcome, words in _SAID.items():
        some = [one for one in found if one.outcome == outcome and one.model_mean is not None]
        facts = "; ".join(
            f"{titles[one.metric]} ({one.model_mean:.3f} against {one.baseline_mean:.3f} of {title(one.baseline)})"
            for one in some
        )
        said += [f"{title(BLEND).capitalize()} {words} {facts}."] if some else []
    return said
