"""Pictures of predicted against measured effects, one per model, alike in scale so that they can be compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

Array = npt.NDArray[np.floating]

_HEXAGONS = 70
_SHOWN = 0.9995
"""Share of the measured effects that the axes hold."""


def axis_limit(measured: Array) -> float:
    """Return the largest effect shown, from the measured effects, so that all models get the same axes."""
    return float(np.quantile(np.abs(measured), _SHOWN)) * 1.05 or 1.0


def draw_scatter(path: Path, predicted: Array, measured: Array, limit: float, heading: str, unit: str) -> None:
    """Draw predicted against measured effects as hexagons coloured by the number of points on a log scale.

    Parameters
    ----------
    path
        PNG to write.
    predicted, measured
        Effects, shape (points,).
    limit
        Both axes go from -limit to limit.
    heading
        Model and score.
    unit
        Unit of the effect, for the axis labels.
    """
    inside = (np.abs(predicted) <= limit) & (np.abs(measured) <= limit)
    figure = Figure(figsize=(5.6, 5.0))
    axes = figure.add_axes((0.13, 0.11, 0.68, 0.8))
    axes.axline((0, 0), slope=1, color="0.35", linewidth=1, linestyle=(0, (4, 3)), zorder=3)
    axes.axhline(0, color="0.85", linewidth=0.8, zorder=0)
    axes.axvline(0, color="0.85", linewidth=0.8, zorder=0)
    hexagons = axes.hexbin(
        measured[inside],
        predicted[inside],
        gridsize=_HEXAGONS,
        extent=(-limit, limit, -limit, limit),
        bins="log",
        mincnt=1,
        cmap="cividis_r",
        linewidths=0.1,
    )
    axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    axes.set_xlabel(f"measured effect ({unit})")
    axes.set_ylabel(f"predicted effect ({unit})")
    axes.set_title(heading, fontsize=11)
    bar = figure.colorbar(hexagons, cax=figure.add_axes((0.84, 0.16, 0.03, 0.7)), label="gene x condition pairs")
    bar.minorticks_off()
    outside = 1 - inside.mean()
    note = f"{len(measured):,} pairs" + (f", {outside:.2%} outside the axes" if outside > 0 else "")
    axes.text(0.02, 0.98, note, transform=axes.transAxes, va="top", fontsize=8, color="0.3")
    figure.savefig(path, dpi=110, metadata={"Software": None})
