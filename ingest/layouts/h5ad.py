"""AnnData files in the encodings of AnnData 0.8 and later, written without holding the matrix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

import h5py
import numpy as np
import numpy.typing as npt
import polars as pl
import scipy.sparse

from ingest.reader import INDEX

Sparse: TypeAlias = "scipy.sparse.csr_array[Any, tuple[int, int]]"
Matrix: TypeAlias = "npt.NDArray[Any] | Sparse | scipy.sparse.csc_array[Any] | scipy.sparse.csr_matrix[Any]"
Layout: TypeAlias = Literal["csr", "csc", "dense"]
Compression: TypeAlias = Literal["gzip", "lzf"] | None

TEXT = h5py.string_dtype("utf-8")


def write_h5ad(
    path: Path,
    matrix: Matrix,
    rows: pl.DataFrame,
    genes: pl.DataFrame,
    *,
    layout: Layout = "csr",
    compression: Compression = None,
    chunk_length: int | None = None,
    layers: Mapping[str, Matrix] | None = None,
    raw: tuple[Matrix, pl.DataFrame] | None = None,
) -> Path:
    """Write an AnnData file.

    Parameters
    ----------
    matrix
        ``X``, shape (rows, genes), of any number type.
    layout
        How ``X``, the layers and ``raw/X`` are stored.
    compression
        Of the matrices; None stores them contiguously unless ``chunk_length`` is given.
    chunk_length
        Values a chunk of a sparse vector, or rows a chunk of a dense matrix; chosen by h5py where None.
    layers
        Further matrices of the same shape, by name.
    raw
        ``raw/X`` with its own gene table ``raw/var``.
    """
    with h5py.File(path, "w") as file:
        create_anndata(file, rows, genes)
        matrices = {"X": matrix} | {f"layers/{name}": layer for name, layer in (layers or {}).items()}
        if raw is not None:
            matrices["raw/X"] = raw[0]
            write_table(file, "raw/var", raw[1])
        for name, values in matrices.items():
            write_matrix(file, name, values, layout, compression=compression, chunk_length=chunk_length)
    return path


def write_h5ad_rows(
    path: Path,
    chunks: Iterable[Sparse],
    rows: pl.DataFrame,
    genes: pl.DataFrame,
    *,
    compression: Compression = "gzip",
    chunk_length: int = 2**16,
) -> Path:
    """Write an AnnData file whose ``X`` comes as consecutive chunks of rows, and is stored by row (CSR)."""
    with h5py.File(path, "w") as file:
        create_anndata(file, rows, genes)
        group = _sparse_group(file, "X", "csr", (rows.height, genes.height))
        lengths = [np.zeros(1, np.int64)]
        for chunk in chunks:
            lengths.append(np.diff(chunk.indptr).astype(np.int64))
            for name, values in (("data", chunk.data), ("indices", chunk.indices.astype(np.int32))):
                _append(group, name, values, compression, chunk_length)
        group.create_dataset("indptr", data=np.cumsum(np.concatenate(lengths)))
    return path


def write_table(file: h5py.Group, name: str, table: pl.DataFrame, *, key: str = "_index") -> None:
    """Write a table as AnnData does: text that repeats as categories, columns with missing values with a mask."""
    group = file.create_group(name)
    columns = [column for column in table.columns if column != INDEX]
    encode(group, "dataframe", "0.2.0", _index=key)
    group.attrs.create("column-order", columns, dtype=TEXT)
    _write_text(group, key, table[INDEX])
    for column in columns:
        _write_column(group, column, table[column])


def create_anndata(group: h5py.Group, rows: pl.DataFrame, genes: pl.DataFrame) -> None:
    """Make AnnData of a group: its tables and what else it has, without a matrix."""
    encode(group, "anndata", "0.1.0")
    write_table(group, "obs", rows)
    write_table(group, "var", genes)
    for name in ("layers", "obsm", "obsp", "uns", "varm", "varp"):
        encode(group.create_group(name), "dict", "0.1.0")


def write_matrix(
    file: h5py.Group,
    name: str,
    matrix: Matrix,
    layout: Layout,
    *,
    compression: Compression = None,
    chunk_length: int | None = None,
) -> None:
    """Write a matrix as AnnData does."""
    if layout == "dense":
        values = matrix if isinstance(matrix, np.ndarray) else matrix.toarray()
        tile = (min(chunk_length, len(values)), values.shape[1]) if chunk_length else None
        encode(file.create_dataset(name, data=values, compression=compression, chunks=tile), "array", "0.2.0")
        return
    sparse = scipy.sparse.csr_array(matrix) if layout == "csr" else scipy.sparse.csc_array(matrix)
    group = _sparse_group(file, name, layout, sparse.shape)
    for part in ("data", "indices", "indptr"):
        vector = getattr(sparse, part)
        length = (min(chunk_length, len(vector)),) if chunk_length and len(vector) else None
        group.create_dataset(part, data=vector, compression=compression if len(vector) else None, chunks=length)


def _sparse_group(file: h5py.File, name: str, layout: Layout, shape: tuple[int, ...]) -> h5py.Group:
    group = file.create_group(name)
    encode(group, f"{layout}_matrix", "0.1.0", shape=np.array(shape, np.int64))
    return group


def _append(group: h5py.Group, name: str, values: npt.NDArray[Any], compression: Compression, length: int) -> None:
    if name not in group:
        group.create_dataset(name, (0,), values.dtype, maxshape=(None,), chunks=(length,), compression=compression)
    dataset = group[name]
    start = len(dataset)
    dataset.resize((start + len(values),))
    dataset[start:] = values


def _write_column(group: h5py.Group, name: str, column: pl.Series) -> None:
    if column.dtype == pl.String:
        if column.null_count() or column.n_unique() < len(column):
            _write_categorical(group, name, column)
        else:
            _write_text(group, name, column)
    elif column.null_count() and not column.dtype.is_float():
        kind = "boolean" if column.dtype == pl.Boolean else "integer"
        part = group.create_group(name)
        encode(part, f"nullable-{kind}", "0.1.0")
        part["values"] = column.fill_null(value=False if kind == "boolean" else 0).to_numpy()
        part["mask"] = column.is_null().to_numpy()
    else:
        encode(group.create_dataset(name, data=column.to_numpy()), "array", "0.2.0")


def _write_text(group: h5py.Group, name: str, column: pl.Series) -> None:
    encode(group.create_dataset(name, data=column.to_list(), dtype=TEXT), "string-array", "0.2.0")


def _write_categorical(group: h5py.Group, name: str, column: pl.Series) -> None:
    codes, categories = codes_of(column)
    part = group.create_group(name)
    encode(part, "categorical", "0.2.0", ordered=False)
    encode(part.create_dataset("codes", data=codes), "array", "0.2.0")
    _write_text(part, "categories", categories)


def codes_of(column: pl.Series) -> tuple[npt.NDArray[np.int16], pl.Series]:
    """Split text into a code per value, -1 where it is missing, and the categories in order."""
    categories = column.drop_nulls().unique().sort()
    codes = column.replace_strict(categories, range(len(categories)), default=None, return_dtype=pl.Int16)
    return codes.fill_null(-1).to_numpy(), categories


def encode(node: h5py.Group | h5py.Dataset, kind: str, version: str, **attributes: object) -> None:
    """Say how AnnData encoded a group or dataset."""
    for name, value in {"encoding-type": kind, "encoding-version": version, **attributes}.items():
        node.attrs[name] = value
