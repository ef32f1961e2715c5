"""The heat map of a plan: which source knows which perturbation, and by how many cells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

_MISSING = "#f0f0f0"
_LONGEST = 45


def draw_coverage(path: Path, sources: pl.DataFrame, cells: npt.NDArray[np.float64]) -> None:
    """Draw sources against target conditions, coloured by cells, in a map that reads without colour vision.

    Parameters
    ----------
    path
        PNG to write.
    sources
        As of a plan, in its order; those that the guard would withhold are marked.
    cells
        Shape (sources, rows).
    """
    covered = cells > 0
    order = np.lexsort((-cells.sum(axis=0), -covered.sum(axis=0)))
    shown = np.ma.masked_equal(cells[:, order], 0)
    figure = Figure(figsize=(9, 1.6 + 0.32 * max(len(cells), 2)), layout="constrained")
    axes = figure.add_subplot()
    axes.set_facecolor(_MISSING)
    top = max(float(cells.max(initial=1.0)), 10.0)
    image = axes.imshow(shown, aspect="auto", cmap="cividis", norm=LogNorm(1, top), interpolation="nearest")
    labels = [
        f"{name[:_LONGEST]}{' (withheld)' if reason else ''}"
        for name, reason in sources.select("source", "withheld").iter_rows()
    ]
    axes.set_yticks(range(len(labels)), labels, fontsize=8)
    axes.set_xlabel("target conditions, the best covered first; grey: not covered")
    figure.colorbar(image, ax=axes, label="cells")
    figure.savefig(path, dpi=150, metadata={"Software": None})
