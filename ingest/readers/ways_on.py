"""What to do with a file that no reader takes: one sentence by what it is, where that can be told."""

from __future__ import annotations

from pathlib import Path

from ingest.readers.damage import telling_damage
from ingest.readers.hdf5 import is_hdf5, open_hdf5

ZIP = b"PK\x03\x04"
OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""What workbooks begin with that were saved before 2007, as .xls."""
KALLISTO = {"aux", "est_counts"}
TILEDB = ("__tiledb_group.tdb", "__group", "__schema")
SEURAT = {"assays", "cell.names"}
CONVERT = "decompress or convert it, or install a package that reads it"
UNPACK = "unpack it, and give the folder"
OF_OLD_OFFICE = "save the workbook as .xlsx"
OF_KALLISTO = "give abundance.tsv beside it; where it was not kept, kallisto h5dump writes it"
OF_SOMA = "it is TileDB: name the folder of the experiment, in which obs and ms are"
OF_SEURAT = 'write it as AnnData, in R: SeuratDisk::Convert("FILE", dest = "h5ad")'
OF_HDF5 = "it is HDF5 of another program: write the counts as AnnData (h5ad), or as Matrix Market"
OF_ZARR = "it is Zarr without AnnData at its root: name the folder in it that holds one, such as tables/table"


def way_on(path: Path) -> str:
    """Say what to do with a file, or a folder, of no known format."""
    if path.is_dir():
        if any((path / name).exists() for name in TILEDB):
            return OF_SOMA
        is_zarr = (path / "zarr.json").exists() or (path / ".zgroup").exists()
        return OF_ZARR if is_zarr else "unpack or convert what holds the counts"
    if is_hdf5(path):
        with telling_damage(path, "the root"), open_hdf5(path) as file:
            names = set(file)
        return OF_KALLISTO if names >= KALLISTO else OF_SEURAT if names >= SEURAT else OF_HDF5
    with path.open("rb") as file:
        head = file.read(len(OLD_OFFICE))
    if head.startswith(OLD_OFFICE):
        return OF_OLD_OFFICE
    return UNPACK if head.startswith(ZIP) else CONVERT
