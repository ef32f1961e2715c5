"""Reader of GCTX files, the HDF5 container of LINCS L1000: signatures (or wells) by genes.

What GCTX calls rows are genes and what it calls columns are signatures; on disk the matrix is transposed, so that a
signature is contiguous, and a row here is a signature. Public level 5 files carry identifiers only. Missing is -666,
as a number or as text. A ``/`` within a field's name is written ``|``. See ``write_gctx.py`` of cmapPy.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import polars as pl

from ingest.reader import BLOCK_BYTES, INDEX, DenseBlock, Integers
from ingest.readers.columns import MISSING, stripped, titles, unknown_column, without_missing
from ingest.readers.damage import telling_damage
from ingest.readers.hdf5 import is_hdf5_with, member, open_hdf5, require_dataset, require_group, text_attribute
from ingest.readers.hdf5_column import read_column
from ingest.readers.hdf5_nodes import Hdf5Array
from ingest.readers.hdf5_selection import Values, read_selection
from ingest.readers.one_matrix import refuse_name
from ingest.readers.stored_matrix import DenseMatrix, require_shape

if TYPE_CHECKING:
    import h5py

MATRIX = "0/DATA/0/matrix"
SIGNATURES = "0/META/COL"
GENES = "0/META/ROW"
KEY = "id"


class GctxReader:
    """An open GCTX file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files = (path,)
        self._file = open_hdf5(path)
        try:
            with telling_damage(path, "the whole"):
                self._matrix = DenseMatrix(Hdf5Array(require_dataset(self._file, MATRIX)))
                self._rows, self._genes = MetadataTable(self._file, SIGNATURES), MetadataTable(self._file, GENES)
                self.n_rows, self.n_genes = self._matrix.shape
                tables = self._rows.n_rows, self._genes.n_rows
                require_shape(self._matrix.shape, tables, f"{MATRIX} of {path}", f"{SIGNATURES} by {GENES}")
        except BaseException:
            self.close()
            raise
        self.format = f"gctx ({self._matrix.variant})"

    def row_columns(self) -> list[str]:
        """Names of the signature table's columns, ``index`` first."""
        return list(self._rows.fields)

    def rows(self, columns: list[str] | None = None) -> pl.DataFrame:
        """Read the signature table, or some of its columns."""
        return self._rows.read(columns)

    def genes(self) -> pl.DataFrame:
        """Read the gene table."""
        return self._genes.read()

    def blocks(self, block_bytes: int = BLOCK_BYTES) -> Iterator[DenseBlock]:
        """Stream the matrix, missing values as NaN."""
        for block in self._matrix.blocks(block_bytes):
            yield DenseBlock(block.start, _with_nan(block.values))

    def selected(self, rows: Integers, genes: Integers, block_bytes: int = BLOCK_BYTES) -> Iterator[DenseBlock]:
        """Stream some signatures and genes, leaving the rest unread."""
        start = 0
        for values in read_selection(require_dataset(self._file, MATRIX), rows, genes, block_bytes):
            yield DenseBlock(start, _with_nan(values))
            start += len(values)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _with_nan(values: Values) -> Values:
    floats = values if values.dtype.kind == "f" else values.astype(np.float64)
    floats[floats == MISSING] = np.nan
    return floats


class MetadataTable:
    """The metadata of one axis: a dataset per field, ``id`` among them."""

    def __init__(self, file: h5py.File, name: str) -> None:
        self._group = require_group(file, name)
        self._place = f"{name} of {file.filename}"
        self._path = Path(file.filename)
        self.n_rows = len(require_dataset(self._group, KEY))
        stored = [field for field in self._group if field != KEY]
        self.fields = dict(
            zip([INDEX, *titles(field.replace("|", "/") for field in stored)], [KEY, *stored], strict=True)
        )

    def read(self, columns: list[str] | None = None) -> pl.DataFrame:
        """Read all fields, or some."""
        return pl.DataFrame([self._column(name) for name in (self.fields if columns is None else columns)])

    def _column(self, name: str) -> pl.Series:
        if name not in self.fields:
            raise unknown_column(name, self.fields, self._place, KEY)
        field = self.fields[name]
        with telling_damage(self._path, f"{self._place}, field '{field}'"):
            column = stripped(read_column(require_dataset(self._group, field), self.n_rows))
        return (column.cast(pl.String) if name == INDEX else without_missing(column)).alias(name)


class GctxFormat:
    """The GCTX format."""

    name: ClassVar[str] = "gctx"

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Say whether this is HDF5 with the mark of GCTX, or its tree of members."""
        return is_hdf5_with(path, _is_gctx)

    @classmethod
    def open(cls, path: Path, *, matrix: str | None = None) -> GctxReader:
        """Open a file."""
        refuse_name(cls.name, path, matrix)
        return GctxReader(path)


def _is_gctx(file: h5py.File) -> bool:
    marked = (text_attribute(file, "version") or "").startswith("GCTX")
    return marked or member(file, "0/DATA") is not None or member(file, "0/META") is not None
