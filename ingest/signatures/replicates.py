"""Tables of a dataset whose rows are replicate wells: moderated z-scores of each condition, and how wells agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.contract import TILE_CONDITIONS
from ingest.conditions.label import LabelledRows
from ingest.release.tables import TileWriter, write_table
from ingest.signatures.modz import Moderated, moderate
from ingest.signatures.reported import judge_reported
from ingest.signatures.wells import ReadWells, Rows

HELD = 2**28
"""How much of the wells is in memory at most, unless one condition is more. Unit: bytes."""
_UNKNOWN = ("standard_error", "z", "p_value", "q_value")


def write_moderated(
    folder: Path,
    labelled: LabelledRows,
    read_wells: ReadWells,
    is_landmark: npt.NDArray[np.bool_],
    advance: Callable[[int], None],
) -> None:
    """Write signature and quality of every condition that is no control.

    Parameters
    ----------
    folder
        The staged release.
    labelled
        The condition of every well.
    read_wells
        Reads z-scores of wells; NaN throughout where a well has none, which is then left out.
    is_landmark
        Genes that wells are compared by. Shape (genes,).
    advance
        Called with the number of conditions done.
    """
    quality = []
    with TileWriter(folder, "signature", is_landmark.size) as writer:
        for members in _batches(labelled, is_landmark.size):
            rows = np.sort(np.concatenate(list(members.values())))
            values = read_wells(rows)
            found = {c: _combine(values[np.searchsorted(rows, own)], is_landmark) for c, own in members.items()}
            signatures = {c: moderated for c, (moderated, _) in found.items() if moderated is not None}
            if signatures:
                effect = np.stack([moderated.z for moderated in signatures.values()])
                columns = {"effect": effect, **dict.fromkeys(_UNKNOWN)}
                writer.write(np.array(list(signatures), np.int32), columns, {"effect_kind": "moderated_z"})
            quality += [_quality(condition, *result) for condition, result in found.items()]
            advance(len(members))
    schema = {"condition_index": pl.Int32, "n_cells": pl.Int64, "replicate_correlation": pl.Float64, "tas": pl.Float64}
    table = pl.DataFrame(quality, schema=schema | {"evidence": pl.String}, orient="row")
    write_table(folder, "quality", judge_reported(table.fill_nan(None), is_landmark.size))


def _batches(labelled: LabelledRows, n_genes: int) -> Iterator[dict[int, Rows]]:
    """Yield conditions, in order, with the rows of their wells: as many as fit a tile and the memory."""
    order = np.argsort(labelled.condition, kind="stable")
    treated = np.flatnonzero(~labelled.is_control)
    starts = np.searchsorted(labelled.condition[order], treated)
    stops = np.searchsorted(labelled.condition[order], treated, side="right")
    most = max(1, HELD // (np.dtype(np.float64).itemsize * max(1, n_genes)))
    batch: dict[int, Rows] = {}
    n_wells = 0
    for condition, start, stop in zip(treated.tolist(), starts.tolist(), stops.tolist(), strict=True):
        if batch and (len(batch) == TILE_CONDITIONS or n_wells + stop - start > most):
            yield batch
            batch, n_wells = {}, 0
        batch[condition] = order[start:stop]
        n_wells += stop - start
    if batch:
        yield batch


def _combine(values: npt.NDArray[np.float64], is_landmark: npt.NDArray[np.bool_]) -> tuple[Moderated | None, int]:
    """Combine the wells that have values, and count them."""
    present = values[np.isfinite(values).any(axis=1)]
    return (moderate(present, is_landmark), len(present)) if len(present) else (None, 0)


def _quality(condition: int, moderated: Moderated | None, n_wells: int) -> tuple[int, int, float, float, str | None]:
    if moderated is None:
        return condition, 0, np.nan, np.nan, "no control wells on its plates"
    if n_wells == 1:
        return condition, 1, np.nan, np.nan, "one well: agreement cannot be told"
    evidence = (
        f"{moderated.strength} landmark genes changed, {n_wells} wells agree at rho = {moderated.correlation:.2f}"
    )
    return condition, n_wells, moderated.correlation, moderated.tas, evidence
