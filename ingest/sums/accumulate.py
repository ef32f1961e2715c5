"""Additive sufficient statistics of every group of cells, gathered in one pass over a file.

A group is half a condition; for controls, half a condition within one batch. Every cell belongs to one of two halves
by a hash of its barcode, so that the agreement of the halves measures noise, and their sum is the whole. Control cells
are in two further groups: of a pretend condition, and of those whose counts have their moments summed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

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
)
from ingest.reader import Block, CscBlock, CsrBlock, DenseBlock
from ingest.readers.ahead import N_CORES, one_ahead
from ingest.sums.by_gene import ByGene, RowGroups, Streamed
from ingest.sums.group_sums import Destination, GroupSums, refuse_overflow
from ingest.sums.values import ValueCheck

SUMMED_BYTES = 60 * 2**20
"""How much of a matrix is summed at once: the more, the more cells of a group follow each other. Unit: bytes.

Values and their columns take half of it each, less than the 32 MiB from which on the heap
(:mod:`ingest.commands.heap`) gives an array pages of its own, which are cleared for each.
"""
CELLS_BETWEEN_CHECKS = 150_000
"""Cells after which sums are checked against overflow: 150,000 squares of the largest log add less than 2**62."""


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
    target = Destination(slots, is_shared, sums)
    by_gene: ByGene | None = None
    n_unchecked = 0
    with ThreadPoolExecutor(N_CORES) as pool:
        for block in one_ahead(_checked(reader, check)):
            if isinstance(block, CscBlock):
                by_gene = by_gene or ByGene(reader, groups, target, totals)
                by_gene.add(block)
                advance(block.indptr.size - 1)
                continue
            n_cells = block.values.shape[0] if isinstance(block, DenseBlock) else block.indptr.size - 1
            part = slice(block.start, block.start + n_cells)
            _add_rows(pool, block, groups[part], target, totals[part])
            advance(n_cells)
            n_unchecked += n_cells
            if n_unchecked > CELLS_BETWEEN_CHECKS:
                refuse_overflow(sums, reader.path)
                n_unchecked = 0
    if by_gene:
        by_gene.finish()
    refuse_overflow(sums, reader.path)


def _checked(reader: Streamed, check: ValueCheck) -> Iterator[Block]:
    """Stream a matrix whose values are of the declared kind."""
    for block in reader.blocks(SUMMED_BYTES):
        check.add(block)
        yield block


def _add_rows(
    pool: ThreadPoolExecutor, block: CsrBlock | DenseBlock, groups: RowGroups, target: Destination, totals: Totals
) -> None:
    """Add a block in threads, each with rows of its own, so that no two add to the same sums."""
    of_kinds = [np.ascontiguousarray(groups[:, kind]) for kind in range(groups.shape[1])]
    whole = target.sums.whole

    def add(thread: int) -> None:
        for kind, of_kind in enumerate(of_kinds):
            cells = np.flatnonzero((of_kind >= 0) & (whole[of_kind] % N_CORES == thread))
            if cells.size:
                cells = cells[np.argsort(of_kind[cells], kind="stable")]
                _add(block, cells, of_kind, kind, target, totals)

    for _ in pool.map(add, range(N_CORES)):
        pass


def _add(
    block: CsrBlock | DenseBlock,
    cells: npt.NDArray[np.intp],
    groups: Groups,
    kind: int,
    target: Destination,
    totals: Totals,
) -> None:
    """Add cells of a block to the groups of one kind."""
    sums, whole, genes = target.sums, target.sums.whole, (target.slots, target.is_shared)
    if isinstance(block, DenseBlock):
        if not sums.has_counts:
            add_dense_logs(block.values, cells, groups, whole, target.slots, *target.logs)
        elif kind == OF_MOMENTS:
            add_dense_moments(block.values, cells, groups, whole, *genes, *target.moments)
        else:
            add_dense_counts(block.values, cells, groups, whole, *genes, totals, sums.count, *target.logs)
        return
    row = block.indptr, block.indices, block.data
    if not sums.has_counts:
        add_csr_logs(*row, cells, groups, whole, target.slots, *target.logs)
    elif kind == OF_MOMENTS:
        add_csr_moments(*row, cells, groups, whole, *genes, *target.moments)
    else:
        add_csr_counts(*row, cells, groups, whole, *genes, totals, sums.count, *target.logs)
