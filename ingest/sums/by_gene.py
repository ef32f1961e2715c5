"""Matrices that are stored by gene: added to the sums one gene at a time, each cell's total known beforehand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ingest.conditions.groups import OF_MOMENTS
from ingest.kernel import (
    Slots,
    Totals,
    add_gene_counts,
    add_gene_logs,
    add_gene_moments,
)
from ingest.reader import OUTSIDE, Block, CscBlock
from ingest.sums.group_sums import Destination
from ingest.sums.values import block_values

RowGroups = npt.NDArray[np.int32]
"""The groups of each row, -1 for none, as of :class:`ingest.conditions.groups.Grouping`. Shape (rows, 4 or 5)."""


class Streamed(Protocol):
    """A matrix of cells in blocks."""

    @property
    def path(self) -> Path:
        """The file."""
        ...

    @property
    def n_rows(self) -> int:
        """How many cells there are."""
        ...

    def blocks(self, block_bytes: int = ...) -> Iterator[Block]:
        """Stream the matrix."""
        ...


class ByGene:
    """A matrix stored by gene: cell totals come from a first pass, genes of several columns are joined per cell."""

    def __init__(self, reader: Streamed, groups: RowGroups, target: Destination, totals: Totals) -> None:
        self.groups, self.target = [np.ascontiguousarray(column) for column in groups.T], target
        self.totals = _cell_totals(reader, target.slots) if target.sums.has_counts else None
        if self.totals is not None:
            totals[:] = self.totals
        self.waiting: dict[int, npt.NDArray[np.float64]] = {}

    def add(self, block: CscBlock) -> None:
        """Add the genes of a block; those of several columns wait for one another."""
        for column in range(block.indptr.size - 1):
            slot = int(self.target.slots[block.start + column])
            if slot < 0:
                continue
            part = slice(block.indptr[column], block.indptr[column + 1])
            cells, data = block.indices[part], block.data[part]
            if self.target.is_shared[slot] and self.totals is not None:
                joined = self.waiting.setdefault(slot, np.zeros(self.totals.size))
                joined[cells] += data.astype(np.float64)
            else:
                self._add_gene(slot, cells, data)

    def finish(self) -> None:
        """Add the genes that waited."""
        for slot, joined in self.waiting.items():
            cells = np.flatnonzero(joined)
            self._add_gene(slot, cells, joined[cells])

    def _add_gene(self, slot: int, cells: npt.NDArray[np.signedinteger], data: npt.NDArray[np.number]) -> None:
        whole = self.target.sums.whole
        for kind, groups in enumerate(self.groups):
            if self.totals is None:
                add_gene_logs(cells, data, groups, whole, slot, *self.target.logs)
            elif kind == OF_MOMENTS:
                add_gene_moments(cells, data, self.totals, groups, whole, slot, *self.target.moments)
            else:
                add_gene_counts(
                    cells, data, self.totals, groups, whole, slot, self.target.sums.count, *self.target.logs
                )


def _cell_totals(reader: Streamed, slots: Slots) -> npt.NDArray[np.float64]:
    totals = np.zeros(reader.n_rows)
    for block in reader.blocks():
        if isinstance(block, CscBlock):
            weights = block_values(block).astype(np.float64)
            is_outside = slots[block.start : block.start + block.indptr.size - 1] == OUTSIDE
            if is_outside.any():
                weights[np.repeat(is_outside, np.diff(block.indptr))] = 0.0
            totals = np.add(totals, np.bincount(block.indices, weights=weights, minlength=reader.n_rows))
    return totals
