"""Some rows of a matrix, from several places of its file, by which the scale of all is judged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
import scipy  # its modules load when they are first used

from ingest.reader import Block, CscBlock, DenseBlock, Reader, StretchingReader

ROWS_AT_ONCE, N_STRETCHES, MOST_ROWS = 200, 5, 1000

Csr: TypeAlias = "scipy.sparse.csr_array[Any, tuple[int, int]]"


def some_rows(reader: Reader) -> Csr:
    """Read some rows with all of their values; shape (rows, columns)."""
    parts: list[Any] = []
    n_rows = 0
    for block in _blocks_of_some(reader):
        if isinstance(block, DenseBlock):
            parts.append(scipy.sparse.csr_array(np.asarray(block.values[:MOST_ROWS], np.float64)))
        elif isinstance(block, CscBlock):
            shape = (reader.n_rows, block.indptr.size - 1)
            data = np.asarray(block.data, np.float64)
            parts.append(scipy.sparse.csc_array((data, block.indices, block.indptr), shape=shape)[:MOST_ROWS])
            continue
        else:
            shape = (block.indptr.size - 1, reader.n_genes)
            data = np.asarray(block.data, np.float64)
            parts.append(scipy.sparse.csr_array((data, block.indices, block.indptr), shape=shape)[:MOST_ROWS])
        n_rows += parts[-1].shape[0]
        if n_rows >= MOST_ROWS:
            break
    is_by_gene = n_rows == 0 and bool(parts)
    joined = scipy.sparse.hstack(parts) if is_by_gene else scipy.sparse.vstack(parts)
    return scipy.sparse.csr_array(joined)


def _blocks_of_some(reader: Reader) -> Iterator[Block]:
    """Give blocks of rows from several places of a file that can be read from any, else from its beginning on."""
    if not isinstance(reader, StretchingReader) or not reader.is_by_row:
        yield from reader.blocks()
        return
    starts = np.unique(np.linspace(0, max(0, reader.n_rows - ROWS_AT_ONCE), N_STRETCHES).astype(int))
    for start in starts.tolist():
        yield from reader.stretch(start, min(start + ROWS_AT_ONCE, reader.n_rows))
