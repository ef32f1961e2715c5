"""From the sums of a dataset of cells to its tables: statistics, signatures, quality, calibration, by blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from featurestore.contract import TILE_CONDITIONS
from ingest.kernel import UNIT
from ingest.readers.ahead import ahead, batched
from ingest.release.tables import TileWriter, write_table
from ingest.signatures.calibration import Calibration
from ingest.signatures.comparing import Comparing
from ingest.signatures.contrast import match
from ingest.signatures.digits import cut, rounded
from ingest.signatures.nulls import calibrate, write_nulls
from ingest.signatures.over_replicates import OverReplicates, take_over
from ingest.signatures.responder import Judge
from ingest.signatures.summed import SAMPLES, Columns, Pools, Summed
from ingest.sums.counted_once import require_counted_once

CONDITIONS_AT_ONCE = 25
"""Conditions that a thread works on at once; a fixed number, so that the machine has no part in the result."""
IN_A_TILE = TILE_CONDITIONS // CONDITIONS_AT_ONCE
MOMENTS = ("sum_count_square", "sum_count_total", "sum_count_square_half", "sum_count_total_half")
"""Columns of a control's counts and of those of its first half: squares, and products with the cell's total."""
WRITTEN: dict[str, Callable[[npt.NDArray[np.float64]], npt.NDArray[np.floating]]] = {
    "effect": rounded,
    "standard_error": rounded,
    "z": rounded,
    "p_value": cut,
    "q_value": np.asarray,
    "log2fc": rounded,
    "log2fc_standard_error": rounded,
}
"""Columns of a signature, and how exact they are kept: most of what is in memory while a tile is put together."""

Compared = tuple[npt.NDArray[np.int32], tuple[dict[str, npt.NDArray[Any]], pl.DataFrame]]
"""Some conditions, their signatures as written, and what there is to say of each."""


@dataclass(frozen=True, slots=True)
class CellTables:
    """Writes the tables of one dataset of cells.

    Parameters
    ----------
    folder
        The staged release.
    data
        The dataset, summed.
    judge
        Decides which conditions are responders.
    """

    folder: Path
    data: Summed
    judge: Judge

    def write(self) -> None:
        """Write all that follows from the sums: statistics are packed while signatures are worked out.

        The last of each are packed at the same time, one by each of two cores: what is left by then is for one alone.
        """
        are_compared = Event()
        with threadpool_limits(1):  # the blocks are the threads; those of the matrix library would wait, spinning
            writes = partial(self._write_signatures, are_compared), partial(self._write_statistics, are_compared)
            for _ in ahead(lambda write: write(), writes):
                pass

    def _write_statistics(self, may_end: Event) -> None:
        grouping, n_genes = self.data.grouping, self.data.genes.height
        indices = self.data.condition["condition_index"].to_numpy()
        with TileWriter(self.folder, "statistics", n_genes) as writer:
            for block in _blocks(indices, TILE_CONDITIONS):
                if block[-1] == indices[-1]:
                    may_end.wait()
                pools = [grouping.of_condition(index) for index in block.tolist()]
                writer.write_tiles(block, ahead(partial(self._statistics_of, block, pools), writer.tiles), {})
        split = np.array([index for index in grouping.plain if grouping.is_split(index)], np.int32)
        with TileWriter(self.folder, "matched_statistics", n_genes) as writer:
            for block in _blocks(split, TILE_CONDITIONS):
                pools = [grouping.compared(index) for index in block.tolist()]
                writer.write_tiles(block, ahead(partial(self.data.columns_of_conditions, pools), writer.tiles), {})
        with TileWriter(self.folder, "control_statistics", n_genes) as writer:
            for part in batched(list(grouping.controls), TILE_CONDITIONS):
                fixed = {"batch": pl.Series([grouping.batches[b] for _, b in part], dtype=pl.String)}
                index = np.array([index for index, _ in part], np.int32)
                writer.write_tiles(index, ahead(partial(self._control_sums_of, part), writer.tiles), fixed)
        with TileWriter(self.folder, "replicate_statistics", n_genes) as writer:
            for of_replicates in batched(list(grouping.replicates), TILE_CONDITIONS):
                fixed = {"replicate": pl.Series([name for _, name in of_replicates], dtype=pl.String)}
                index = np.array([index for index, _ in of_replicates], np.int32)
                pools = [np.array([grouping.replicates[key].group]) for key in of_replicates]
                writer.write_tiles(index, ahead(partial(self._replicate_sums_of, pools), writer.tiles), fixed)
        write_table(self.folder, "condition_batch", self._condition_batch())
        write_table(self.folder, "condition_replicate", self._condition_replicate())
        write_nulls(self.folder, self.data)

    def _statistics_of(self, block: npt.NDArray[np.int32], pools: Pools, genes: slice) -> Columns:
        """Contract columns of conditions, of no more cells than these have."""
        columns = self.data.columns_of_conditions(pools, genes)
        require_counted_once(block, columns["n_expressing"], self.data.grouping.cells.sum(axis=(1, 2))[block])
        return columns

    def _control_sums_of(self, keys: list[tuple[int, int]], genes: slice) -> Columns:
        """Contract columns of controls by batch: their sums, and the moments of their counts."""
        grouping, sums = self.data.grouping, self.data.sums
        columns = self.data.columns_of_controls([grouping.controls[key] for key in keys], genes)
        if not sums.has_counts:
            return columns | dict.fromkeys(MOMENTS)
        pairs = [grouping.moments[key] for key in keys]
        both = [pair.ravel() for pair in pairs], [pair[0] for pair in pairs]
        values = (sums.added(name, pools, genes) for pools in both for name in ("count", "log_sum"))
        return columns | dict(zip(MOMENTS, values, strict=True))

    def _replicate_sums_of(self, pools: Pools, genes: slice) -> Columns:
        added = partial(self.data.sums.added, pools=pools, genes=genes)
        count = added("count") if self.data.sums.has_counts else None
        return {"count": count, "sum_log1p": added("log_sum") / UNIT}

    def _condition_replicate(self) -> pl.DataFrame:
        """Return the release's condition_replicate table."""
        rows = [(index, name, each.n_cells) for (index, name), each in self.data.grouping.replicates.items()]
        schema = {"condition_index": pl.Int32, "replicate": pl.String, "n_cells": pl.Int64}
        return pl.DataFrame(rows, schema=schema, orient="row")

    def _condition_batch(self) -> pl.DataFrame:
        """Return the release's condition_batch table."""
        cells, library = self.data.grouping.cells, self.data.libraries.conditions
        condition, batch = np.nonzero(cells.sum(axis=2))
        whole, half = library.sum(axis=2)[condition, batch], library[condition, batch, 0]
        return pl.DataFrame(
            {
                "condition_index": condition.astype(np.int32),
                "batch": pl.Series([self.data.grouping.batches[b] for b in batch.tolist()], dtype=pl.String),
                "n_cells": cells.sum(axis=2)[condition, batch],
                "n_cells_half": cells[condition, batch, 0],
                "sum_total": whole.total,
                "sum_total_square": whole.square,
                "sum_total_half": half.total,
                "sum_total_square_half": half.square,
            }
        )

    def _write_signatures(self, are_compared: Event) -> None:
        try:
            self._compare_and_write(are_compared)
        finally:
            are_compared.set()

    def _compare_and_write(self, are_compared: Event) -> None:
        calibration, table = calibrate(self.data)
        write_table(self.folder, "calibration", table)
        described: list[pl.DataFrame] = []
        n_left = sum(comparison.members.size for comparison in self.data.grouping.comparisons)
        with TileWriter(self.folder, "signature", self.data.genes.height, is_cut=True) as writer:
            for comparison in self.data.grouping.comparisons:
                over = OverReplicates(self.data, comparison) if comparison.same_time else None
                compare = partial(_compare, Comparing(self.data, comparison), over, calibration)
                for tile in batched(ahead(compare, _blocks(comparison.members, CONDITIONS_AT_ONCE)), IN_A_TILE):
                    described += [quality for _, (_, quality) in tile]
                    n_left -= sum(block.size for block, _ in tile)
                    if not n_left:
                        are_compared.set()
                    _write_tile(writer, tile)
                    tile.clear()  # the next is put together while the loop still has this one
        write_table(self.folder, "quality", self.judge.decide(self.data, described, calibration))


def _compare(
    comparing: Comparing, over: OverReplicates | None, calibration: Calibration, block: npt.NDArray[np.int32]
) -> tuple[dict[str, npt.NDArray[Any]], pl.DataFrame]:
    """Compare conditions with their control: their signatures, as written, and what there is to say of each."""
    treated = comparing.conditions(block)
    reference = match(comparing.whole, treated.cells)
    contrast = comparing.contrast(treated, reference, calibration)
    repeated = [(row, index) for row, index in enumerate(block.tolist()) if over is not None and over.has(index)]
    n_replicates = {index: take_over(contrast, row, over.test(index)) for row, index in repeated if over is not None}
    written = {name: kept(getattr(contrast, name)) for name, kept in WRITTEN.items()}
    described = comparing.describe(block, treated, contrast, reference)
    if over is None or not repeated:
        return written, described
    is_other = comparing.is_other(block)
    found = pl.DataFrame(
        {
            "condition_index": pl.Series(list(n_replicates), dtype=pl.Int32),
            "test": SAMPLES,
            "n_replicates": list(n_replicates.values()),
            "replicate_correlation": [over.agreement(index, is_other[row]) for row, index in repeated],
        },
        nan_to_null=True,
    )
    described = described.join(found, on="condition_index", how="left", suffix="_over", maintain_order="left")
    is_over = pl.col("test").is_not_null()
    correlation = pl.when(is_over).then("replicate_correlation_over").otherwise("replicate_correlation")
    return written, described.with_columns(replicate_correlation=correlation).drop("replicate_correlation_over")


def _write_tile(writer: TileWriter, compared: list[Compared]) -> None:
    columns = {name: [signatures[name] for _, (signatures, _) in compared] for name in WRITTEN}
    block = np.concatenate([block for block, _ in compared])
    writer.write(block, columns, {"effect_kind": "delta_log1p"})


def _blocks(indices: npt.NDArray[np.int32], length: int) -> Iterator[npt.NDArray[np.int32]]:
    for first in range(0, indices.size, length):
        yield indices[first : first + length].astype(np.int32)
