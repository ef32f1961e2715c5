"""Reader of AnnData files (h5ad): single cells or bulk samples by genes, in any layout AnnData has written.

Only what a release needs is opened: the matrix, the table of its rows (``obs``) and of its genes (``var``).
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from ingest.readers.anndata_tree import AnnDataReader, is_anndata
from ingest.readers.damage import telling_damage
from ingest.readers.hdf5 import is_hdf5, open_hdf5
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
        if not is_hdf5(path):
            return False
        with open_hdf5(path) as file, telling_damage(path, "the root"):
            root = Hdf5Group(file)
            return is_anndata(root) and not is_mudata(root)

    @classmethod
    def open(cls, path: Path, *, matrix: str | None = None) -> H5adReader:
        """Open a file; ``matrix`` names one of its matrices, ``X`` or the only one where it is None."""
        return H5adReader(path, matrix)
