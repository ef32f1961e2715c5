"""Entries of a matrix gathered into rows of cells, in memory that does not grow with their number.

Entries that come in order of cells are gathered as they come. Others are first sorted, by DuckDB, into a file.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet

from featurestore.errors import SourceFormatError
from ingest.reader import CscBlock, CsrBlock
from ingest.readers.compressed import first_repeat, ranges
from ingest.readers.mtx_entries import Entries

SORT_MEMORY = "512MB"
ENTRIES_AT_ONCE = 2**18
NONE = Entries(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.int8))


def rows_of_cells(entries: Iterable[Entries], n_cells: int, block_bytes: int, path: Path) -> Iterator[CsrBlock]:
    """Gather entries that come in order of cells; every cell is in one block, with entries or without.

    Raises
    ------
    SourceFormatError
        A cell has a gene twice; ``path`` is the file to name.
    """
    n_done, waiting = 0, [NONE]
    for part in entries:
        waiting.append(part)
        if sum(_bytes(each) for each in waiting) >= block_bytes:
            merged = _merged(waiting)
            last = int(merged.cell[-1])
            n_complete = int(np.searchsorted(merged.cell, last))
            yield from _blocks(_part(merged, 0, n_complete), n_done, last, block_bytes, path)
            n_done, waiting = last, [_part(merged, n_complete, len(merged.cell))]
    yield from _blocks(_merged(waiting), n_done, n_cells, block_bytes, path)


def sort_by_cell(entries: Iterable[Entries], folder: Path) -> Path:
    """Sort entries by cell and gene into a Parquet file in a folder, which also takes what does not fit memory."""
    batches = (pa.RecordBatch.from_pydict(part._asdict()) for part in entries)
    first = next(batches)
    reader = pa.RecordBatchReader.from_batches(first.schema, itertools.chain([first], batches))
    path = folder / "entries.parquet"
    with duckdb.connect(config={"memory_limit": SORT_MEMORY, "temp_directory": str(folder)}) as connection:
        connection.register("entries", reader)
        connection.sql("FROM entries ORDER BY cell, gene").write_parquet(str(path))
    return path


def read_sorted(path: Path) -> Iterator[Entries]:
    """Stream the entries that :func:`sort_by_cell` has written."""
    with pyarrow.parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(ENTRIES_AT_ONCE):
            yield Entries(*(batch.column(name).to_numpy() for name in Entries._fields))


def first_entries(entries: Iterable[Entries], n_values: int) -> tuple[CsrBlock | CscBlock, bool]:
    """Gather the first entries of a file by cell, or by gene if they come in that order.

    Returns
    -------
    The block, and whether its cells or genes are complete: they are where the entries come in order of one of them.
    """
    waiting: list[Entries] = [NONE]
    for part in entries:
        waiting.append(part)
        if sum(len(each.cell) for each in waiting) >= n_values:
            break
    first = _part(_merged(waiting), 0, n_values)
    by_cell, by_gene = ((np.diff(axis) >= 0).all() for axis in (first.cell, first.gene))
    is_whole = bool(by_cell or by_gene)
    major, minor = (first.gene, first.cell) if by_gene and not by_cell else (first.cell, first.gene)
    if is_whole and len(first.cell) == n_values:
        complete = major < major[-1]
        major, minor, first = major[complete], minor[complete], _part(first, 0, int(complete.sum()))
    order = np.argsort(major, kind="stable")
    counts = np.bincount(major)
    indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    kind = CscBlock if by_gene and not by_cell else CsrBlock
    return kind(0, indptr, minor[order], first.value[order]), is_whole


def _blocks(entries: Entries, start: int, stop: int, block_bytes: int, path: Path) -> Iterator[CsrBlock]:
    """Cut the entries of the cells from ``start`` to ``stop`` into blocks."""
    counts = np.bincount(entries.cell - start, minlength=stop - start)
    indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    for begin, end in ranges(indptr, entries.gene.itemsize + entries.value.itemsize, block_bytes):
        part = _part(entries, int(indptr[begin]), int(indptr[end]))
        block = CsrBlock(start + begin, indptr[begin : end + 1] - indptr[begin], part.gene, part.value)
        repeat = first_repeat(block.indptr, block.indices)
        if repeat is not None:
            raise SourceFormatError(
                "an entry is given twice",
                where=str(path),
                expected="one entry for each cell and gene",
                got=f"gene {part.gene[repeat] + 1:,} again in cell {part.cell[repeat] + 1:,}",
                do="fetch the file again, or sum the entries before",
            )
        yield block


def _merged(parts: list[Entries]) -> Entries:
    cells, genes, values = zip(*parts, strict=True)
    return Entries(np.concatenate(cells), np.concatenate(genes), np.concatenate(values))


def _part(entries: Entries, start: int, stop: int) -> Entries:
    return Entries(entries.cell[start:stop], entries.gene[start:stop], entries.value[start:stop])


def _bytes(entries: Entries) -> int:
    return sum(values.nbytes for values in entries)
