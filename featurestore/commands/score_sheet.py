"""What ``featurestore evaluate`` shows of an evaluation: its scores, what limits them, and the verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
from rich import box
from rich.table import Table

from featurestore.commands.terminal import rendered
from featurestore.counts import count_of

if TYPE_CHECKING:
    from featurestore.evaluation import Evaluation


def score_sheet(evaluation: Evaluation) -> str:
    """Lay out mean scores by model, coverage, ceiling, sources and the verdict; a dash is a score that is undefined."""
    from featurestore.evaluation.verdict import title  # noqa: PLC0415

    counts = evaluation.counts()
    across = ["r across"] if evaluation.is_readout else []
    table = Table("model", *across, *(m.title for m in evaluation.metrics), "fell back", box=box.SIMPLE)
    for column in table.columns[1:]:
        column.justify = "right"
    n_fallback = dict(evaluation.scores.select("model", "n_fallback").iter_rows())
    for model in evaluation.predicted:
        scores = [evaluation.across[model]["r"]] if evaluation.is_readout else []
        scores += [evaluation.score(model, metric.name) for metric in evaluation.metrics]
        table.add_row(title(model), *map(_shown, scores), f"{n_fallback[model]:,}")
    held_out = (
        f"{count_of(counts['n_perturbations'], 'perturbation')} ({count_of(counts['n_rows'], 'condition')}), each held "
        f"out once in {counts['n_folds']} folds; some source covers {count_of(counts['n_rows_covered'], 'condition')}, "
        "none the other "
        f"{counts['n_rows_uncovered']:,}."
    )
    if counts["n_responders_unknown"] < counts["n_rows"]:
        held_out += f" {counts['n_responders']:,} respond{'s' * (counts['n_responders'] == 1)}."
    limit = evaluation.ceiling
    if limit is not None and not evaluation.is_readout:
        table.add_row("a second measurement", *(_shown(limit.replicate.get(m.name)) for m in evaluation.metrics), "")
        table.add_row("the truth itself", *(_shown(limit.noise_free.get(m.name)) for m in evaluation.metrics), "")
    note = "Means over perturbations, own target genes left out. PDS, within a fold: 1 perfect, 0.5 chance."
    if evaluation.is_readout:
        note = "Correlation across the perturbations of a fold, and mean errors."
    doubted = [f"Doubt: {sentence}." for sentence in evaluation.doubts]
    notes = [
        note,
        *_beyond_the_truth(evaluation),
        *undefined(evaluation),
        *_sources(evaluation),
        *_weights(evaluation),
        *doubted,
    ]
    return "\n".join([held_out, rendered(table), *notes, *evaluation.verdict])


def _beyond_the_truth(evaluation: Evaluation) -> list[str]:
    """Say why a model can honestly score more than the truth itself, where one does as it is printed."""
    from featurestore.evaluation.noise_ceiling import ALARM  # noqa: PLC0415
    from featurestore.evaluation.verdict import title  # noqa: PLC0415

    limits = {} if evaluation.ceiling is None or evaluation.is_readout else evaluation.ceiling.noise_free
    beyond = []
    for metric in evaluation.metrics:
        limit, sign = limits.get(metric.name), 1 if metric.more_is_better else -1
        if limit is None or metric.name == ALARM:
            continue
        scores = {model: evaluation.score(model, metric.name) for model in evaluation.predicted}
        ahead = [title(m) for m, s in scores.items() if s is not None and sign * (round(s, 3) - round(limit, 3)) > 0]
        beyond += [f"in {metric.title} {', '.join(ahead)}"] if ahead else []
    if not beyond:
        return []
    why = (
        "all conditions share the noise of their control, which a model learns from the others and the truth does not "
        "have. Centred Pearson leaves it out: who reaches the truth there has seen the answer, and fails the run."
    )
    return [f"Past the truth itself: {'; '.join(beyond)}. That can be honest: {why}"]


def _sources(evaluation: Evaluation) -> list[str]:
    """Say what each source adds, in Pearson delta, in one line."""
    metric = "mae" if evaluation.is_readout else "pearson_delta"
    if evaluation.source_values.is_empty():
        return []
    table = evaluation.source_values.filter(metric=metric).drop_nulls("value").sort("value", descending=True)
    named = [
        f"{row['source'].removeprefix('signature/')} {row['value']:+.3f} ({row['low']:+.3f} to {row['high']:+.3f})"
        for row in table.iter_rows(named=True)
    ]
    word = "MAE" if evaluation.is_readout else "Pearson delta"
    return [f"Gain in {word} of the ridge from each source, given the others: {'; '.join(named)}."] if named else []


def _weights(evaluation: Evaluation) -> list[str]:
    """Say what a blend is made of, means over folds, the heaviest first."""
    from featurestore.evaluation.verdict import title  # noqa: PLC0415

    said = [(title(model), evaluation.mean_weights(model)) for model in evaluation.weights]
    for model in evaluation.weights_uncovered:
        where = f"{title(model)} where no source has the effect"
        said.append((where, evaluation.mean_weights(model, uncovered=True)))
    return [f"{what.capitalize()}: {_shares(weights)}." for what, weights in said]


def _shares(weights: dict[str, float]) -> str:
    from featurestore.evaluation.best_part import NOT_PARTS  # noqa: PLC0415
    from featurestore.evaluation.verdict import title  # noqa: PLC0415

    parts = sorted((name for name in weights if name not in NOT_PARTS), key=lambda name: -weights[name])
    shares = ", ".join(f"{weights[name]:.2f} {title(name)}" for name in parts)
    return f"{shares}; magnitude x {weights['magnitude']:.2f}"


def _shown(score: float | None) -> str:
    return "-" if score is None else f"{score:.3f}"


def undefined(evaluation: Evaluation) -> list[str]:
    """Say which scores are undefined for how many perturbations, in one line."""
    from featurestore.evaluation.verdict import title  # noqa: PLC0415

    gaps = evaluation.summary.filter((pl.col("stratum") == "all") & (pl.col("n_undefined") > 0))
    texts = []
    for metric in evaluation.metrics:
        for n, models in (
            gaps.filter(metric=metric.name).group_by("n_undefined", maintain_order=True).agg("model").rows()
        ):
            everyone = len(models) == len(evaluation.predicted)
            texts.append(f"{metric.title} of {'all' if everyone else ', '.join(map(title, models))} ({n:,})")
    return [f"Undefined, with the number of perturbations: {'; '.join(texts)}."] if texts else []
