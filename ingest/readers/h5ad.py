"""Reader of AnnData files (h5ad): single cells or bulk samples by genes, in any layout AnnData has written.

Only what a release needs is opened: the matrix, the table of its rows (``obs``) and of its genes (``var``). A file
may hold several matrices, named as in AnnData: ``X``, ``layers/<name>``, ``raw/X`` (with genes of its own).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import h5py

from featurestore.errors import SourceFormatError, did_you_mean
from ingest.reader import BLOCK_BYTES, Block
from ingest.readers.annotation import AnnotationTable
from ingest.readers.damage import telling_damage
from ingest.readers.hdf5 import is_hdf5, member, open_hdf5, text_attribute
from ingest.readers.hdf5_matrix import open_matrix

if TYPE_CHECKING:
    import polars as pl

GENES_OF = {"X": "var", "raw/X": "raw/var", "raw.X": "raw.var"}
"""The gene table of each matrix that is not a layer; before 0.7, ``raw`` was two members of the root."""


class H5adReader:
    """An open AnnData file."""

    def __init__(self, path: Path, matrix: str | None = None) -> None:
        self.path = path
        self.files = (path,)
        self._file = open_hdf5(path)
        try:
            with telling_damage(path, "the whole"):
                self._open(matrix or "X")
        except BaseException:
            self.close()
            raise

    def _open(self, name: str) -> None:
        known = _matrices(self._file)
        self.matrices = tuple(known)
        if name not in known:
            raise SourceFormatError(
                f"there is no matrix '{name}'",
                where=str(self.path),
                do=f"name another matrix; {did_you_mean(name, known)}",
            )
        self._rows = AnnotationTable(self._file, "obs")
        self._genes = AnnotationTable(self._file, known[name])
        self._matrix = open_matrix(self._file, name)
        self.n_rows, self.n_genes = self._matrix.shape
        self.format = f"h5ad ({self._matrix.variant})"
        if (self._rows.n_rows, self._genes.n_rows) != self._matrix.shape:
            raise SourceFormatError(
                "the matrix does not fit its tables",
                where=f"{name} of {self.path}",
                expected=f"shape {(self._rows.n_rows, self._genes.n_rows)}, as obs and {known[name]} are long",
                got=f"shape {self._matrix.shape}",
                do="fetch the file again, or write it again",
            )

    def row_columns(self) -> list[str]:
        """Names of the cell table's columns, ``index`` first."""
        return self._rows.columns

    def rows(self, columns: list[str] | None = None) -> pl.DataFrame:
        """Read the cell table, or some of its columns."""
        return self._rows.read(columns)

    def genes(self) -> pl.DataFrame:
        """Read the gene table."""
        return self._genes.read()

    def blocks(self, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
        """Stream the matrix."""
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


class H5adFormat:
    """The AnnData format."""

    name: ClassVar[str] = "h5ad"

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Say whether this is HDF5 with AnnData's mark, or one of its two tables."""
        if not is_hdf5(path):
            return False
        with open_hdf5(path) as file, telling_damage(path, "the root"):
            return text_attribute(file, "encoding-type") == "anndata" or "obs" in list(file) or "var" in list(file)

    @classmethod
    def open(cls, path: Path, *, matrix: str | None = None) -> H5adReader:
        """Open a file; ``matrix`` names one of its matrices, ``X`` where it is None."""
        return H5adReader(path, matrix)


def _matrices(file: h5py.File) -> dict[str, str]:
    """List the matrices of a file, each with the table of its genes."""
    layers = member(file, "layers")
    names = [f"layers/{name}" for name in layers] if isinstance(layers, h5py.Group) else []
    known = GENES_OF | dict.fromkeys(names, "var")
    return {name: genes for name, genes in known.items() if member(file, name) is not None}
