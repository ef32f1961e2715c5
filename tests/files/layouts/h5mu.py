"""MuData files as mudata 0.4 writes them: a line of text, then HDF5 with an AnnData for each modality."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import h5py
import numpy as np
import polars as pl

from ingest.layouts.h5ad import TEXT, Compression, Matrix, create_anndata, encode, write_matrix, write_table
from ingest.reader import INDEX

Modality: TypeAlias = tuple[Matrix, pl.DataFrame, pl.DataFrame]
"""Values, shape (rows, features), and the tables of both."""

HEAD = b"MuData (format-version=0.1.0;creator=muon;creator-version=0.4.1)"
HEAD_BYTES = 512
DICTS = ("obsm", "obsmap", "obsp", "uns", "varm", "varmap", "varp")


def write_h5mu(
    path: Path,
    modalities: Mapping[str, Modality],
    *,
    common: pl.DataFrame | None = None,
    axis: int = 0,
    compression: Compression = None,
    chunk_length: int | None = None,
) -> Path:
    """Write a MuData file.

    Parameters
    ----------
    modalities
        By name, in their order.
    common
        What the common table says of the cells; the keys of all modalities alone where None.
    axis
        What the modalities share: cells (0) or genes (1).
    """
    with h5py.File(path, "w", userblock_size=HEAD_BYTES) as file:
        encode(file, "MuData", "0.1.0", axis=np.int64(axis), encoder="mudata")
        parts = file.create_group("mod")
        parts.attrs.create("mod-order", list(modalities), dtype=TEXT)
        for name, (matrix, rows, features) in modalities.items():
            part = parts.create_group(name)
            create_anndata(part, rows, features)
            write_matrix(part, "X", matrix, "csr", compression=compression, chunk_length=chunk_length)
        shared = pl.concat([rows.select(INDEX) for _, rows, _ in modalities.values()])
        write_table(file, "obs", shared.unique(maintain_order=True) if common is None else common)
        write_table(file, "var", pl.concat([features.select(INDEX) for _, _, features in modalities.values()]))
        for name in DICTS:
            encode(file.create_group(name), "dict", "0.1.0")
    with path.open("r+b") as head:
        head.write(HEAD.ljust(HEAD_BYTES, b"\0"))
    return path
