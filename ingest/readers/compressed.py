"""Compressed rows (CSR) or columns (CSC): cutting them into blocks, and checking that no value is given twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import scipy  # its modules load when they are first used

if TYPE_CHECKING:
    from ingest.reader import Integers


def ranges(indptr: Integers, value_bytes: int, block_bytes: int) -> Iterator[tuple[int, int]]:
    """Cut rows into ranges whose values, at ``value_bytes`` each, fit ``block_bytes``; one row at least.

    Examples
    --------
    >>> list(ranges(np.array([0, 1, 2, 9, 9]), value_bytes=8, block_bytes=32))
    [(0, 2), (2, 3), (3, 4)]
    """
    size = indptr * value_bytes + np.arange(len(indptr)) * indptr.itemsize
    start, end = 0, len(size) - 1
    while start < end:
        stop = int(np.searchsorted(size, size[start] + block_bytes, side="right")) - 1
        stop = min(max(stop, start + 1), end)
        yield start, stop
        start = stop


def first_repeat(indptr: Integers, indices: Integers) -> int | None:
    """Find an index that its row holds twice, as a position in ``indices``.

    Examples
    --------
    >>> first_repeat(np.array([0, 2, 5]), np.array([1, 0, 2, 0, 2]))
    4
    """
    from ingest.stored import rises  # noqa: PLC0415, loads a compiler, which few formats need

    if not indices.size or rises(indptr, indices):
        return None
    shape = (len(indptr) - 1, int(indices.max()) + 1)
    matrix = scipy.sparse.csr_array((np.arange(indices.size), indices, indptr), shape=shape)
    if matrix.has_canonical_format:
        return None
    matrix.sort_indices()
    again = np.flatnonzero(np.diff(matrix.indices) == 0) + 1
    again = again[~np.isin(again, indptr)]
    return int(matrix.data[again[0]]) if again.size else None
