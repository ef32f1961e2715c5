"""Columns of tables in HDF5: read a piece at a time, and refused where they claim far more than is stored of them."""

from __future__ import annotations

import h5py
import polars as pl

from featurestore.errors import SourceFormatError
from ingest.readers.columns import as_column, as_text
from ingest.readers.hdf5 import where, whole

STRINGS_AT_ONCE = 2**15
"""How many strings are held as Python objects at a time."""
BOMB_BYTES = 2**29
BOMB_RATIO = 500
"""A column of more bytes than the first, and more for each byte stored than the second, is made to fill the memory."""
DISTINCT_BYTES = 2**27
DISTINCT_RATIO = 50
"""The same of values that differ from one another, such as categories: they cannot be made as small."""


def read_column(dataset: h5py.Dataset, n: int | None = None, *, are_distinct: bool = False) -> pl.Series:
    """Read a dataset of text or numbers as a table's column, text a piece at a time.

    Parameters
    ----------
    dataset
        The column.
    n
        How many values it must have.
    are_distinct
        Whether no value comes twice, as no category does.

    Raises
    ------
    TypeError
        It is not one of text or numbers.
    SourceFormatError
        It is not whole, has not ``n`` values, or claims far more than is stored of it; it is then not read: a megabyte
        of gzip may claim a thousand million.
    """
    whole(dataset)
    if dataset.shape is None or (n is not None and dataset.shape[:1] != (n,)):
        raise SourceFormatError(
            f"field '{dataset.name.rpartition('/')[2]}' is not as long as the table",
            where=where(dataset),
            expected="values" if n is None else f"{n:,} values",
            got="none" if dataset.shape is None else f"shape {dataset.shape}",
            do="fetch the file again",
        )
    _refuse_bomb(dataset, *((DISTINCT_BYTES, DISTINCT_RATIO) if are_distinct else (BOMB_BYTES, BOMB_RATIO)))
    if h5py.check_string_dtype(dataset.dtype) is None or len(dataset.shape) != 1:
        return as_column(dataset[...])
    starts = range(0, max(1, len(dataset)), STRINGS_AT_ONCE)
    return pl.concat([as_text(dataset[start : start + STRINGS_AT_ONCE].tolist()) for start in starts])


def _refuse_bomb(dataset: h5py.Dataset, most: int, ratio: int) -> None:
    """Refuse a column that would fill the memory out of next to nothing in the file."""
    claimed, stored = int(dataset.nbytes), int(dataset.id.get_storage_size())
    if claimed > most and claimed > ratio * stored:
        raise SourceFormatError(
            "a column claims far more than is stored of it",
            where=where(dataset),
            expected=f"at most {ratio} bytes for each one stored",
            got=f"{claimed:,} bytes out of {stored:,}",
            do="fetch the file again and compare its size and checksum with the publisher's",
        )
