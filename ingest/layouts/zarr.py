"""AnnData as Zarr, written by AnnData itself: versions 2 and 3, sharded or not, in a folder or a zip archive."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import polars as pl
import scipy.sparse

from ingest.layouts.h5ad import Layout, Matrix
from ingest.reader import INDEX

Part = tuple[int, int]
"""How many values, or rows, a chunk and a shard have."""


def write_zarr(
    path: Path,
    matrix: Matrix | None,
    rows: pl.DataFrame,
    genes: pl.DataFrame,
    *,
    version: Literal[2, 3] = 3,
    layout: Layout = "csr",
    sharded: Part | None = None,
    layers: Mapping[str, Matrix] | None = None,
    uns: Mapping[str, Any] | None = None,
) -> Path:
    """Write a store.

    Parameters
    ----------
    matrix
        ``X``, shape (rows, genes); None for none.
    sharded
        Chunks and shards of the matrices, where they are in shards.
    """
    import anndata  # noqa: PLC0415, slow to load
    import zarr  # noqa: PLC0415

    data = anndata.AnnData(obs=_frame(rows), var=_frame(genes), uns=dict(uns or {}))
    with warnings.catch_warnings(), anndata.settings.override(zarr_write_format=version):
        warnings.simplefilter("ignore")  # of versions to come
        data.write_zarr(path)
        root = zarr.open_group(path, mode="r+", use_consolidated=False)
        matrices = ({} if matrix is None else {"X": matrix}) | {
            f"layers/{name}": m for name, m in (layers or {}).items()
        }
        for name, values in matrices.items():
            stored = {"csr": scipy.sparse.csr_matrix, "csc": scipy.sparse.csc_matrix}.get(layout, _dense)(values)
            width = (stored.shape[1],) if layout == "dense" else ()
            parts = dict(zip(("chunks", "shards"), sharded, strict=True)) if sharded is not None else {}
            how = {part: (length, *width) for part, length in parts.items()}
            anndata.io.write_elem(root, name, stored, dataset_kwargs=how)
    return path


def zipped(folder: Path) -> Path:
    """Pack a store into an archive beside it, its members stored as they are."""
    path = folder.with_name(f"{folder.name}.zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder).as_posix())
    return path


def _dense(values: Matrix) -> Any:
    return values.toarray() if scipy.sparse.issparse(values) else values


def _frame(table: pl.DataFrame) -> Any:
    frame = table.to_pandas().set_index(INDEX)
    frame.index.name = None
    return frame
