"""Reader of MuData files (h5mu): several modalities of the same cells, of which RNA is read.

The file begins with a line of text, 512 bytes that HDF5 skips. See "MuData nuances" and the format specification at
mudata.readthedocs.io.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from ingest.readers.hdf5 import is_hdf5_with, open_hdf5
from ingest.readers.hdf5_nodes import Hdf5Group
from ingest.readers.mudata_tree import MuDataReader, is_mudata


class H5muFormat:
    """The MuData format."""

    name: ClassVar[str] = "h5mu"

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Say whether this is HDF5 with MuData's mark, or with modalities."""
        return is_hdf5_with(path, lambda file: is_mudata(Hdf5Group(file)))

    @classmethod
    def open(cls, path: Path, *, matrix: str | None = None) -> MuDataReader:
        """Open a file; ``matrix`` names one of a modality, such as ``mod/rna/layers/counts``."""
        file = open_hdf5(path)
        return MuDataReader(path, (path,), Hdf5Group(file), file.close, cls.name, matrix)
