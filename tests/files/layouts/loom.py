"""Loom files as loompy 3 writes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import polars as pl

from ingest.layouts.h5ad import TEXT
from ingest.reader import INDEX

SIDE = 64
"""Genes and cells of a chunk."""
COMPRESSION: dict[str, Any] = {"compression": "gzip", "compression_opts": 2, "shuffle": False}


def write_loom(
    path: Path,
    matrix: npt.NDArray[Any],
    cells: pl.DataFrame,
    genes: pl.DataFrame,
    *,
    layers: Mapping[str, npt.NDArray[Any]] | None = None,
    gene_key: str = "Gene",
) -> Path:
    """Write a file; ``matrix`` has the shape (cells, genes), and is stored the other way round."""
    with h5py.File(path, "w") as file:
        file["attrs/LOOM_SPEC_VERSION"] = "3.0.0"
        matrices = {"matrix": matrix} | {f"layers/{name}": layer for name, layer in (layers or {}).items()}
        for name, values in matrices.items():
            stored = np.ascontiguousarray(values.T)
            chunks = tuple(min(SIDE, side) for side in stored.shape)
            file.create_dataset(name, data=stored, chunks=chunks, maxshape=(stored.shape[0], None), **COMPRESSION)
        for name in ("layers", "row_graphs", "col_graphs"):
            file.require_group(name)
        _write_attributes(file.create_group("col_attrs"), cells, "CellID")
        _write_attributes(file.create_group("row_attrs"), genes, gene_key)
    return path


def _write_attributes(group: h5py.Group, table: pl.DataFrame, key: str) -> None:
    for column in table:
        name = key if column.name == INDEX else column.name
        if column.dtype == pl.String:
            group.create_dataset(name, data=column.fill_null("").to_list(), dtype=TEXT, **COMPRESSION)
        else:
            group.create_dataset(name, data=column.cast(pl.Float64).fill_null(np.nan).to_numpy(), **COMPRESSION)
