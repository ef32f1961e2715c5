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
    import anndata

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of versions to come
        settings: dict[str, Any] = {"zarr_write_format": version}
        if hasattr(anndata.settings, "auto_shard_zarr_v3"):
            settings["auto_shard_zarr_v3"] = False
        with anndata.settings.override(**settings):
            anndata.AnnData(obs=_frame(rows), var=_frame(genes), uns=dict(uns or {})).write_zarr(path)
            matrices = {} if matrix is None else {"X": matrix}
            matrices |= {f"layers/{name}": layer for name, layer in (layers or {}).items()}
            for name, values in matrices.items():
                _write_matrix(path, name, values, layout, sharded)
    return path


def _write_matrix(path: Path, name: str, values: Matrix, layout: Layout, sharded: Part | None) -> None:
    import anndata
    import zarr

    stored = {"csr": scipy.sparse.csr_matrix, "csc": scipy.sparse.csc_matrix}.get(layout, _dense)(values)
    width = (stored.shape[1],) if layout == "dense" else ()
    parts = dict(zip(("chunks", "shards"), sharded, strict=True)) if sharded is not None else {}
    how = {part: (length, *width) for part, length in parts.items()}
    folder, _, key = name.rpartition("/")
    group = zarr.open_group(path / folder, mode="r+", use_consolidated=False)
    anndata.io.write_elem(group, key, stored, dataset_kwargs=how)


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
