"""Pictures of an evaluation: gains with intervals, perturbations one by one, sources, magnitude, learning, data points.

Colours are those of Okabe and Ito, and nothing is told by colour alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from featurestore.calibration import qq_points
from featurestore.evaluation.evaluation import Evaluation
from featurestore.evaluation.label_places import Label, label_apart
from featurestore.evaluation.scoring import METRICS
from featurestore.evaluation.verdict import JUDGED, title

BLUE, ORANGE, GREY, DARK = "#0072B2", "#D55E00", "0.6", "0.35"
MARKS = {"elsewhere": (ORANGE, "s", "--"), JUDGED: (BLUE, "o", "-")}
_TITLES = {m.name: m.title for m in METRICS}
_SHOWN = ("pearson_delta", "mae", "pds")
_ROW = 0.3
_LINES = ("o-", "s--", "^:", "D-.", "v-", "P--", "X:")
_LONG = 44
_NAMED = {"x1", "x0.25", "x4"}
"""Labels that go first where there is no room for all."""

Mark = tuple[int, float, float, float, str]
"""A row, a value with the ends of its interval, and a colour."""


def pictures(evaluation: Evaluation) -> dict[str, tuple[Callable[[Any], Figure], str]]:
    """Name the pictures that there is something to draw for: how each is drawn, and what it shows, in words."""
    best = title(JUDGED)
    every: dict[str, tuple[bool, Callable[[Any], Figure], str]] = {
        "gains": (
            bool(evaluation.comparisons),
            draw_gains,
            "Mean gain of every model over the train mean with its 95 % interval, one panel a metric; right is better.",
        ),
        "per_perturbation": (
            JUDGED in evaluation.predicted and "train_mean" in evaluation.predicted,
            draw_perturbations,
            f"Each perturbation's score with the train mean across and with {best} upwards.",
        ),
        "sources": (
            evaluation.source_values.height > 0,
            draw_sources,
            f"What {best} loses without each source, with its 95 % interval; right of 0 the source helps.",
        ),
        "magnitude": (
            evaluation.rescaled.height > 0,
            draw_magnitude,
            "PDS and cosine PDS against MAE as predictions are multiplied by a number.",
        ),
        "learning": (
            evaluation.curves.height > 0,
            draw_learning,
            "Scores against the number of training perturbations, of sources, and of external data points.",
        ),
        "data_points": (
            evaluation.data_points.height > 0,
            draw_data_points,
            "Conditions and responders of every dataset in the warehouse.",
        ),
        "null": (
            evaluation.null.height > 0 and qq_points(evaluation.null).height > 0,
            draw_null,
            "p-values of the target where nothing happened against what they should be: QQ plot, one line a size.",
        ),
    }
    return {name: (draw, text) for name, (is_there, draw, text) in every.items() if is_there}


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, without the date or the version of the library."""
    figure.savefig(path, dpi=130, metadata={"Software": None})


def draw_gains(evaluation: Evaluation) -> Figure:
    """Draw the paired gain of every model over the train mean, with its interval."""
    found = [c for c in evaluation.comparisons if c.baseline == "train_mean" and c.gain is not None]
    names = [m.name for m in evaluation.metrics if any(c.metric == m.name for c in found)]
    models = list(dict.fromkeys(c.model for c in found))
    figure = Figure(figsize=(2.4 + 2.2 * len(names), 1.1 + _ROW * max(len(models), 3)), layout="constrained")
    marks = {
        name: [
            (models.index(c.model), c.gain, c.low, c.high, BLUE if c.model == JUDGED else "0.2")
            for c in found
            if c.metric == name and c.gain is not None and c.low is not None and c.high is not None
        ]
        for name in names
    }
    panels = _intervals(figure, marks, margin=0.08)
    panels[0].set_yticks(np.arange(len(models)), [title(model) for model in models], fontsize=9)
    panels[0].set_ylim(len(models) - 0.5, -0.5)
    figure.supxlabel("gain over the train mean, more is better; filled: interval above 0", fontsize=9)
    return figure


def _intervals(figure: Figure, marks: dict[str, list[Mark]], *, margin: float) -> Sequence[Axes]:
    """Draw a panel for each metric: a point with its interval in each row, filled where all of it is above 0."""
    panels: Sequence[Axes] = figure.subplots(1, max(len(marks), 1), sharey=True, squeeze=False)[0]
    for axes, (name, drawn) in zip(panels, marks.items(), strict=False):
        axes.axvline(0, color=DARK, linewidth=1, linestyle=(0, (4, 3)), zorder=0)
        for place, value, low, high, colour in drawn:
            axes.plot([low, high], [place, place], color=colour, linewidth=1.6)
            axes.plot(value, place, "o", color=colour, markerfacecolor=colour if low > 0 else "white", markersize=6)
        axes.set_title(_TITLES[name], fontsize=10)
        axes.grid(axis="x", color="0.9")
        axes.margins(x=margin)
        axes.locator_params(axis="x", nbins=4)
    return panels


def draw_perturbations(evaluation: Evaluation) -> Figure:
    """Draw each perturbation's score with the judged model against that with the train mean."""
    names = [m for m in evaluation.metrics if m.name in {"pearson_delta", "mae", "pds"}]
    figure = Figure(figsize=(0.4 + 3.4 * len(names), 3.9), layout="constrained")
    panels = figure.subplots(1, len(names), squeeze=False)[0]
    columns = ["condition_id", "is_responder", *(m.name for m in names)]
    ours, theirs = (evaluation.per_perturbation.filter(model=m).select(columns) for m in (JUDGED, "train_mean"))
    both = ours.join(theirs, on="condition_id", suffix="_mean")
    responds = pl.col("is_responder").fill_null(value=False)
    kinds = (("responder", responds, BLUE, "o"), ("not, or unknown", ~responds, ORANGE, "x"))
    for axes, metric in zip(panels, names, strict=True):
        drawn = both.drop_nulls([metric.name, f"{metric.name}_mean"])
        for label, rule, colour, mark in kinds:
            part = drawn.filter(rule)
            x, y = part[f"{metric.name}_mean"].to_numpy(), part[metric.name].to_numpy()
            axes.plot(x, y, mark, color=colour, markersize=4, alpha=0.7, label=f"{label} ({part.height:,})")
        if drawn.height:
            low = drawn.select(pl.min_horizontal(metric.name, f"{metric.name}_mean").min()).item()
            axes.axline((low, low), slope=1, color=DARK, linewidth=1, linestyle=(0, (4, 3)), zorder=0)
            ahead = float((drawn[metric.name] > drawn[f"{metric.name}_mean"]).to_numpy().mean())
            better = ahead if metric.more_is_better else 1 - ahead
            axes.set_title(f"{metric.title}: better for {better:.0%}", fontsize=10)
        axes.set_xlabel("train mean")
    panels[0].set_ylabel(title(JUDGED))
    panels[0].legend(fontsize=8)
    return figure


def draw_sources(evaluation: Evaluation) -> Figure:
    """Draw what each source adds to the judged model, given all the others."""
    table = evaluation.source_values
    wanted = [m for m in evaluation.metrics if m.name in _SHOWN]
    names = [m.name for m in wanted if table.filter(pl.col("value").is_not_null(), metric=m.name).height]
    first = table.filter(metric=names[0]).sort("value", descending=True, nulls_last=True) if names else table.head(0)
    order = first["source"].to_list()
    figure = Figure(figsize=(3.4 + 2.3 * max(len(names), 1), 1.2 + _ROW * max(len(order), 3)), layout="constrained")
    shown = table.drop_nulls(["value", "low"]).select("metric", "source", "value", "low", "high")
    marks: dict[str, list[Mark]] = {
        name: [(order.index(source), *interval, BLUE) for _, source, *interval in shown.filter(metric=name).rows()]
        for name in names
    }
    panels = _intervals(figure, marks, margin=0.1)
    panels[0].set_yticks(np.arange(len(order)), [short(source) for source in order], fontsize=8)
    panels[0].set_ylim(len(order) - 0.5, -0.5)
    figure.supxlabel("gain from the source over all but it; filled: interval above 0", fontsize=9)
    return figure


def draw_magnitude(evaluation: Evaluation) -> Figure:
    """Draw discrimination against error along the factor that predictions are multiplied by."""
    figure = Figure(figsize=(7.8, 3.8), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    labels: dict[Axes, list[Label]] = {axes: [] for axes in panels}
    for axes, metric in zip(panels, ("pds", "pds_cosine"), strict=True):
        for model, (colour, mark, line) in MARKS.items():
            own = evaluation.rescaled.filter(model=model).drop_nulls([metric, "mae"])
            if own.is_empty():
                continue
            x, y = own["mae"].to_numpy(), own[metric].to_numpy()
            axes.plot(x, y, marker=mark, linestyle=line, color=colour, markersize=5, label=title(model))
            wanted = [
                (at_x, at_y, f"x{factor:g}", colour)
                for factor, at_x, at_y in zip(own["factor"], x, y, strict=True)
                if metric == "pds" or factor in {own["factor"].min(), own["factor"].max()}
            ]
            labels[axes] += sorted(wanted, key=lambda label: label[2] not in _NAMED)
        axes.axhline(0.5, color=DARK, linewidth=1, linestyle=(0, (4, 3)), zorder=0)
        axes.set_title(_TITLES[metric], fontsize=10)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.minorticks_off()
        axes.set_xlabel("MAE, less is better")
        axes.grid(color="0.92")
        axes.margins(x=0.1, y=0.12)
    panels[0].set_ylabel("discrimination, 0.5 is chance")
    _explain_marks((panels[1], panels[0]), "center right")
    for axes, wanted in labels.items():
        label_apart(axes, wanted)
    return figure


def draw_learning(evaluation: Evaluation) -> Figure:
    """Draw scores against the number of training perturbations, of sources, and of external data points."""
    metric = "mae" if evaluation.is_readout else "pearson_delta"
    figure = Figure(figsize=(10.4, 3.6), layout="constrained")
    panels = figure.subplots(1, 3, sharey=True)
    styles = {JUDGED: (BLUE, "o", "-"), "train_mean": (ORANGE, "s", "--")}
    axis_of = {"training perturbations": ("perturbations", "n"), "sources (every one, or a draw)": ("sources", "n")}
    axis_of["external data points"] = ("sources", "data_points")
    for axes, (text, (axis, number)) in zip(panels, axis_of.items(), strict=True):
        for model, (colour, mark, line) in styles.items():
            own = evaluation.curves.filter(axis=axis, model=model).drop_nulls(metric)
            if own.is_empty():
                continue
            means = own.group_by("n").agg(pl.col(metric).mean(), place=pl.col(number).mean()).sort("n")
            axes.plot(own[number], own[metric], ".", color=colour, markersize=4, alpha=0.6)
            axes.plot(means["place"], means[metric], marker=mark, linestyle=line, color=colour, label=title(model))
        axes.set_xlabel(text)
        axes.grid(color="0.92")
    alone = evaluation.curves.filter(pl.col("axis") == "sources", pl.col("n") == 1).drop_nulls(metric).sort(metric)
    for source, value in alone.select("sources", metric).iter_rows():
        panels[1].annotate(short(source), (1, value), (5, -2), textcoords="offset points", fontsize=7)
    panels[1].xaxis.get_major_locator().set_params(integer=True)
    panels[0].set_ylabel(_TITLES[metric])
    _explain_marks(panels, "best")
    return figure


def _explain_marks(panels: Iterable[Axes], place: Literal["best", "center right"]) -> None:
    """Write a legend into the first panel that anything was drawn in."""
    drawn = next((axes for axes in panels if axes.get_legend_handles_labels()[0]), None)
    if drawn is not None:
        drawn.legend(fontsize=8, loc=place)


def draw_data_points(evaluation: Evaluation) -> Figure:
    """Draw the conditions of every dataset, and how many of them respond."""
    table = evaluation.data_points
    figure = Figure(figsize=(7.8, 1.1 + _ROW * max(table.height, 2)), layout="constrained")
    axes = figure.subplots()
    place = np.arange(table.height)
    total, responders = table["n_conditions"].to_numpy(), table["n_responders"].to_numpy()
    axes.barh(place, total, color="0.85", edgecolor=DARK, linewidth=0.8, label="conditions")
    axes.barh(place, responders, height=0.45, color=BLUE, label="responders")
    unknown = table["n_unknown"].to_numpy()
    for at, (n, k, open_) in enumerate(zip(total, responders, unknown, strict=True)):
        note = f"  {n:,}" + (", unknown which respond" if open_ == n else f", {k:,} respond")
        axes.text(n, at, note, va="center", fontsize=8)
    axes.set_yticks(place, [short(name) for name in table["dataset_id"]], fontsize=8)
    axes.set_ylim(table.height - 0.4, -0.6)
    axes.set_xlim(0, max(total.max() * 1.32, 1))
    axes.set_xlabel("effective data points: conditions, controls not counted")
    axes.legend(fontsize=8, loc="lower right")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure


def draw_null(evaluation: Evaluation) -> Figure:
    """Draw p-values of pretend conditions against what they should be, -log10 of both."""
    points = qq_points(evaluation.null)
    figure = Figure(figsize=(4.6, 4.2), layout="constrained")
    axes = figure.subplots()
    for at, ((kind, n_cells), own) in enumerate(sorted(points.partition_by("kind", "n_cells", as_dict=True).items())):
        label = f"{n_cells:,} cells" if kind == "dealt" else f"{n_cells:,} cells, guides"
        axes.plot(own["expected"], own["observed"], _LINES[at % len(_LINES)], markersize=4, label=label)
    highest = float(np.max(points.select("expected", "observed").to_numpy()))
    axes.plot([0, highest], [0, highest], color=GREY, linestyle="--", linewidth=1)
    axes.set_xlabel("expected -log10 p")
    axes.set_ylabel("observed -log10 p")
    axes.grid(color="0.92")
    axes.legend(fontsize=8)
    return figure


def short(name: str) -> str:
    """Leave the middle of a long name out."""
    name = name.removeprefix("signature/")
    return name if len(name) <= _LONG else f"{name[: _LONG // 2]}…{name[-_LONG // 2 :]}"
