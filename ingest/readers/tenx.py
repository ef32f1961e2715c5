"""Reader of Cell Ranger's HDF5 files (``filtered_feature_bc_matrix.h5``, from version 3): cells by genes.

See "Feature-Barcode Matrices (HDF5)" at 10xgenomics.com. The matrix is kept by cell; its group holds the barcodes and,
in ``features``, an identifier, a name and a type for each gene.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import h5py
import polars as pl

from ingest.reader import BLOCK_BYTES, INDEX, Block
from ingest.readers.columns import rows_of_keys, stripped
from ingest.readers.damage import telling_damage
from ingest.readers.hdf5 import is_hdf5_with, member, open_hdf5, require_dataset, require_group
from ingest.readers.hdf5_column import read_column
from ingest.readers.hdf5_nodes import Hdf5Group
from ingest.readers.one_matrix import refuse_name
from ingest.readers.stored_matrix import SparseMatrix

FEATURES = {INDEX: "id", "gene_name": "name", "feature_type": "feature_type"}
OF_PROBES = ("filtered_probes", "probe_region")
"""What a matrix of probes (Flex) tells besides: which of them pass the filter, and whether they span an intron."""


class TenxReader:
    """An open file of Cell Ranger."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files = (path,)
        self._file = open_hdf5(path)
        try:
            with telling_damage(path, "the whole"):
                group = require_group(self._file, "matrix")
                barcodes = read_column(require_dataset(group, "barcodes"), are_distinct=True)
                self._barcodes = stripped(barcodes).alias(INDEX)
                self._genes = _features(require_group(group, "features"))
                self.n_rows, self.n_genes = self._barcodes.len(), self._genes.height
                self._matrix = SparseMatrix(Hdf5Group(group), by_row=True, shape=(self.n_rows, self.n_genes))
        except BaseException:
            self.close()
            raise
        self.format = f"10x_h5 ({self._matrix.variant})"

    def row_columns(self) -> list[str]:
        """Names of the cell table's columns: the barcode."""
        return [INDEX]

    def rows(self, columns: list[str] | None = None) -> pl.DataFrame:
        """Read the barcodes."""
        return rows_of_keys(self._barcodes, columns, str(self.path), "barcodes")

    def genes(self) -> pl.DataFrame:
        """Read the table of features."""
        return self._genes

    def blocks(self, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
        """Stream the matrix by cell."""
        return iter(self._matrix.blocks(block_bytes))

    @property
    def is_by_row(self) -> bool:
        """Whether the matrix is stored by row, so that reading can begin at any."""
        return self._matrix.is_by_row

    def stretch(self, first: int, last: int, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
        """Stream the rows from ``first`` to ``last``."""
        return iter(self._matrix.blocks(block_bytes, first, last))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _features(group: h5py.Group) -> pl.DataFrame:
    """Read the table of features; identifiers say how long it is."""
    key, *others = FEATURES.items()
    ids = read_column(require_dataset(group, key[1]), are_distinct=True)
    fields = [*others, *((name, name) for name in OF_PROBES if name in group)]
    columns = [(name, read_column(require_dataset(group, field), len(ids))) for name, field in fields]
    return pl.DataFrame({name: stripped(column) for name, column in [(key[0], ids), *columns]})


class TenxFormat:
    """The format of Cell Ranger's HDF5 files."""

    name: ClassVar[str] = "10x_h5"

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Say whether this is HDF5 with a matrix that has features."""
        return is_hdf5_with(path, lambda file: member(file, "matrix/features") is not None)

    @classmethod
    def open(cls, path: Path, *, matrix: str | None = None) -> TenxReader:
        """Open a file."""
        refuse_name(cls.name, path, matrix)
        return TenxReader(path)
