"""Reader of ARCHS4's HDF5: counts of genes by samples, for a million samples of GEO, of which a few are wanted.

Version 2 has a line a gene and a column a sample, version 1 the other way round; which of the two is told by the
lengths of the tables. The tables are a dataset per field, under ``meta/genes`` and ``meta/samples``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import polars as pl

from featurestore.errors import SourceFormatError, first_of
from ingest.reader import BLOCK_BYTES, INDEX, DenseBlock, Integers, Numbers
from ingest.readers.columns import titles, unknown_column
from ingest.readers.damage import telling_damage
from ingest.readers.hdf5 import compression, is_hdf5_with, member, open_hdf5, require_dataset, require_group
from ingest.readers.hdf5_column import read_column
from ingest.readers.one_matrix import refuse_name

if TYPE_CHECKING:
    import h5py

MATRIX, SAMPLES, GENES = "data/expression", "meta/samples", "meta/genes"
SAMPLE_KEY = "geo_accession"
GENE_KEYS = ("ensembl_gene", "ensembl_gene_id", "symbol", "gene_symbol", "genes")


class Archs4Reader:
    """An open file of ARCHS4."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files = (path,)
        self._file = open_hdf5(path)
        try:
            with telling_damage(path, "the whole"):
                self._matrix = require_dataset(self._file, MATRIX)
                self._samples, self._genes = (require_group(self._file, name) for name in (SAMPLES, GENES))
                self.n_rows = len(require_dataset(self._samples, SAMPLE_KEY))
                self._gene_key = self._find_gene_key()
                self.n_genes = len(require_dataset(self._genes, self._gene_key))
                self._by_gene = self._is_by_gene()
        except BaseException:
            self.close()
            raise
        self._fields = {INDEX: SAMPLE_KEY}
        others = [name for name in self._samples if name != SAMPLE_KEY]
        self._fields |= dict(zip(titles(others), others, strict=True))
        method = compression(self._matrix)
        way = "genes by samples" if self._by_gene else "samples by genes"
        self.format = f"archs4 ({way}{f', {method}' if method else ''})"

    def row_columns(self) -> list[str]:
        """Names of the sample table's columns, ``index`` first."""
        return list(self._fields)

    def rows(self, columns: list[str] | None = None) -> pl.DataFrame:
        """Read the sample table, or some of its columns."""
        wanted = self.row_columns() if columns is None else columns
        for name in wanted:
            if name not in self._fields:
                raise unknown_column(name, self._fields, f"{SAMPLES} of {self.path}", SAMPLE_KEY)
        return pl.DataFrame([self._column(self._samples, self._fields[name], name) for name in wanted])

    def genes(self) -> pl.DataFrame:
        """Read the gene table."""
        others = [name for name in self._genes if name != self._gene_key]
        named = zip([INDEX, *titles(others)], [self._gene_key, *others], strict=True)
        return pl.DataFrame([self._column(self._genes, field, name) for name, field in named])

    def blocks(self, block_bytes: int = BLOCK_BYTES) -> Iterator[DenseBlock]:
        """Stream all samples."""
        yield from self.selected(np.arange(self.n_rows), np.arange(self.n_genes), block_bytes)

    def selected(self, rows: Integers, genes: Integers, block_bytes: int = BLOCK_BYTES) -> Iterator[DenseBlock]:
        """Stream some samples: only the chunks that hold them are inflated."""
        height = max(1, block_bytes // max(1, self._matrix.dtype.itemsize * self.n_genes))
        start = 0
        while start < len(rows):
            near = np.searchsorted(rows, rows[start] + max(height, self._chunk_width()))
            stop = min(int(near), start + height)
            with telling_damage(self.path, MATRIX):
                yield DenseBlock(start, self._read(rows[start:stop])[:, genes])
            start = stop

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _read(self, rows: Integers) -> Numbers:
        """Read samples that lie near each other, in full."""
        low, high = int(rows[0]), int(rows[-1]) + 1
        values = self._matrix[:, low:high].T if self._by_gene else self._matrix[low:high]
        return np.ascontiguousarray(values[rows - low])

    def _chunk_width(self) -> int:
        chunks = self._matrix.chunks or (1, 1)
        return int(chunks[1 if self._by_gene else 0])

    def _column(self, group: h5py.Group, field: str, name: str) -> pl.Series:
        with telling_damage(self.path, f"field '{field}'"):
            column = read_column(require_dataset(group, field), self.n_rows if group == self._samples else self.n_genes)
        return (column.cast(pl.String) if name == INDEX else column).alias(name)

    def _find_gene_key(self) -> str:
        found = next((name for name in GENE_KEYS if name in self._genes), None)
        if found is None:
            raise SourceFormatError(
                "the genes have no names",
                where=f"{GENES} of {self.path}",
                expected=" or ".join(GENE_KEYS),
                got=first_of(list(self._genes), 8) or "nothing",
            )
        return found

    def _is_by_gene(self) -> bool:
        shape = (self.n_genes, self.n_rows)
        if self._matrix.shape not in {shape, shape[::-1]}:
            raise SourceFormatError(
                "the matrix does not fit its tables",
                where=f"{MATRIX} of {self.path}",
                expected=f"{self.n_genes:,} genes by {self.n_rows:,} samples, or the other way round",
                got=f"shape {self._matrix.shape}",
                do="fetch the file again",
            )
        return bool(self._matrix.shape == shape)


class Archs4Format:
    """The HDF5 of ARCHS4."""

    name: ClassVar[str] = "archs4"

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Say whether this is HDF5 with ARCHS4's matrix and table of samples."""
        marks = MATRIX, f"{SAMPLES}/{SAMPLE_KEY}"
        return is_hdf5_with(path, lambda file: all(member(file, name) is not None for name in marks))

    @classmethod
    def open(cls, path: Path, *, matrix: str | None = None) -> Archs4Reader:
        """Open a file."""
        refuse_name(cls.name, path, matrix)
        return Archs4Reader(path)
