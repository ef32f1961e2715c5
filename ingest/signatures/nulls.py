"""Pretend conditions compared with the other half of their control, and what a release keeps of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.contract import RELEASE, TILE_CONDITIONS
from ingest.conditions.null import DEALT, NullCondition
from ingest.readers.ahead import ahead, batched
from ingest.release.tables import TileWriter, write_table
from ingest.signatures.calibration import Calibration, Singles, calibration_table, tail_of
from ingest.signatures.comparing import HALVES, Comparing
from ingest.signatures.contrast import match
from ingest.signatures.effect_size import effect_norm, energy_distance
from ingest.signatures.false_discovery import significant
from ingest.signatures.summed import Summed
from ingest.signatures.tested import Tested

AT_ONCE = 16
"""Pretend conditions that a thread works on at once."""


@dataclass(frozen=True, slots=True)
class _Block:
    """Some pretend conditions of one half of a control, tested: a row for each."""

    conditions: list[NullCondition]
    tested: Tested
    stratum: npt.NDArray[np.intp]
    effect_norm: npt.NDArray[np.float64]
    energy_distance: npt.NDArray[np.float64]

    @property
    def n_cells(self) -> npt.NDArray[np.float64]:
        return np.array([condition.n_cells for condition in self.conditions], np.float64)

    def adjusted(self, calibration: Calibration) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return log p as corrected, and q."""
        log_p, _, q_value = self.tested.adjusted(calibration, self.n_cells, self.stratum)
        return log_p, q_value


def calibrate(data: Summed) -> tuple[Calibration, pl.DataFrame]:
    """Test pretend conditions, fit what corrects the tests of a dataset, and summarise how far they hold.

    Returns
    -------
    The calibration, and the release's table of that name.
    """
    blocks = list(_tested(data))
    conditions = [condition for block in blocks for condition in block.conditions]
    if not conditions:
        return Calibration.none(), calibration_table([], pl.DataFrame(), [], data.test, Calibration.none())
    dealt = np.array([condition.kind == DEALT for condition in conditions])
    sizes = np.array([condition.n_cells for condition in conditions])
    tails = [tail_of(block.tested.log_p, block.stratum) for block in blocks]
    tests, near, far, beyond = (np.concatenate(part)[dealt] for part in zip(*tails, strict=True))
    calibration = Calibration.of_genes(sizes[dealt], (tests, near, far, beyond))
    log_p: list[Singles] = []
    nulls = []
    for block in blocks:
        corrected, q_value = block.adjusted(calibration)
        n_significant, least_q = significant(q_value)
        log_p += list(corrected.astype(np.float32))
        nulls.append(
            pl.DataFrame(
                {
                    "n_significant": n_significant,
                    "least_q": least_q,
                    "effect_norm": block.effect_norm,
                    "energy_distance": block.energy_distance,
                },
                nan_to_null=True,
            )
        )
    measured = pl.concat(nulls)
    of_conditions = measured["least_q"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    calibration = calibration.of_conditions(sizes[dealt], of_conditions[dealt])
    return calibration, calibration_table(conditions, measured, log_p, data.test, calibration)


def _tested(data: Summed) -> Iterator[_Block]:
    by_controls = {each.controls: each for each in reversed(data.grouping.comparisons) if each.same_time}
    nulls = [null for null in data.grouping.nulls if null.controls in by_controls]
    for controls, members in groupby(sorted(nulls, key=lambda null: null.controls), lambda null: null.controls):
        comparing = Comparing(data, by_controls[controls])
        parts = groupby(sorted(members, key=lambda null: null.half), lambda null: null.half)
        blocks = [block for _, part in parts for block in batched(part, AT_ONCE)]
        for _, block in ahead(partial(_test, comparing), blocks):
            yield block


def _test(comparing: Comparing, nulls: list[NullCondition]) -> _Block:
    halves = HALVES[1 - nulls[0].half]
    treated = comparing.nulls(nulls)
    reference = match(comparing.control[halves], treated.cells)
    return _Block(
        nulls,
        comparing.test(treated, reference, halves).single(),
        comparing.strata[halves],
        effect_norm(treated.moments.mean - reference.mean),
        energy_distance(treated.moments, comparing.control[halves].pooled),
    )


def write_nulls(folder: Path, data: Summed) -> None:
    """Write the sums of pretend conditions, and what each of them is: tables null_statistics, null_part and null."""
    grouping = data.grouping
    groups = sorted(grouping.null_cells)
    position = {group: place for place, group in enumerate(groups)}
    with TileWriter(folder, "null_statistics", data.genes.height, rows="null_index") as writer:
        for part in batched(groups, TILE_CONDITIONS):
            index = np.array([position[group] for group in part], np.int32)
            pools = [np.array([group]) for group in part]
            writer.write_tiles(index, ahead(partial(data.columns, pools), writer.tiles), {})
    n_batches = len(grouping.batches)
    cells = np.array([grouping.null_cells[group] for group in groups]).reshape(len(groups), n_batches)
    at, batch = np.nonzero(cells)
    library = [data.libraries.nulls.get(group) for group in groups]
    total, square = (
        [0.0 if library[i] is None else getattr(library[i], name)[b] for i, b in zip(at, batch, strict=True)]
        for name in ("total", "square")
    )
    parts = {
        "null_index": at.astype(np.int32),
        "batch": pl.Series([grouping.batches[b] for b in batch.tolist()], dtype=pl.String),
        "n_cells": cells[at, batch],
        "sum_total": pl.Series(total, dtype=pl.Float64),
        "sum_total_square": pl.Series(square, dtype=pl.Float64),
    }
    write_table(folder, "null_part", pl.DataFrame(parts))
    rows = [
        {
            "controls": list(null.controls),
            "half": null.half,
            "parts": [position[group] for group in null.groups],
            "kind": null.kind,
            "n_cells": null.n_cells,
        }
        for null in grouping.nulls
    ]
    write_table(folder, "null_condition", pl.DataFrame(rows, schema=RELEASE["null_condition"].schema))
