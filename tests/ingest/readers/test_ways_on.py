"""A file that no reader takes says what to do with it, by what it is."""

from __future__ import annotations

import zipfile

import h5py
import pytest

from featurestore.errors import SourceFormatError
from ingest.readers.open import open_source


def soma(folder):
    (folder / "x").mkdir()
    (folder / "x" / "__tiledb_group.tdb").touch()


def seurat(folder):
    with h5py.File(folder / "x", "w") as file:
        file.create_group("assays")
        file["cell.names"] = ["a"]


def other_hdf5(folder):
    with h5py.File(folder / "x", "w") as file:
        file["values"] = [1.0]


def packed(folder):
    with zipfile.ZipFile(folder / "x", "w") as archive:
        archive.writestr("a.txt", "1")


def other_zarr(folder):
    (folder / "x").mkdir()
    (folder / "x" / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group"}')


@pytest.mark.parametrize(
    ("write", "way"),
    [
        (soma, "folder of the experiment"),
        (seurat, r"SeuratDisk::Convert"),
        (other_hdf5, r"HDF5 of another program"),
        (packed, r"unpack it"),
        (other_zarr, r"folder in it that holds one"),
    ],
)
def test_open_source__of_what_it_does_not_know_says_the_way_on(write, way, tmp_path):
    write(tmp_path)
    with pytest.raises(SourceFormatError, match=way):
        open_source(tmp_path / "x")
