"""From the sums of a dataset of cells to its tables: statistics, signatures and quality, by blocks of conditions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from ingest.conditions.groups import Grouping
from ingest.kernel import UNIT
from ingest.readers.ahead import ahead, batched
from ingest.release.tables import TILE_CONDITIONS, TileWriter, write_table
from ingest.signatures.contrast import (
    Contrast,
    Control,
    Moments,
    Reference,
    energy_distance,
    match,
    row_correlation,
    welch,
)
from ingest.signatures.responder import LEAST_CELLS, judge
from ingest.sums.accumulate import Sums

Doubles = npt.NDArray[np.float64]
Compared = tuple[npt.NDArray[np.int32], tuple[dict[str, npt.NDArray[Any]], pl.DataFrame]]
"""Some conditions, their signatures as written, and what there is to say of each."""
HALVES = (0, 1)
CONDITIONS_AT_ONCE = 25
"""Conditions that a thread works on at once; a fixed number, so that the machine has no part in the result."""
IN_A_TILE = TILE_CONDITIONS // CONDITIONS_AT_ONCE
WRITTEN = {
    "effect": np.float32,
    "standard_error": np.float32,
    "z": np.float32,
    "p_value": np.float64,
    "q_value": np.float64,
}
"""Columns of a signature, and how exact they are kept: most of what is in memory while a tile is put together."""


@dataclass(frozen=True, slots=True)
class CellTables:
    """Writes the tables of one dataset of cells.

    Parameters
    ----------
    folder
        The staged release.
    condition
        The release's condition table, with ``time_text``.
    genes
        The release's gene table.
    grouping
        Which group of the sums belongs to which condition, batch and half.
    sums
        The dataset's sums.
    cells
        The cells behind each condition, where rows are pseudobulks. Shape (conditions,).
    least_cells
        Cells, or replicates, that a responder has at least.
    """

    folder: Path
    condition: pl.DataFrame
    genes: pl.DataFrame
    grouping: Grouping
    sums: Sums
    cells: npt.NDArray[np.int64] | None = None
    least_cells: int = LEAST_CELLS

    def write(self) -> None:
        """Write statistics, control_statistics, condition_batch, signature and quality."""
        with threadpool_limits(1):  # the blocks are the threads; those of the matrix library would wait, spinning
            self._write()

    def _write(self) -> None:
        """Write both large tables at a time: while one is packed, the numbers of the other are worked out."""
        for _ in ahead(lambda write: write(), (self._write_statistics, self._write_signatures)):
            pass

    def _write_statistics(self) -> None:
        n_genes = self.genes.height
        with TileWriter(self.folder, "statistics", n_genes) as writer:
            for block in _blocks(self.condition["condition_index"].to_numpy(), TILE_CONDITIONS):
                pools = [self.grouping.of_condition(index) for index in block.tolist()]
                writer.write_tiles(block, ahead(partial(self._sums_of, pools), writer.tiles), {})
        with TileWriter(self.folder, "control_statistics", n_genes) as writer:
            keys = list(self.grouping.controls)
            for part in batched(keys, TILE_CONDITIONS):
                fixed = {"batch": pl.Series([self.grouping.batches[b] for _, b in part], dtype=pl.String)}
                indices = np.array([index for index, _ in part], np.int32)
                pools = [self.grouping.controls[key] for key in part]
                writer.write_tiles(indices, ahead(partial(self._sums_of, pools), writer.tiles), fixed)
        write_table(self.folder, "condition_batch", self.grouping.condition_batch())

    def _sums_of(self, groups: list[npt.NDArray[np.intp]], genes: slice) -> dict[str, npt.NDArray[Any] | None]:
        """Contract columns of some pools of groups; the first row of each pool pair is the first half."""
        columns: dict[str, npt.NDArray[Any] | None] = {}
        for suffix, pools in (("", [pool.ravel() for pool in groups]), ("_half", [pool[0] for pool in groups])):
            added = partial(self.sums.added, pools=pools, genes=genes)
            columns[f"count{suffix}"] = added("count") if self.sums.has_counts else None
            columns[f"sum_log1p{suffix}"] = added("log_sum") / UNIT
            columns[f"sum_log1p_square{suffix}"] = added("square_sum") / UNIT
            columns[f"n_expressing{suffix}"] = added("expressing")
        return columns

    def _write_signatures(self) -> None:
        n_genes = self.genes.height
        treated = self.condition.filter(~pl.col("is_control"))
        quality: list[pl.DataFrame] = []
        with TileWriter(self.folder, "signature", n_genes) as writer:
            for controls, members in self.grouping.comparisons(self.condition):
                compare = _Comparison(self, controls).compare
                for tile in batched(ahead(compare, _blocks(members, CONDITIONS_AT_ONCE)), IN_A_TILE):
                    quality += [described for _, (_, described) in tile]
                    _write_tile(writer, tile)
                    tile.clear()  # the next is put together while the loop still has this one
        write_table(self.folder, "quality", judge(self._with_cells(treated), quality, n_genes, self.least_cells))

    def _with_cells(self, treated: pl.DataFrame) -> pl.DataFrame:
        if self.cells is None:
            return treated
        return treated.with_columns(n_samples="n_cells", n_cells=self.cells[treated["condition_index"].to_numpy()])


class _Comparison:
    """Conditions that share a control."""

    def __init__(self, tables: CellTables, controls: list[int]) -> None:
        self.tables = tables
        self.controls = controls
        self.whole = self._control(HALVES)
        self.halves = [self._control((half,)) for half in HALVES]
        self.gene_position = {gene: i for i, gene in enumerate(tables.genes["gene_id"])}

    def compare(self, block: npt.NDArray[np.int32]) -> tuple[dict[str, npt.NDArray[Any]], pl.DataFrame]:
        """Compare some conditions with the control: their signatures, as written, and what there is to say of each."""
        treated, reference = self._moments(block), match(self.whole, self._cells(block, HALVES))
        contrast = welch(treated, reference)
        written = {name: getattr(contrast, name).astype(dtype) for name, dtype in WRITTEN.items()}
        return written, self._quality(block, treated, contrast, reference)

    def _quality(
        self, block: npt.NDArray[np.int32], treated: Moments, contrast: Contrast, reference: Reference
    ) -> pl.DataFrame:
        targets = self._targets(block)
        others = np.ones_like(contrast.effect, dtype=bool)
        for row, positions in enumerate(targets):
            others[row, positions] = False
        effects = []
        for half, control in zip(HALVES, self.halves, strict=True):
            matched = match(control, self._cells(block, (half,)))
            effects.append(np.where(others, self._mean(block, half) - matched.mean, 0.0))
        return pl.DataFrame(
            {
                "condition_index": block,
                "n_cells": treated.n.astype(np.int64),
                "knockdown_ratio": _knockdown(treated.mean, reference.mean, targets),
                "n_significant": ((contrast.q_value < 0.05) & others).sum(axis=1),  # noqa: PLR2004
                "effect_norm": np.sqrt(np.where(others, contrast.effect**2, 0.0).sum(axis=1)),
                "energy_distance": energy_distance(treated, self.whole.pooled),
                "replicate_correlation": row_correlation(*effects),
                "is_matched": reference.is_matched,
            },
            nan_to_null=True,
        )

    def _targets(self, block: npt.NDArray[np.int32]) -> list[list[int]]:
        listed = self.tables.condition["target_gene_ids"].gather(block.tolist())
        return [[self.gene_position[g] for g in genes if g in self.gene_position] for genes in listed.to_list()]

    def _cells(self, block: npt.NDArray[np.int32], halves: tuple[int, ...]) -> Doubles:
        """Cells per batch of the control, then of all other batches. Shape (conditions, batches + 1)."""
        batches = self.tables.grouping.control_batches(self.controls)
        cells = self.tables.grouping.cells[block][:, :, list(halves)].sum(axis=2)
        inside = cells[:, batches]
        return np.column_stack([inside, cells.sum(axis=1) - inside.sum(axis=1)]).astype(np.float64)

    def _moments(self, block: npt.NDArray[np.int32]) -> Moments:
        grouping = self.tables.grouping
        pools = [grouping.of_condition(index).ravel() for index in block.tolist()]
        return _moments(self.tables.sums, pools, grouping.cells[block].sum(axis=(1, 2)).astype(np.float64))

    def _mean(self, block: npt.NDArray[np.int32], half: int) -> Doubles:
        """Mean of half of the cells of each condition. Shape (conditions, genes); NaN where there are none."""
        grouping = self.tables.grouping
        total = self.tables.sums.added("log_sum", [grouping.of_condition(index)[half] for index in block.tolist()])
        n = grouping.cells[block][:, :, half].sum(axis=1)
        with np.errstate(invalid="ignore"):
            return np.asarray(total / UNIT / n[:, None])

    def _control(self, halves: tuple[int, ...]) -> Control:
        grouping = self.tables.grouping
        batches = grouping.control_batches(self.controls)
        pools = [
            np.concatenate(
                [grouping.controls[c, b][list(halves)].ravel() for c in self.controls if (c, b) in grouping.controls]
            )
            for b in batches
        ]
        cells = grouping.cells[self.controls][:, :, list(halves)].sum(axis=(0, 2))
        n = cells[batches].astype(np.float64)
        everything = np.concatenate(pools)
        return Control(
            _moments(self.tables.sums, pools, n), _moments(self.tables.sums, [everything], n.sum(keepdims=True))
        )


def _write_tile(writer: TileWriter, compared: list[Compared]) -> None:
    columns = {name: [signatures[name] for _, (signatures, _) in compared] for name in WRITTEN}
    block = np.concatenate([block for block, _ in compared])
    writer.write(block, columns, {"effect_kind": "delta_log1p"})


def _moments(sums: Sums, pools: list[npt.NDArray[np.intp]], n: Doubles) -> Moments:
    return Moments.from_sums(n, sums.added("log_sum", pools) / UNIT, sums.added("square_sum", pools) / UNIT)


def _knockdown(treated: Doubles, control: Doubles, targets: list[list[int]]) -> Doubles:
    """Expression of the least silenced target over control; NaN where no target is measured or expressed."""
    ratios = np.full(len(targets), np.nan)
    for row, positions in enumerate(targets):
        base = np.expm1(control[row, positions])
        if positions and (base > 0).all():
            ratios[row] = (np.expm1(treated[row, positions]) / base).max()
    return ratios


def _blocks(indices: npt.NDArray[np.int32], length: int) -> Iterator[npt.NDArray[np.int32]]:
    for first in range(0, indices.size, length):
        yield indices[first : first + length].astype(np.int32)
