"""Additive sufficient statistics of every group of cells, gathered in one pass over a file.

A group is half a condition; for controls, half a condition within one batch. Every cell belongs to one of two halves
by a hash of its barcode, so that the agreement of the halves measures noise, and their sum is the whole. Control cells
are in two further groups: of a pretend condition, and of those whose counts have their moments summed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Protocol

import numpy as np
import numpy.typing as npt

from featurestore.errors import ValuesError
from ingest.conditions.groups import OF_MOMENTS
from ingest.kernel import (
    Groups,
    Slots,
    Totals,
    add_csr_counts,
    add_csr_logs,
    add_csr_moments,
    add_dense_counts,
    add_dense_logs,
    add_dense_moments,
    add_gene_counts,
    add_gene_logs,
    add_gene_moments,
    add_pools,
)
from ingest.reader import OUTSIDE, Block, CscBlock, CsrBlock, DenseBlock
from ingest.readers.ahead import N_CORES, ahead, one_ahead
from ingest.sums.values import ValueCheck, block_values

Whole = npt.NDArray[np.int64]
Pools = Sequence[npt.NDArray[np.intp]]
RowGroups = npt.NDArray[np.int32]
"""The groups of each row, -1 for none, as of :class:`ingest.conditions.groups.Grouping`. Shape (rows, 4 or 5)."""

ALL = slice(None)

SUMMED_BYTES = 64 * 2**20
"""How much of a matrix is summed at once: the more, the more cells of a group follow each other. Unit: bytes."""
CELLS_BETWEEN_CHECKS = 150_000
"""Cells after which sums are checked against overflow: 150,000 squares of the largest log add less than 2**62."""
OVERFLOW = 2**62


@dataclass(frozen=True, slots=True)
class GroupSums:
    """Sums per group and gene; adding two of them is exact.

    ``count``, ``log_sum``, ``square_sum`` and ``expressing`` have shape (groups, genes); the two log sums are in
    units of 2**-36. ``count`` has no rows where the source has no counts. A group of moments has the squares of counts
    as ``count``, and counts times the totals of their cells as ``log_sum``.
    """

    count: npt.NDArray[np.int64]
    log_sum: npt.NDArray[np.int64]
    square_sum: npt.NDArray[np.int64]
    expressing: npt.NDArray[np.int32]

    @classmethod
    def zeros(cls, n_groups: int, n_genes: int, *, has_counts: bool) -> GroupSums:
        """Return empty sums."""
        shape = (n_groups, n_genes)
        return cls(
            np.zeros(shape if has_counts else (0, n_genes), np.int64),
            np.zeros(shape, np.int64),
            np.zeros(shape, np.int64),
            np.zeros(shape, np.int32),
        )

    def __add__(self, other: GroupSums) -> GroupSums:
        return GroupSums(
            self.count + other.count,
            self.log_sum + other.log_sum,
            self.square_sum + other.square_sum,
            self.expressing + other.expressing,
        )

    @property
    def has_counts(self) -> bool:
        """Whether counts are summed, beside their logarithms."""
        return bool(self.count.size)

    def added(self, name: str, pools: Pools, genes: slice = ALL) -> Whole:
        """Add the groups of each pool up; groups are row numbers."""
        values = getattr(self, name)
        start, stop, _ = genes.indices(values.shape[1])
        total = np.empty((len(pools), stop - start), np.int64)
        first = np.cumsum([0, *map(len, pools)])
        add_pools(values, np.concatenate([np.empty(0, np.intp), *pools]), first, start, total)
        return total


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


class Sums(Protocol):
    """Sums that can be read, wherever they are kept."""

    @property
    def has_counts(self) -> bool:
        """Whether counts are summed, beside their logarithms."""
        ...

    def added(self, name: str, pools: Pools, genes: slice = ALL) -> Whole:
        """Add the groups of each pool up, for some genes.

        Parameters
        ----------
        name
            What is added: ``count``, ``log_sum``, ``square_sum`` or ``expressing``, as in :class:`GroupSums`.
        pools
            Group numbers of each pool.
        genes
            The genes wanted.

        Returns
        -------
        Shape (pools, genes).
        """
        ...


def accumulate(
    reader: Streamed,
    groups: RowGroups,
    slots: Slots,
    sums: GroupSums,
    totals: Totals,
    check: ValueCheck,
    advance: Callable[[int], None],
) -> None:
    """Stream a matrix of cells and add it to the sums.

    Parameters
    ----------
    reader
        The open file.
    groups
        Groups of every cell, -1 for none. Shape (cells, 4), or fewer where nothing more is summed.
    slots
        Gene of every matrix column, -1 for none, -2 where it is no part of a library. Shape (columns,).
    sums
        What is added to, in place.
    totals
        Where the counts of each cell that has a group are noted, of all genes together. Shape (cells,).
    check
        Looks at every value first.
    advance
        Called with the number of cells (or genes, for matrices stored by gene) done since the last call.

    Raises
    ------
    ValuesError
        A value is not of the declared kind, or a group holds too many cells to sum exactly.
    """
    is_shared = np.bincount(slots[slots >= 0], minlength=sums.log_sum.shape[1]) > 1
    target = _Target(slots, is_shared, sums)
    by_gene: _ByGene | None = None
    n_unchecked = 0
    for block in one_ahead(reader.blocks(SUMMED_BYTES)):
        check.add(block)
        if isinstance(block, CscBlock):
            by_gene = by_gene or _ByGene(reader, groups, target, totals)
            by_gene.add(block)
            advance(block.indptr.size - 1)
            continue
        n_cells = block.values.shape[0] if isinstance(block, DenseBlock) else block.indptr.size - 1
        part = slice(block.start, block.start + n_cells)
        for kind in range(groups.shape[1]):
            _add_rows(block, np.ascontiguousarray(groups[part, kind]), kind, target, totals[part])
        advance(n_cells)
        n_unchecked += n_cells
        if n_unchecked > CELLS_BETWEEN_CHECKS:
            refuse_overflow(sums, reader.path)
            n_unchecked = 0
    if by_gene:
        by_gene.finish()
    refuse_overflow(sums, reader.path)


@dataclass(frozen=True, slots=True)
class _Target:
    """What cells are added to, and which gene each column of the matrix is."""

    slots: Slots
    is_shared: npt.NDArray[np.bool_]
    sums: GroupSums

    @property
    def logs(self) -> tuple[Any, ...]:
        return self.sums.log_sum, self.sums.square_sum, self.sums.expressing

    @property
    def moments(self) -> tuple[Any, ...]:
        return self.sums.count, self.sums.log_sum, self.sums.expressing


def _add_rows(block: CsrBlock | DenseBlock, groups: Groups, kind: int, target: _Target, totals: Totals) -> None:
    """Add a block in threads, each with groups of its own, so that no two add to the same sums."""
    by_group = np.argsort(groups, kind="stable")
    by_group = by_group[groups[by_group] >= 0]
    if not by_group.size:
        return
    sums, genes = target.sums, (target.slots, target.is_shared)

    def add(cells: npt.NDArray[np.intp]) -> None:
        if isinstance(block, DenseBlock):
            if not sums.has_counts:
                add_dense_logs(block.values, cells, groups, target.slots, *target.logs)
            elif kind == OF_MOMENTS:
                add_dense_moments(block.values, cells, groups, *genes, *target.moments)
            else:
                add_dense_counts(block.values, cells, groups, *genes, totals, sums.count, *target.logs)
            return
        row = block.indptr, block.indices, block.data
        if not sums.has_counts:
            add_csr_logs(*row, cells, groups, target.slots, *target.logs)
        elif kind == OF_MOMENTS:
            add_csr_moments(*row, cells, groups, *genes, *target.moments)
        else:
            add_csr_counts(*row, cells, groups, *genes, totals, sums.count, *target.logs)

    for _ in ahead(add, [by_group[groups[by_group] % N_CORES == thread] for thread in range(N_CORES)]):
        pass


def refuse_overflow(sums: GroupSums, path: Path) -> None:
    """Refuse sums that come near the largest number; what two of them add up to is still one."""
    for array in (sums.count, sums.log_sum, sums.square_sum):
        if array.size and (array.max() > OVERFLOW or array.min() < 0):
            _refuse(path)


def _refuse(path: Path) -> NoReturn:
    raise ValuesError(
        "A group of cells is too large to be summed exactly.",
        where=str(path),
        do="name a batch column under [condition], or split the dataset",
    )


class _ByGene:
    """A matrix stored by gene: cell totals come from a first pass, genes of several columns are joined per cell."""

    def __init__(self, reader: Streamed, groups: RowGroups, target: _Target, totals: Totals) -> None:
        self.groups, self.target = [np.ascontiguousarray(column) for column in groups.T], target
        self.totals = _cell_totals(reader, target.slots) if target.sums.has_counts else None
        if self.totals is not None:
            totals[:] = self.totals
        self.waiting: dict[int, npt.NDArray[np.float64]] = {}

    def add(self, block: CscBlock) -> None:
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
        for slot, joined in self.waiting.items():
            cells = np.flatnonzero(joined)
            self._add_gene(slot, cells, joined[cells])

    def _add_gene(self, slot: int, cells: npt.NDArray[np.signedinteger], data: npt.NDArray[np.number]) -> None:
        for kind, groups in enumerate(self.groups):
            if self.totals is None:
                add_gene_logs(cells, data, groups, slot, *self.target.logs)
            elif kind == OF_MOMENTS:
                add_gene_moments(cells, data, self.totals, groups, slot, *self.target.moments)
            else:
                add_gene_counts(cells, data, self.totals, groups, slot, self.target.sums.count, *self.target.logs)


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
