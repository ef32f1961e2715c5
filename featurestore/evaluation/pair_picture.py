"""The picture of an evaluation of pairs: what models and single features rank right, and gene by gene."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from featurestore.evaluation.pair_evaluation import PairEvaluation
from featurestore.evaluation.pair_scoring import JUDGED_OF_PAIRS, title
from featurestore.evaluation.pair_value import LEARNER

_BLUE, _ORANGE, _GREY = "#0072B2", "#D55E00", "0.6"
_CHANCE: dict[str, Any] = {"color": "0.35", "linewidth": 1, "linestyle": (0, (4, 3))}
"""How the line is drawn that a model without knowledge, or one of honest probabilities, follows."""
_BINS = np.linspace(0, 1, 21)
_ROW = 0.27
_MOST_TEXT = 40
_CONTEXT = 2
"""Place of the context in a column name: block, dataset, context, suffix."""


def draw_areas(path: Path, evaluation: PairEvaluation) -> None:
    """Draw mean areas of models, with two standard errors, and of features alone; beside them the genes one by one.

    Parameters
    ----------
    path
        PNG to write.
    evaluation
        What to draw.
    """
    areas = {title(model): (model, area) for model, area in evaluation.areas.items()}
    alone = sorted(((area, name) for name, area in evaluation.alone.items()), reverse=True)
    labels = [*reversed(areas), *(_short(name) for _, name in alone)]
    figure = Figure(figsize=(10.5, 1.6 + _ROW * max(len(labels), 10)), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    for place, (model, area) in enumerate(reversed(areas.values())):
        error = evaluation.errors[model] or 0.0
        left.errorbar(area, place, xerr=2 * error, fmt="o", color=_BLUE, capsize=3, zorder=3)
        null = [each[model] for each in evaluation.null if model in each]
        left.plot(null, [place] * len(null), "D", color=_ORANGE, markerfacecolor="none", markersize=4, zorder=3)
    left.plot([area for area, _ in alone], np.arange(len(alone)) + len(areas), ".", color=_GREY)
    left.plot([], [], "o", color=_BLUE, label="model, two standard errors")
    left.plot([], [], "D", color=_ORANGE, markerfacecolor="none", markersize=4, label="model, sources shuffled")
    left.plot([], [], ".", color=_GREY, label="one feature alone")
    left.axvline(0.5, **_CHANCE, zorder=0)
    left.set_yticks(np.arange(len(labels)), labels, fontsize=8)
    left.invert_yaxis()
    left.set_xlabel("mean AUROC over genes")
    left.legend(fontsize=8, loc="lower right")
    genes = evaluation.per_gene
    chosen = JUDGED_OF_PAIRS if JUDGED_OF_PAIRS in evaluation.scores else next(iter(evaluation.scores))
    values = genes.filter(model=chosen)["auroc"].to_numpy()
    right.hist(values, bins=list(_BINS), color=_BLUE)
    right.axvline(0.5, **_CHANCE)
    right.set(xlabel="AUROC of one gene", ylabel="genes", xlim=(0, 1))
    right.set_title(f"{chosen}: {len(values):,} genes", fontsize=10)
    _save(figure, path, evaluation)


def draw_reliability(path: Path, evaluation: PairEvaluation) -> None:
    """Draw, for each model that says a probability, how often pairs of that probability were positive, and how many.

    Parameters
    ----------
    path
        PNG to write.
    evaluation
        What to draw.
    """
    figure = Figure(figsize=(5.6, 6.4), layout="constrained")
    axes, below = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
    axes.plot([0, 1], [0, 1], **_CHANCE, zorder=0)
    for place, (model, found) in enumerate(evaluation.reliability.items()):
        said, was = ([one[key] for one in found["bins"]] for key in ("predicted", "observed"))
        colour, marker = (_BLUE, _ORANGE, _GREY)[place % 3], "os^"[place % 3]
        label = f"{title(model)}, off by {found['calibration_error']:.3f}"
        axes.plot(said, was, marker=marker, color=colour, label=label)
        below.plot(said, [one["n"] for one in found["bins"]], marker=marker, color=colour)
    axes.set(ylabel="share of positive pairs", xlim=(0, 1), ylim=(0, 1))
    axes.set_title("on the dashed line probabilities are honest; points of few pairs say little", fontsize=9)
    below.set(xlabel="probability while held out", ylabel="pairs", yscale="log")
    axes.legend(fontsize=8, loc="upper left")
    _save(figure, path, evaluation)


def draw_sources(path: Path, evaluation: PairEvaluation) -> None:
    """Draw the mean area against the external data points learnt from: every set of sources, and the mean by number.

    Parameters
    ----------
    path
        PNG to write.
    evaluation
        What to draw.
    """
    curve = evaluation.curve.drop_nulls("auroc")
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.axhline(0.5, **_CHANCE, zorder=0)
    means = curve.group_by("n_sources").agg(pl.col("data_points", "auroc").mean()).sort("n_sources")
    axes.plot(means["data_points"], means["auroc"], "-", color=_BLUE, zorder=1)
    error = 2 * curve["standard_error"].fill_null(0.0)
    axes.errorbar(curve["data_points"], curve["auroc"], yerr=error, fmt="o", color=_BLUE, capsize=3)
    alone = curve.with_columns(error=error).filter(n_sources=1).sort("data_points")
    for place, (name, x, y, spread) in enumerate(alone.select("sources", "data_points", "auroc", "error").iter_rows()):
        up = place % 2 or -1  # by turns below and above, right of all that leads there
        end, side = (x, y + up * spread), "bottom" if up > 0 else "top"
        axes.annotate(_short(name), end, (2, 4 * up), textcoords="offset points", fontsize=8, va=side)
    axes.set(xlabel="external data points (conditions of the sources)", ylabel="mean AUROC over genes")
    axes.margins(x=0.1, y=0.1)
    axes.set_xlim(left=-0.03 * float(curve["data_points"].to_numpy().max(initial=1)))
    axes.set_title(f"{title(LEARNER)}; two standard errors", fontsize=9)
    _save(figure, path, evaluation)


def _save(figure: Figure, path: Path, evaluation: PairEvaluation) -> None:
    """Write a figure under the name of the matrix, without the version of the library."""
    figure.suptitle(str(evaluation.matrix.manifest.get("name", "")), fontsize=11)
    figure.savefig(path, dpi=150, metadata={"Software": None})


def _short(name: str) -> str:
    """Leave the context out of a long column name."""
    parts = name.split("/")
    return name if len(name) <= _MOST_TEXT else "/".join(parts[:_CONTEXT] + parts[_CONTEXT + 1 :])
