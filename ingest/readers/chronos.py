"""Reader of the HDF5 files of Chronos, with which DepMap computes gene effect: cell lines by genes.

``data`` is the matrix, ``dim_0`` names its rows and ``dim_1`` its columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import polars as pl

from ingest.reader import BLOCK_BYTES, INDEX, DenseBlock, Integers
from ingest.readers.columns import unknown_column
from ingest.readers.damage import telling_damage
from ingest.readers.hdf5 import is_hdf5_with, open_hdf5, require_dataset
from ingest.readers.hdf5_column import read_column
from ingest.readers.hdf5_nodes import Hdf5Array
from ingest.readers.hdf5_selection import read_selection
from ingest.readers.one_matrix import refuse_name
from ingest.readers.stored_matrix import DenseMatrix, require_shape

MATRIX, ROWS, GENES = "data", "dim_0", "dim_1"


class ChronosReader:
    """An open file of Chronos."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files = (path,)
        self._file = open_hdf5(path)
        try:
            with telling_damage(path, "the whole"):
                self._matrix = DenseMatrix(Hdf5Array(require_dataset(self._file, MATRIX)))
                axes = [require_dataset(self._file, name) for name in (ROWS, GENES)]
                names = [read_column(axis, are_distinct=True).cast(pl.String) for axis in axes]
            self._rows, self._genes = (pl.DataFrame({INDEX: column}) for column in names)
            self.n_rows, self.n_genes = self._matrix.shape
            tables = self._rows.height, self._genes.height
            require_shape(self._matrix.shape, tables, f"{MATRIX} of {path}", f"{ROWS} by {GENES}")
        except BaseException:
            self.close()
            raise
        self.format = f"chronos ({self._matrix.variant})"

    def row_columns(self) -> list[str]:
        """Names of the row table's columns: ``index`` alone."""
        return [INDEX]

    def rows(self, columns: list[str] | None = None) -> pl.DataFrame:
        """Read the row table."""
        for name in columns or []:
            if name != INDEX:
                raise unknown_column(name, [INDEX], f"{ROWS} of {self.path}")
        return self._rows.select(columns if columns is not None else [INDEX])

    def genes(self) -> pl.DataFrame:
        """Read the gene table."""
        return self._genes

    def blocks(self, block_bytes: int = BLOCK_BYTES) -> Iterator[DenseBlock]:
        """Stream the matrix."""
        yield from self._matrix.blocks(block_bytes)

    def selected(self, rows: Integers, genes: Integers, block_bytes: int = BLOCK_BYTES) -> Iterator[DenseBlock]:
        """Stream some rows and genes, leaving the rest unread."""
        start = 0
        for values in read_selection(require_dataset(self._file, MATRIX), rows, genes, block_bytes):
            yield DenseBlock(start, values)
            start += len(values)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class ChronosFormat:
    """The HDF5 format of Chronos."""

    name: ClassVar[str] = "chronos"

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Say whether this is HDF5 with a matrix and a name for each of its rows and columns."""
        return is_hdf5_with(path, lambda file: {MATRIX, ROWS, GENES} <= set(file))

    @classmethod
    def open(cls, path: Path, *, matrix: str | None = None) -> ChronosReader:
        """Open a file."""
        refuse_name(cls.name, path, matrix)
        return ChronosReader(path)
