"""The inner loops: one sweep over a block adds every cell to the sums of its group.

Sums of log values are kept as int64 in units of 2**-28. Integer addition has no rounding, so the order of cells, the
size of blocks, and the number of workers cannot change a digit of a release; one value is off by at most 2e-9.

Of controls, moments of the counts are summed as well, in groups of their own: of a count and of its product with the
cell's total, from which the dispersion of a gene follows.

Groups are rows of the sums of logarithms, ``-1`` for cells that no condition takes; ``whole`` is the row of each group
in all other sums, which the two halves of a condition share. Cells are added in the order they are given: one group
after another, so that a group's sums stay in the processor's cache. Slots are genes of the release, ``-1`` for
columns of the file without a gene, ``-2`` for those that are no part of a library: spike-ins, tags. Where several
columns are one gene, their values in a cell are added before the logarithm.

What a compiled function calls is kept in one module: numba's cache of it is not renewed where a function that it calls
changes in another.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from ingest.reader import OUTSIDE, Integers, Numbers

UNIT = float(2**28)
"""One in fixed point."""
TARGET = 10_000.0
"""Every cell's counts are scaled to this total before the logarithm."""
TABLE = 256
"""Counts below this have their logarithm looked up."""

Sums = npt.NDArray[np.int64]
Groups = npt.NDArray[np.int32]
Slots = npt.NDArray[np.int32]
Totals = npt.NDArray[np.float32]


@njit(cache=True, nogil=True)
def _add(value: float, slot: Any, log_sum: Sums, square_sum: Sums, expressing: Any) -> None:
    """Add a logarithm to the sums of its group, which have shape (genes,)."""
    log_sum[slot] += np.int64(value * UNIT + 0.5)
    square_sum[slot] += np.int64(value * value * UNIT + 0.5)
    expressing[slot] += 1


@njit(cache=True, nogil=True)
def _total(columns: Integers, values: Numbers, slots: Slots, has_outside: Any) -> float:
    total = np.int64(0)
    for value in values:
        total += np.int64(value)  # counts: the sum is exact in any order
    if has_outside:
        for k in range(columns.size):
            if slots[columns[k]] == OUTSIDE:
                total -= np.int64(values[k])
    return float(total)


@njit(cache=True, nogil=True)
def _add_cell(
    columns: Integers,
    values: Numbers,
    group: int,
    whole: int,
    slots: Slots,
    has_outside: Any,
    is_shared: npt.NDArray[np.bool_],
    logs: Sums,
    squares: Sums,
    pooled: Sums,
    count: Sums,
    log_sum: Sums,
    square_sum: Sums,
    expressing: Any,
) -> float:
    total = _total(columns, values, slots, has_outside)
    if total <= 0.0:
        return total
    scale = TARGET / total
    n_logs = 0
    has_pooled = False
    counts, sums = count[whole], (log_sum[group], square_sum[whole], expressing[whole])
    for k in range(columns.size):
        slot = slots[np.uint32(columns[k])]
        value = np.int64(values[k])
        if slot < 0 or value == 0:
            continue
        gene = np.uint32(slot)  # of what has no sign, none is looked for
        if is_shared[gene]:
            pooled[gene] += value
            has_pooled = True
            continue
        counts[gene] += value
        if value >= TABLE:
            _add(math.log1p(value * scale), gene, *sums)
            continue
        while n_logs < value:
            n_logs += 1
            log = math.log1p(n_logs * scale)
            logs[n_logs], squares[n_logs] = np.int64(log * UNIT + 0.5), np.int64(log * log * UNIT + 0.5)
        sums[0][gene] += logs[np.uint32(value)]
        sums[1][gene] += squares[np.uint32(value)]
        sums[2][gene] += 1
    if has_pooled:
        for k in range(columns.size):
            slot = slots[columns[k]]
            if slot >= 0 and pooled[slot] > 0:
                counts[slot] += pooled[slot]
                _add(math.log1p(pooled[slot] * scale), slot, *sums)
                pooled[slot] = 0
    return total


@njit(cache=True, nogil=True)
def _add_moments(count: Any, total: float, slot: int, square: Sums, product: Sums, expressing: Any) -> None:
    """Add a count to the moments of its group, which have shape (genes,)."""
    square[slot] += count * count
    product[slot] += count * np.int64(total)
    expressing[slot] += 1


@njit(cache=True, nogil=True)
def _add_cell_moments(
    columns: Integers,
    values: Numbers,
    slots: Slots,
    has_outside: Any,
    is_shared: npt.NDArray[np.bool_],
    pooled: Sums,
    square: Sums,
    product: Sums,
    expressing: Any,
) -> None:
    """Add the moments of a cell to those of its group, which have shape (genes,)."""
    total = _total(columns, values, slots, has_outside)
    has_pooled = False
    for k in range(columns.size):
        slot = slots[columns[k]]
        value = np.int64(values[k])
        if slot < 0 or value == 0:
            continue
        if is_shared[slot]:
            pooled[slot] += value
            has_pooled = True
        else:
            _add_moments(value, total, slot, square, product, expressing)
    if has_pooled:
        for k in range(columns.size):
            slot = slots[columns[k]]
            if slot >= 0 and pooled[slot] > 0:
                _add_moments(pooled[slot], total, slot, square, product, expressing)
                pooled[slot] = 0


@njit(cache=True, nogil=True)
def add_csr_counts(
    indptr: Integers,
    indices: Integers,
    data: Numbers,
    cells: Integers,
    groups: Groups,
    whole: Groups,
    slots: Slots,
    is_shared: npt.NDArray[np.bool_],
    totals: Totals,
    count: Sums,
    log_sum: Sums,
    square_sum: Sums,
    expressing: Any,
) -> None:
    """Add cells of a CSR block of counts, and note their totals.

    ``cells`` are those to add, each of a group; ``groups`` and ``totals`` have shape (cells of the block,), ``whole``
    (groups,), ``slots`` (columns of the file,), ``is_shared`` (slots,), the sums (rows, slots). A cell's total is taken
    over all its stored values but those outside the library, genes without a slot among them.
    """
    logs, squares = np.zeros(TABLE, np.int64), np.zeros(TABLE, np.int64)
    pooled = np.zeros(count.shape[1], dtype=np.int64)
    has_outside = np.any(slots == OUTSIDE)
    sums = (count, log_sum, square_sum, expressing)
    for cell in cells:
        part = slice(indptr[cell], indptr[cell + 1])
        row = indices[part], data[part], groups[cell], whole[groups[cell]]
        totals[cell] = _add_cell(*row, slots, has_outside, is_shared, logs, squares, pooled, *sums)


@njit(cache=True, nogil=True)
def add_csr_moments(
    indptr: Integers,
    indices: Integers,
    data: Numbers,
    cells: Integers,
    groups: Groups,
    whole: Groups,
    slots: Slots,
    is_shared: npt.NDArray[np.bool_],
    square: Sums,
    product: Sums,
    expressing: Any,
) -> None:
    """Add moments of cells of a CSR block of counts: of each count its square, and its product with the total."""
    pooled = np.zeros(square.shape[1], dtype=np.int64)
    has_outside = np.any(slots == OUTSIDE)
    for cell in cells:
        part = slice(indptr[cell], indptr[cell + 1])
        row = indices[part], data[part]
        group = groups[cell]
        sums = square[whole[group]], product[group], expressing[whole[group]]
        _add_cell_moments(*row, slots, has_outside, is_shared, pooled, *sums)


@njit(cache=True, nogil=True)
def add_dense_counts(
    values: Numbers,
    cells: Integers,
    groups: Groups,
    whole: Groups,
    slots: Slots,
    is_shared: npt.NDArray[np.bool_],
    totals: Totals,
    count: Sums,
    log_sum: Sums,
    square_sum: Sums,
    expressing: Any,
) -> None:
    """Add cells of a dense block of counts; shapes as in :func:`add_csr_counts`."""
    logs, squares = np.zeros(TABLE, np.int64), np.zeros(TABLE, np.int64)
    pooled = np.zeros(count.shape[1], dtype=np.int64)
    has_outside = np.any(slots == OUTSIDE)
    columns = np.empty(values.shape[1], dtype=np.int32)
    stored = np.empty(values.shape[1], dtype=values.dtype)
    sums = (count, log_sum, square_sum, expressing)
    for cell in cells:
        n_stored = _store(values[cell], columns, stored)
        row = columns[:n_stored], stored[:n_stored], groups[cell], whole[groups[cell]]
        totals[cell] = _add_cell(*row, slots, has_outside, is_shared, logs, squares, pooled, *sums)


@njit(cache=True, nogil=True)
def add_dense_moments(
    values: Numbers,
    cells: Integers,
    groups: Groups,
    whole: Groups,
    slots: Slots,
    is_shared: npt.NDArray[np.bool_],
    square: Sums,
    product: Sums,
    expressing: Any,
) -> None:
    """Add moments of cells of a dense block of counts, as :func:`add_csr_moments`."""
    pooled = np.zeros(square.shape[1], dtype=np.int64)
    has_outside = np.any(slots == OUTSIDE)
    columns = np.empty(values.shape[1], dtype=np.int32)
    stored = np.empty(values.shape[1], dtype=values.dtype)
    for cell in cells:
        n_stored = _store(values[cell], columns, stored)
        row = columns[:n_stored], stored[:n_stored]
        group = groups[cell]
        sums = square[whole[group]], product[group], expressing[whole[group]]
        _add_cell_moments(*row, slots, has_outside, is_shared, pooled, *sums)


@njit(cache=True, nogil=True)
def _store(values: Numbers, columns: Integers, stored: Numbers) -> int:
    """Gather the values that are not 0, and their columns; return how many there are."""
    n_stored = 0
    for column in range(values.size):
        value = values[column]
        columns[n_stored] = column
        stored[n_stored] = value
        n_stored += value != 0
    return n_stored


@njit(cache=True, nogil=True)
def add_gene_counts(
    cells: Integers,
    data: Numbers,
    totals: npt.NDArray[np.float64],
    groups: Groups,
    whole: Groups,
    slot: int,
    count: Sums,
    log_sum: Sums,
    square_sum: Sums,
    expressing: Any,
) -> None:
    """Add one gene of a matrix stored by gene; ``cells`` are the cells that ``data`` belongs to, each once."""
    for k in range(cells.size):
        cell = cells[k]
        group = groups[cell]
        value = np.int64(data[k])
        if group < 0 or value == 0:
            continue
        count[whole[group], slot] += value
        log = math.log1p(value * (TARGET / totals[cell]))
        _add(log, slot, log_sum[group], square_sum[whole[group]], expressing[whole[group]])


@njit(cache=True, nogil=True)
def add_gene_moments(
    cells: Integers,
    data: Numbers,
    totals: npt.NDArray[np.float64],
    groups: Groups,
    whole: Groups,
    slot: int,
    square: Sums,
    product: Sums,
    expressing: Any,
) -> None:
    """Add moments of one gene of a matrix of counts stored by gene, as :func:`add_csr_moments`."""
    for k in range(cells.size):
        cell = cells[k]
        group = groups[cell]
        value = np.int64(data[k])
        if group >= 0 and value != 0:
            _add_moments(value, totals[cell], slot, square[whole[group]], product[group], expressing[whole[group]])


@njit(cache=True, nogil=True)
def add_csr_logs(
    indptr: Integers,
    indices: Integers,
    data: Numbers,
    cells: Integers,
    groups: Groups,
    whole: Groups,
    slots: Slots,
    log_sum: Sums,
    square_sum: Sums,
    expressing: Any,
) -> None:
    """Add cells of a CSR block of log-normalised values, taken as they are."""
    for cell in cells:
        group = groups[cell]
        sums = (log_sum[group], square_sum[whole[group]], expressing[whole[group]])
        for k in range(indptr[cell], indptr[cell + 1]):
            slot = slots[np.uint32(indices[k])]
            if slot >= 0 and data[k] != 0.0:
                _add(data[k], np.uint32(slot), *sums)


@njit(cache=True, nogil=True)
def add_dense_logs(
    values: Numbers,
    cells: Integers,
    groups: Groups,
    whole: Groups,
    slots: Slots,
    log_sum: Sums,
    square_sum: Sums,
    expressing: Any,
) -> None:
    """Add cells of a dense block of log-normalised values, taken as they are."""
    for cell in cells:
        group = groups[cell]
        sums = (log_sum[group], square_sum[whole[group]], expressing[whole[group]])
        for column in range(values.shape[1]):
            slot = slots[column]
            if slot >= 0 and values[cell, column] != 0.0:
                _add(values[cell, column], np.uint32(slot), *sums)


@njit(cache=True, nogil=True)
def add_gene_logs(
    cells: Integers,
    data: Numbers,
    groups: Groups,
    whole: Groups,
    slot: int,
    log_sum: Sums,
    square_sum: Sums,
    expressing: Any,
) -> None:
    """Add one gene of a log-normalised matrix stored by gene."""
    for k in range(cells.size):
        group = groups[cells[k]]
        if group >= 0 and data[k] != 0.0:
            _add(data[k], slot, log_sum[group], square_sum[whole[group]], expressing[whole[group]])


@njit(cache=True, nogil=True)
def add_pools(values: Integers, groups: Integers, first: Integers, start: int, total: Sums) -> None:
    """Add groups up: those of pool ``i`` are ``groups[first[i]:first[i + 1]]``.

    ``values`` have shape (groups, genes), ``total`` (pools, genes wanted), which begin at ``start``.
    """
    for pool in range(total.shape[0]):
        own = total[pool]
        own[:] = 0
        for at in range(first[pool], first[pool + 1]):
            added = values[groups[at], start : start + own.size]
            for gene in range(own.size):
                own[gene] += added[gene]
