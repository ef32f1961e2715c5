"""Reader of loom files: genes by cells in HDF5, stored in full, in chunks of 64 genes by 64 cells.

See "Loom file format specs" at linnarssonlab.org/loompy. What is known of cells is a dataset each under ``col_attrs``,
of genes under ``row_attrs``; those of several numbers a cell, such as embeddings, are left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import h5py
import numpy as np
import polars as pl

from featurestore.errors import SourceFormatError, did_you_mean
from ingest.reader import BLOCK_BYTES, INDEX, DenseBlock
from ingest.readers.columns import titles, unknown_column
from ingest.readers.damage import telling_damage
from ingest.readers.hdf5 import compression, is_hdf5_with, member, open_hdf5, require_dataset, require_group
from ingest.readers.hdf5_column import read_column
from ingest.readers.stretch import in_memory

MATRIX, LAYERS, CELLS, GENES = "matrix", "layers", "col_attrs", "row_attrs"
CELL_KEYS = ("CellID", "obs_names", "cell_names", "cell_id", "barcode", "cell_barcode", "barcodes", "cells")
GENE_KEYS = ("Gene", "var_names", "gene_names", "Accession", "gene_name", "gene_short_name", "gene_id")
AXES = 2


class LoomReader:
    """An open loom file."""

    is_by_row = True

    def __init__(self, path: Path, matrix: str | None = None) -> None:
        self.path, self.files = path, (path,)
        self._file = open_hdf5(path)
        try:
            with telling_damage(path, "the whole"):
                self._matrix = self._chosen(matrix or MATRIX)
                self.n_genes, self.n_rows = map(int, self._matrix.shape)
                self._cells = _Attributes(self._file, CELLS, CELL_KEYS, self.n_rows)
                self._genes = _Attributes(self._file, GENES, GENE_KEYS, self.n_genes)
        except BaseException:
            self.close()
            raise
        method = compression(self._matrix)
        self.format = f"loom (genes by cells{f', {method}' if method else ''})"

    def _chosen(self, name: str) -> h5py.Dataset:
        layers = member(self._file, LAYERS)
        found = [f"{LAYERS}/{each}" for each in layers] if isinstance(layers, h5py.Group) else []
        self.matrices = (MATRIX, *found)
        if name not in self.matrices:
            raise SourceFormatError(
                f"there is no matrix '{name}'",
                where=str(self.path),
                do=f"name another matrix; {did_you_mean(name, self.matrices)}",
            )
        dataset = require_dataset(self._file, name)
        if len(dataset.shape) != AXES or dataset.dtype.kind not in "iuf":
            raise SourceFormatError(
                "the matrix is not one of numbers",
                where=f"{name} of {self.path}",
                expected="integers or floats, genes by cells",
                got=f"{dataset.dtype} of shape {dataset.shape}",
            )
        return dataset

    @property
    def has_key(self) -> bool:
        """Whether the file names its cells."""
        return self._cells.key is not None

    def row_columns(self) -> list[str]:
        """Names of the cell table's columns, ``index`` first."""
        return list(self._cells.fields)

    def rows(self, columns: list[str] | None = None) -> pl.DataFrame:
        """Read the cell table, or some of its columns."""
        return self._cells.read(columns)

    def genes(self) -> pl.DataFrame:
        """Read the gene table."""
        return self._genes.read()

    def blocks(self, block_bytes: int = BLOCK_BYTES) -> Iterator[DenseBlock]:
        """Stream the matrix by cell."""
        return self.stretch(0, self.n_rows, block_bytes)

    def stretch(self, first: int, last: int, block_bytes: int = BLOCK_BYTES) -> Iterator[DenseBlock]:
        """Stream the cells from ``first`` to ``last``, each chunk of the matrix decoded once."""
        dtype = in_memory(self._matrix.dtype)
        per_block = max(1, block_bytes // max(1, self.n_genes * dtype.itemsize))
        width = int(self._matrix.chunks[1]) if self._matrix.chunks else 1
        per_read = math.ceil(per_block / width) * width
        if per_read * self.n_genes * dtype.itemsize > max(block_bytes, BLOCK_BYTES) * 4:
            per_read = per_block
        for begin in range(first, last, per_read):
            end = min(begin + per_read, last)
            values = np.empty((self.n_genes, end - begin), dtype)
            with telling_damage(self.path, str(self._matrix.name)):
                if values.size:
                    self._matrix.read_direct(values, np.s_[:, begin:end])
            cells = np.ascontiguousarray(values.T)
            for start in range(0, len(cells), per_block):
                yield DenseBlock(begin + start, cells[start : start + per_block])

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class _Attributes:
    """What is known of the cells, or of the genes: a dataset each, of one value for each."""

    def __init__(self, file: h5py.File, name: str, keys: tuple[str, ...], n: int) -> None:
        self._group, self._n, self._place = require_group(file, name), n, f"{name} of {file.filename}"
        datasets = [each for each in self._group if self._is_column(each)]
        self.key = next((each for each in keys if each in datasets), None)
        others = [each for each in datasets if each != self.key]
        self.fields: dict[str, str | None] = {INDEX: self.key} | dict(zip(titles(others), others, strict=True))

    def read(self, columns: list[str] | None = None) -> pl.DataFrame:
        """Read the table, or some of its columns."""
        return pl.DataFrame([self._column(name) for name in (self.fields if columns is None else columns)])

    def _is_column(self, name: str) -> bool:
        node = member(self._group, name)
        return isinstance(node, h5py.Dataset) and node.shape is not None and len(node.shape) == 1

    def _column(self, name: str) -> pl.Series:
        if name not in self.fields:
            raise unknown_column(name, self.fields, self._place, self.key or "")
        field = self.fields[name]
        if field is None:
            return pl.int_range(self._n, eager=True).cast(pl.String).alias(name)
        with telling_damage(Path(self._group.file.filename), f"{field} of {self._place}"):
            column = read_column(require_dataset(self._group, field), self._n)
        return (column.cast(pl.String).fill_null("") if name == INDEX else column).alias(name)


class LoomFormat:
    """The loom format."""

    name: ClassVar[str] = "loom"

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Say whether this is HDF5 with a matrix and what is known of its rows and columns."""
        return is_hdf5_with(path, lambda file: {MATRIX, CELLS, GENES} <= set(file))

    @classmethod
    def open(cls, path: Path, *, matrix: str | None = None) -> LoomReader:
        """Open a file; ``matrix`` names one of its ``layers/...``."""
        return LoomReader(path, matrix)
