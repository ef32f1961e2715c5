"""Reader of wide Parquet tables: a line a row, a column of numbers a gene, such as OP3's ``de_train.parquet``.

Columns of text and of truth values describe the lines; a column of numbers that does has to be named. The key is the
index that pandas wrote, if it wrote one as a column, else the number of the line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from featurestore.errors import SourceFormatError
from ingest.reader import BLOCK_BYTES, INDEX, DenseBlock, Integers, Numbers
from ingest.readers.columns import Describes, none_describes, titles, unknown_column
from ingest.readers.damage import DAMAGE, telling_damage
from ingest.readers.one_matrix import refuse_name
from ingest.readers.plain_text import is_parquet
from ingest.readers.token_columns import class_labels, named_labels

COLUMNS_AT_ONCE = 500
MOST_AT_ONCE = 2**25
"""Numbers of a group of rows that is held as a whole."""


class ParquetTableReader:
    """An open table.

    Parameters
    ----------
    path
        The file.
    described_by
        Columns of numbers that describe the lines.
    describes
        Which of the others do so too.
    """

    def __init__(self, path: Path, described_by: Sequence[str] = (), describes: Describes = none_describes) -> None:
        self.path = path
        self.files = (path,)
        self.format = "parquet_table"
        with telling_damage(path, "the footer"):
            self._file = pq.ParquetFile(path)
            schema = self._file.schema_arrow
        for name in described_by:
            if name not in schema.names:
                raise unknown_column(name, schema.names, str(path))
        self._key = _written_index(schema)
        self._class_labels = class_labels(schema)
        aside = {self._key, *described_by, *self._class_labels}
        numbers = [field.name for field in schema if _is_number(field.type) and field.name not in aside]
        self.described = list(describes(numbers))
        others = set(self.described)
        self._numbers = [name for name in numbers if name not in others]
        in_matrix = {self._key, *self._numbers}
        described = [name for name in schema.names if name not in in_matrix]
        self._columns = dict(zip(titles(described), described, strict=True))
        self.n_rows, self.n_genes = self._file.metadata.num_rows, len(self._numbers)

    @property
    def has_key(self) -> bool:
        """Whether a column tells the rows apart."""
        return self._key is not None

    def row_columns(self) -> list[str]:
        """Names of the row table's columns, ``index`` first."""
        return [INDEX, *self._columns]

    def rows(self, columns: list[str] | None = None) -> pl.DataFrame:
        """Read the row table, or some of its columns."""
        wanted = self.row_columns() if columns is None else columns
        for name in wanted:
            if name != INDEX and name not in self._columns:
                raise unknown_column(name, self.row_columns(), str(self.path))
        stored = [self._columns[name] for name in wanted if name != INDEX]
        with telling_damage(self.path, "the columns that describe the lines"):
            read = pl.DataFrame(self._file.read([*stored, *([self._key] if self._key else [])]))
        named = {name: labels for name, labels in self._class_labels.items() if name in read.columns}
        read = read.with_columns(named_labels(read[name], labels, str(self.path)) for name, labels in named.items())
        key = read[self._key] if self._key else pl.int_range(self.n_rows, eager=True)
        table = {INDEX: key.cast(pl.String)} | {name: _plain(read[stored]) for name, stored in self._columns.items()
                                              if name in wanted}  # fmt: skip
        return pl.DataFrame({name: table[name] for name in wanted})

    def genes(self) -> pl.DataFrame:
        """Read the gene table: the names of the columns."""
        return pl.DataFrame({INDEX: self._numbers}, schema={INDEX: pl.String})

    def blocks(self, block_bytes: int = BLOCK_BYTES) -> Iterator[DenseBlock]:
        """Stream the matrix."""
        return self.selected(np.arange(self.n_rows), np.arange(self.n_genes), block_bytes)

    def selected(self, rows: Integers, genes: Integers, block_bytes: int = BLOCK_BYTES) -> Iterator[DenseBlock]:
        """Stream some rows and genes; columns of other genes are not read."""
        names = {self._numbers[gene] for gene in genes.tolist()}
        read = [name for name in self._numbers if name in names]  # in the file's order
        place = np.searchsorted([gene for gene, name in enumerate(self._numbers) if name in names], genes)
        height = max(1, block_bytes // max(1, np.dtype(np.float64).itemsize * genes.size))
        first = start = 0
        with telling_damage(self.path, "the columns of numbers"):
            for values in self._values(list(dict.fromkeys(read)), len(read), height):
                wanted = rows[slice(*np.searchsorted(rows, (first, first + len(values))))] - first
                first += len(values)
                if wanted.size:
                    yield DenseBlock(start, values[np.ix_(wanted, place)].astype(np.float64, copy=False))
                    start += wanted.size

    def _values(self, names: list[str], n_columns: int, height: int) -> Iterator[Numbers]:
        """Stream columns, some rows at a time: of a group of rows that is small, by stretches of columns.

        To read a few rows of all columns at once, Arrow keeps a reader and a page of every column, which takes three
        times the memory and the time.
        """
        for group in range(self._file.metadata.num_row_groups):
            n_rows = self._file.metadata.row_group(group).num_rows
            if n_rows * n_columns > MOST_AT_ONCE:
                for batch in self._file.iter_batches(height, row_groups=[group], columns=names, use_threads=False):
                    yield _matrix(pa.Table.from_batches([batch]))
                continue
            stretches = [names[first : first + COLUMNS_AT_ONCE] for first in range(0, len(names), COLUMNS_AT_ONCE)]
            parts = [_matrix(self._file.read_row_group(group, columns=each, use_threads=False)) for each in stretches]
            for first in range(0, n_rows, height):
                yield np.concatenate([part[first : first + height] for part in parts], axis=1)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _written_index(schema: pa.Schema) -> str | None:
    """Find the column in which pandas wrote its index."""
    written = json.loads((schema.metadata or {}).get(b"pandas", b"{}")).get("index_columns", [])
    names = [name for name in written if isinstance(name, str) and name in schema.names]
    return names[0] if len(names) == 1 else None


def _matrix(table: pa.Table) -> Numbers:
    """Take columns of numbers, two of which may have one name, as a matrix of (rows, columns); missing is NaN."""
    return pl.DataFrame(table.rename_columns([str(at) for at in range(table.num_columns)])).to_numpy(order="c")


def _is_number(dtype: pa.DataType) -> bool:
    return bool(pa.types.is_floating(dtype) or pa.types.is_integer(dtype))


def _plain(column: pl.Series) -> pl.Series:
    """Bring a column to text, truth values or numbers."""
    if column.dtype.is_float():
        return column.fill_nan(None)
    return column if column.dtype == pl.Boolean or column.dtype.is_integer() else column.cast(pl.String)


class ParquetTableFormat:
    """A wide Parquet table."""

    name: ClassVar[str] = "parquet_table"
    takes: ClassVar[frozenset[str]] = frozenset({"genes_in", "described_by"})

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Say whether this is Parquet of plain columns, two of which are numbers."""
        if not (path.is_file() and is_parquet(path)):
            return False
        try:
            schema = pq.read_schema(path)
        except DAMAGE:
            return False
        is_plain = not any(pa.types.is_nested(dtype) for dtype in schema.types)
        return is_plain and sum(map(_is_number, schema.types)) > 1

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        matrix: str | None = None,
        genes_in: str = "columns",
        described_by: Sequence[str] = (),
        describes: Describes = none_describes,
    ) -> ParquetTableReader:
        """Open a file; ``described_by`` and ``describes`` as of :class:`ParquetTableReader`.

        Raises
        ------
        SourceFormatError
            It is damaged, genes are to be in its rows, or a matrix is named.
        """
        refuse_name(cls.name, path, matrix)
        if genes_in != "columns":
            raise SourceFormatError(
                "in a Parquet table genes are columns",
                where=str(path),
                got=f'genes_in = "{genes_in}"',
                do="turn the table before it is written",
            )
        return ParquetTableReader(path, described_by, describes)
