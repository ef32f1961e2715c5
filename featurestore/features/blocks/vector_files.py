"""Vectors of genes or compounds in files: tables, npz archives, and the gene sets that a gene is in."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.errors import FeatureError, QueryError
from featurestore.gene_sets import read_gmt

_MATRIX = 2
_FEWEST_MEMBERS = 2


class Vectors(NamedTuple):
    """Vectors by key.

    Parameters
    ----------
    keys
        What identifies each.
    values
        float32, shape (keys, dimensions).
    dimensions
        What each dimension is called, in the order of the columns.
    is_sets
        Whether a dimension is a set: what has two keys is in the sets of either.
    """

    keys: pl.Series
    values: npt.NDArray[np.float32]
    dimensions: list[str]
    is_sets: bool = False


def read_vectors(path: Path, key: str | None = None) -> Vectors:
    """Read keys and vectors of a Parquet, CSV, npz or GMT file; nothing in it is ever executed.

    A table has one column of keys (``key``, else the first of text) and numbers, or one column of lists of numbers. An
    npz has an array of text and a matrix with as many rows. Of gene sets each is a dimension: see :func:`memberships`.

    Raises
    ------
    FeatureError
        The file cannot be read or holds something else.
    """
    suffix = path.suffix.lower()
    try:
        if suffix == ".gmt":
            return memberships(read_gmt(path))
        keys, vectors = _read_npz(path, key) if suffix == ".npz" else _read_table(path, key)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, pl.exceptions.PolarsError, QueryError) as error:
        got = " ".join(str(error).split())
        raise _unusable(path, got or type(error).__name__) from None
    if len(keys) != len(vectors) or not vectors.size:
        raise _unusable(path, f"{len(keys)} keys and vectors of shape {vectors.shape}")
    if not np.isfinite(vectors).all():
        raise _unusable(path, f"{int((~np.isfinite(vectors)).any(axis=1).sum())} vectors with missing values")
    return Vectors(keys.cast(pl.String()), vectors, [f"dim_{i:04d}" for i in range(1, vectors.shape[1] + 1)])


def memberships(sets: Mapping[str, Sequence[str]]) -> Vectors:
    """Describe every member by the sets that it is in: a dimension a set, 1 in it and 0 outside.

    A set of one member puts no two together and is left out; what is in no other set has no vector.

    Raises
    ------
    ValueError
        No set has two members.
    """
    kept = {name: set(members) for name, members in sets.items() if len(set(members)) >= _FEWEST_MEMBERS}
    if not kept:
        raise ValueError("no set of two members or more")
    keys = sorted(set.union(*kept.values()))
    values = np.array([[key in members for members in kept.values()] for key in keys], dtype=np.float32)
    return Vectors(pl.Series(keys, dtype=pl.String()), values, list(kept), is_sets=True)


def _read_table(path: Path, key: str | None) -> tuple[pl.Series, npt.NDArray[np.float32]]:
    is_text = path.suffix.lower() in {".csv", ".tsv", ".txt"}
    separator = "," if path.suffix.lower() == ".csv" else "\t"
    frame = (
        pl.read_csv(path, separator=separator, infer_schema_length=None, glob=False)
        if is_text
        else pl.read_parquet(path, glob=False)
    )
    text = [name for name, dtype in frame.schema.items() if dtype == pl.String()]
    name = key or (text[0] if text else frame.columns[0])
    keys = frame[name]
    numbers = frame.drop(name)
    lists = [column for column, dtype in numbers.schema.items() if dtype.base_type() in {pl.List, pl.Array}]
    if lists:
        return keys, np.asarray(numbers[lists[0]].to_list(), dtype=np.float32)
    chosen = numbers.select(column for column, dtype in numbers.schema.items() if dtype.is_numeric())
    return keys, np.asarray(chosen.cast(pl.Float32()).fill_null(float("nan")).to_numpy(), dtype=np.float32)


def _read_npz(path: Path, key: str | None) -> tuple[pl.Series, npt.NDArray[np.float32]]:
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    texts = [name for name, array in arrays.items() if array.dtype.kind in "US" and array.ndim == 1]
    matrices = [array for array in arrays.values() if array.ndim == _MATRIX and array.dtype.kind in "fiu"]
    if key is None and not texts:
        raise ValueError(f"no array of text among {', '.join(arrays) or 'none'}")
    if not matrices:
        raise ValueError(f"no matrix of numbers among {', '.join(arrays) or 'none'}")
    return pl.Series(arrays[key or texts[0]].astype(str)), matrices[0].astype(np.float32)


def _unusable(path: Path, got: str) -> FeatureError:
    return FeatureError(
        "The embedding cannot be used.",
        where=str(path),
        expected="a table (Parquet, CSV) or npz of keys and finite vectors, or a GMT file of gene sets",
        got=got,
        do="write it as Parquet with one column of gene or compound names and the rest numbers",
    )
