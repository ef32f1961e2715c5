"""GCTX files as LINCS publishes them: signatures by genes in HDF5, fixed-width text, -666 for missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import polars as pl

from ingest.reader import INDEX

MISSING = -666
VERSION = np.bytes_(b"GCTX1.0")


def write_gctx(
    path: Path,
    matrix: npt.NDArray[np.floating[Any]],
    rows: pl.DataFrame,
    genes: pl.DataFrame,
    *,
    with_metadata: bool = True,
    encoding: str = "latin-1",
    version_in_array: bool = False,
    chunk_rows: int | None = None,
) -> Path:
    """Write a GCTX file.

    Parameters
    ----------
    matrix
        Shape (signatures, genes), which is the order on disk.
    rows, genes
        The tables; ``index`` becomes ``id``.
    with_metadata
        Whether more than the identifiers is written; the public files of level 5 have none.
    encoding
        Of text; LINCS has written Latin-1.
    version_in_array
        Whether the attribute ``version`` is an array of one, as some writers leave it.
    chunk_rows
        Signatures a chunk, compressed with gzip; contiguous where None.
    """
    with h5py.File(path, "w") as file:
        file.attrs["version"] = np.array([VERSION]) if version_in_array else VERSION
        file.attrs["src"] = path.name
        chunks = (chunk_rows, matrix.shape[1]) if chunk_rows else None
        file.create_dataset("0/DATA/0/matrix", data=matrix, chunks=chunks, compression="gzip" if chunks else None)
        for axis, table in (("COL", rows), ("ROW", genes)):
            for name in table.columns if with_metadata else [INDEX]:
                field = "id" if name == INDEX else name.replace("/", "|")
                file.create_dataset(f"0/META/{axis}/{field}", data=_encoded(table[name], encoding))
    return path


def _encoded(column: pl.Series, encoding: str) -> npt.NDArray[Any]:
    if column.dtype != pl.String:
        return column.fill_null(MISSING).to_numpy()
    return np.array([text.encode(encoding) for text in column.fill_null(str(MISSING))], dtype=np.bytes_)
