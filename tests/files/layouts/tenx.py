"""Cell Ranger's HDF5 file of version 3: one group, gzip, fixed-width text."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import polars as pl
import scipy.sparse

from ingest.layouts.h5ad import Matrix
from ingest.reader import INDEX


def write_10x_h5(path: Path, matrix: Matrix, rows: pl.DataFrame, genes: pl.DataFrame) -> Path:
    """Write a matrix of shape (cells, genes).

    ``genes`` is keyed by Ensembl id, its next column is the symbol, its third, where there is one, the feature type.
    """
    counts = scipy.sparse.csr_array(matrix)
    columns = {"barcodes": rows[INDEX], "features/id": genes[INDEX], "features/name": genes.to_series(1)}
    types = genes.to_series(2) if genes.width > 2 else pl.Series(["Gene Expression"] * genes.height)
    columns["features/feature_type"] = types
    values = {name: np.array([text.encode() for text in column], np.bytes_) for name, column in columns.items()}
    values |= {name: getattr(counts, name).astype(np.int64) for name in ("data", "indices", "indptr")}
    values["shape"] = np.array(counts.shape[::-1], np.int32)
    with h5py.File(path, "w") as file:
        file.attrs.update({"filetype": "matrix", "version": 2})
        for name, array in values.items():
            file.create_dataset(f"matrix/{name}", data=array, compression="gzip")
    return path
