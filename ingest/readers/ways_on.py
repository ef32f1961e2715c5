"""What to do with a file that no reader takes: one sentence by what it is, where that can be told."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from ingest.readers.damage import telling_damage
from ingest.readers.hdf5 import is_hdf5, open_hdf5
from ingest.readers.plain_text import GZIP

MARKS = {
    b"!Series_": "it is GEO's series matrix: save the lines between !series_matrix_table_begin and its end "
    "as a table, and those of !Sample_ turned as one of samples",
    b"PAR1": "columns of Parquet called as genes are read, and lists of tokens: write lines of cell and gene as a "
    "matrix first, as h5ad or Matrix Market",
    b"\x89HDF": "unpack it with gunzip: HDF5 is read from any place in it",
    b"ARROW1": "it is Feather (Arrow): write it as Parquet, or as CSV",
    b"\x93NUMPY": "it has numbers without genes and cells: write both with them as AnnData (h5ad)",
    b"MATLAB": "it is MATLAB's: write the matrix with its genes and cells as AnnData (h5ad), or as a table",
    b"\x80\x04\x95": "it is a pickle, which is a program and not opened: write it as AnnData (h5ad), or as a table",
    b"\x80\x05\x95": "it is a pickle, which is a program and not opened: write it as AnnData (h5ad), or as a table",
    b"BUS\0": "it is of kallisto bus: give what bustools count, or kb count, makes of it",
    b"BAM\1": "it has reads: count them first, as STARsolo, kb count, salmon or featureCounts do",
    b"@": "it has reads: count them first, as STARsolo, kb count, salmon or featureCounts do",
    b"##fileformat=VCF": "it has variants, and no expression of genes",
}
"""What files of other kinds begin with, unpacked, and what to do with them."""
TAR = (257, b"ustar")
ALEVIN = "quants_mat.gz"
OF_ALEVIN = "it is of salmon alevin: run it with --dumpMtx, or use alevin-fry, and give the folder with quants_mat.mtx"
ZIP = b"PK\x03\x04"
OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""What workbooks begin with that were saved before 2007, as .xls."""
MOST = 512
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
        return _of_folder(path)
    if is_hdf5(path):
        with telling_damage(path, "the root"), open_hdf5(path) as file:
            names = set(file)
        return OF_KALLISTO if names >= KALLISTO else OF_SEURAT if names >= SEURAT else OF_HDF5
    head = _beginning(path)
    if head.startswith(OLD_OFFICE):
        return OF_OLD_OFFICE
    if head.startswith(ZIP) or head[TAR[0] :].startswith(TAR[1]):
        return UNPACK
    return next((way for mark, way in MARKS.items() if head.startswith(mark)), CONVERT)


def _of_folder(path: Path) -> str:
    if any((path / name).exists() for name in TILEDB):
        return OF_SOMA
    if (path / ALEVIN).is_file():
        return OF_ALEVIN
    is_zarr = (path / "zarr.json").exists() or (path / ".zgroup").exists()
    return OF_ZARR if is_zarr else "unpack or convert what holds the counts"


def _beginning(path: Path) -> bytes:
    """Read what a file begins with, unpacked if it can be."""
    with path.open("rb") as packed:
        head = packed.read(MOST)
        packed.seek(0)
        if not head.startswith(GZIP):
            return head
        try:
            with gzip.open(packed) as file:
                return file.read(MOST)
        except (OSError, EOFError, zlib.error):
            return head
