"""Reader of Matrix Market triplets (mtx): a sparse matrix as text, with tables of barcodes and genes beside it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import scipy  # its modules load when they are first used

from ingest.reader import BLOCK_BYTES, CscBlock, CsrBlock, Peek
from ingest.readers.columns import unknown_column
from ingest.readers.mtx_entries import EntryFile, MtxHeader, read_header
from ingest.readers.mtx_rows import first_entries, read_sorted, rows_of_cells, sort_by_cell
from ingest.readers.mtx_tables import AxisTables, read_tables
from ingest.readers.one_matrix import refuse_name
from ingest.readers.plain_text import first_line, is_gzip

if TYPE_CHECKING:
    import polars as pl

BANNER = b"%%matrixmarket"


class MtxReader:
    """An open triplet, of a format whose header and tables are known.

    The first time that the matrix is streamed it is read twice: once to see that it is complete, and in which order
    its entries come.
    """

    def __init__(self, path: Path, name: str, header: MtxHeader, tables: AxisTables) -> None:
        self.path = path
        self.files = (path, *tables.files)
        variants = ", ".join(["gzip"] * is_gzip(path) + ["spliced and ambiguous"] * tables.is_usa)
        self.format = f"{name} ({variants})" if variants else name
        self.n_rows, self.n_genes = tables.rows.height, tables.genes.height
        self._rows, self._genes, self._is_usa = tables.rows, tables.genes, tables.is_usa
        self._entries = EntryFile(path, header, genes_first=tables.genes_first)
        self._is_by_cell: bool | None = None
        self._sorted: Path | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def row_columns(self) -> list[str]:
        """Names of the cell table's columns, ``index`` first."""
        return self._rows.columns

    def rows(self, columns: list[str] | None = None) -> pl.DataFrame:
        """Read the cell table, or some of its columns."""
        for name in columns or []:
            if name not in self._rows.columns:
                raise unknown_column(name, self._rows.columns, f"the tables of cells beside {self.path}")
        return self._rows.select(self._rows.columns if columns is None else columns)

    def genes(self) -> pl.DataFrame:
        """Read the gene table."""
        return self._genes

    def blocks(self, block_bytes: int = BLOCK_BYTES) -> Iterator[CsrBlock]:
        """Stream the matrix by cell, sorting it first where its entries come in another order."""
        if self._is_by_cell is None:
            self._is_by_cell = self._entries.is_by_cell()
        if not self._is_by_cell and self._sorted is None:
            self._folder = tempfile.TemporaryDirectory(prefix="mtx-")
            self._sorted = sort_by_cell(self._entries.read(), Path(self._folder.name))
        entries = self._entries.read() if self._sorted is None else read_sorted(self._sorted)
        blocks = rows_of_cells(entries, self.n_rows, block_bytes, self.path)
        yield from map(self._without_unspliced, blocks) if self._is_usa else blocks

    def peek(self, n_values: int) -> Peek:
        """Read entries from the beginning of the file, whichever order they come in."""
        block, is_whole = first_entries(self._entries.read(), n_values)
        if not self._is_usa:
            return Peek(self._genes, block, is_whole, is_sparse=True)
        if isinstance(block, CsrBlock):
            return Peek(self._genes, self._without_unspliced(block), is_whole, is_sparse=True)
        n_genes = min(self.n_genes, len(block.indptr) - 1)
        indptr = block.indptr[: n_genes + 1]
        spliced = CscBlock(0, indptr, block.indices[: indptr[-1]], block.data[: indptr[-1]])
        return Peek(self._genes, spliced, is_whole=False, is_sparse=True)

    def _without_unspliced(self, block: CsrBlock) -> CsrBlock:
        """Add the counts that are spliced or may be either, and leave out those that are not spliced."""
        n = self.n_genes
        thrice = scipy.sparse.csr_array((block.data, block.indices, block.indptr), shape=(len(block.indptr) - 1, 3 * n))
        spliced = scipy.sparse.csr_array(thrice[:, :n] + thrice[:, 2 * n :])
        return CsrBlock(block.start, spliced.indptr, spliced.indices, spliced.data)

    def close(self) -> None:
        """Remove what was sorted."""
        if self._folder is not None:
            self._folder.cleanup()
        self._folder = self._sorted = None


class MtxFormat:
    """The Matrix Market format."""

    name: ClassVar[str] = "mtx"

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Say whether this is text that begins with the banner of Matrix Market."""
        return path.is_file() and first_line(path).lower().startswith(BANNER)

    @classmethod
    def open(cls, path: Path, *, matrix: str | None = None) -> MtxReader:
        """Open a matrix and the tables beside it."""
        refuse_name(cls.name, path, matrix)
        header = read_header(path)
        return MtxReader(path, cls.name, header, read_tables(path, header))
