"""Reader of AnnData files (h5ad): single cells or bulk samples by genes, in any layout AnnData has written.

Only what a release needs is opened: the matrix, the table of its rows (``obs``) and of its genes (``var``).
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from ingest.readers.anndata_tree import AnnDataReader, is_anndata
from ingest.readers.hdf5 import is_hdf5_with, open_hdf5
from ingest.readers.hdf5_nodes import Hdf5Group
from ingest.readers.mudata_tree import is_mudata


class H5adReader(AnnDataReader):
    """An open AnnData file."""

    def __init__(self, path: Path, matrix: str | None = None) -> None:
        file = open_hdf5(path)
        super().__init__(path, (path,), Hdf5Group(file), file.close, H5adFormat.name, matrix)


class H5adFormat:
    """The AnnData format."""

    name: ClassVar[str] = "h5ad"

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Say whether this is HDF5 with AnnData's mark, or one of its two tables."""
        return is_hdf5_with(path, lambda file: is_anndata(Hdf5Group(file)) and not is_mudata(Hdf5Group(file)))

    @classmethod
    def open(cls, path: Path, *, matrix: str | None = None) -> H5adReader:
        """Open a file; ``matrix`` names one of its matrices, ``X`` or the only one where it is None."""
        return H5adReader(path, matrix)
