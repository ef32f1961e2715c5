"""A file that no reader takes says what to do with it, by what it is."""

from __future__ import annotations

import gzip
import tarfile
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


def alevin(folder):
    (folder / "x").mkdir()
    (folder / "x" / "quants_mat.gz").write_bytes(gzip.compress(b"1"))


def taped(folder):
    with tarfile.open(folder / "x", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("a.txt"))


def beginning(content, *, packed=False):
    def write(folder):
        (folder / "x").write_bytes(gzip.compress(content) if packed else content)

    return write


@pytest.mark.parametrize(
    ("write", "way"),
    [
        (soma, "folder of the experiment"),
        (seurat, r"SeuratDisk::Convert"),
        (other_hdf5, r"HDF5 of another program"),
        (packed, r"unpack it"),
        (other_zarr, r"folder in it that holds one"),
        (alevin, r"--dumpMtx"),
        (taped, r"unpack it"),
        (beginning(b"\x89HDF\r\n\x1a\n", packed=True), r"gunzip"),
        (beginning(b'!Series_title\t"a"\n', packed=True), r"!series_matrix_table_begin"),
        (beginning(b"ARROW1\0\0"), r"Feather"),
        (beginning(b"\x93NUMPY\1\0"), r"numbers without genes and cells"),
        (beginning(b"\x80\5\x95\1"), r"pickle, which is a program"),
        (beginning(b"BUS\0\1\0"), r"bustools count"),
        (beginning(b"@read\nACGT\n+\nIIII\n", packed=True), r"reads: count them first"),
        (beginning(b"\x28\xb5\x2f\xfd\0"), r"decompress or convert it"),
    ],
)
def test_open_source__of_what_it_does_not_know_says_the_way_on(write, way, tmp_path):
    write(tmp_path)
    with pytest.raises(SourceFormatError, match=way):
        open_source(tmp_path / "x")
