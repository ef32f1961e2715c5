"""A submission of 2026: predictions of several contexts, written as the counts of cells that its panel asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from featurestore.counts import count_of
from featurestore.errors import FeatureError

if TYPE_CHECKING:
    from featurestore.challenge import Cells
    from featurestore.challenge.panel import Panel
    from featurestore.challenge.submission_2026 import Block

Predicted = list[tuple[str, "Cells", list[str], npt.NDArray[np.float64]]]
"""Of each context: its name, its controls, the perturbations and their effects."""
Report = Callable[[str], None]


def submit_2026(
    predicted: Predicted,
    output: Path,
    panel: Path | None,
    missing: str,
    cells: int | None,
    genes: Path | None,
    seed: int,
    column: str,
    report: Report,
) -> str:
    """Write the predictions that the panel asks for, or without one all of them, and say what was written."""
    from featurestore.challenge.panel import CELLS_EACH_2026, read_genes, read_panel  # noqa: PLC0415
    from featurestore.challenge.submission_2026 import write_counts  # noqa: PLC0415

    expected = None if panel is None else read_panel(panel)
    names = [name for name, *_ in predicted]
    n_filled = 0
    if expected is None:
        listed = tuple(read_genes(genes)) if genes else predicted[0][1].genes
        each = [dict.fromkeys(labels, cells or CELLS_EACH_2026) for _, _, labels, _ in predicted]
    else:
        listed = expected.genes
        if missing == "mean":
            predicted, n_filled = _filled(predicted, expected)
        each = [_of_panel(expected, name, labels, cells) for name, _, labels, _ in predicted]
        expected.check_contexts(names)
    n_entries = write_counts(_blocks(predicted, each, listed, seed, report), output, genes=listed, column=column)
    said = "; ".join(
        f"context {name}: {count_of(len(n), 'perturbation')} of {_sizes(n)} cells"
        for name, n in zip(names, each, strict=True)
    )
    remarks = "".join(f" {remark}" for remark in _remarks(predicted, each, listed, n_filled, expected))
    return f"{said}; 0 control cells, {count_of(len(listed), 'gene')}, {n_entries:,} entries.{remarks}"


def _sizes(n_cells: dict[str, int]) -> str:
    return " or ".join(f"{n:,}" for n in sorted(set(n_cells.values())))


def _remarks(
    predicted: Predicted, each: list[dict[str, int]], genes: Sequence[str], n_filled: int, panel: Panel | None
) -> Iterator[str]:
    """Say what was left out and what was put in, and what a submission would still lack."""
    from featurestore.challenge.panel import N_GENES_2026  # noqa: PLC0415

    n_more = sum(len(set(labels) - set(n)) for (_, _, labels, _), n in zip(predicted, each, strict=True))
    if n_more:
        yield f"{n_more:,} effects of other perturbations are left out."
    if n_filled:
        yield f"{count_of(n_filled, 'perturbation')} that the effects lack: the mean effect stands in."
    known = [
        dict(zip(controls.genes, np.asarray(np.isfinite(x).any(axis=0)), strict=True))
        for _, controls, _, x in predicted
    ]
    n_silent = max(sum(not of[gene] for gene in genes) for of in known)
    if n_silent:
        yield f"As they are in the controls: {count_of(n_silent, 'gene')} without effects."
    if panel is None:
        yield "No submission: that has every context, and is checked with --panel."
    elif len(genes) != N_GENES_2026:
        yield f"The challenge's own list has {N_GENES_2026:,} genes."


def _filled(predicted: Predicted, panel: Panel) -> tuple[Predicted, int]:
    """Give perturbations of the panel that have no effects the mean of those that are there, and count them."""
    found: Predicted = []
    n_filled = 0
    for context, controls, labels, effects in predicted:
        lacking = [name for name in panel.of(context) if name not in labels]
        known = np.isfinite(effects)
        mean = np.where(known, effects, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        found.append((context, controls, [*labels, *lacking], np.vstack([effects, np.tile(mean, (len(lacking), 1))])))
        n_filled += len(lacking)
    return found, n_filled


def _of_panel(panel: Panel, context: str, labels: list[str], cells: int | None) -> dict[str, int]:
    panel.check_perturbations(context, labels)
    n_cells = dict(panel.of(context))
    wrong = sorted({n for n in n_cells.values() if cells not in (None, n)})
    if wrong:
        raise FeatureError(
            "The challenge of 2026 takes as many cells of each perturbation as its panel says.",
            expected=", ".join(f"{n:,}" for n in wrong),
            got=f"--cells {cells:,}",
            do="leave --cells out",
        )
    return n_cells


def _blocks(
    predicted: Predicted, each: list[dict[str, int]], genes: Sequence[str], seed: int, report: Report
) -> Iterator[Block]:
    from featurestore.challenge.submission import emit, positions  # noqa: PLC0415
    from featurestore.challenge.submission_2026 import Block  # noqa: PLC0415

    n, n_all = 0, sum(len(n_cells) for n_cells in each)
    for (context, controls, labels, effects), n_cells in zip(predicted, each, strict=True):
        columns = positions(controls, genes)
        rows = [labels.index(name) for name in n_cells]
        for name, values in emit(controls, effects[rows], list(n_cells), n_cells=n_cells, as_counts=True, seed=seed):
            n += 1
            report(f"{n:,} of {n_all:,} perturbations made into cells")
            ordered = values[:, columns]
            ordered.sort_indices()
            yield Block(context, name, ordered)
