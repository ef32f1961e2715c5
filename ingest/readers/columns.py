"""Columns of row and gene tables: text as it was published, missing values as null, the key called ``index``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.errors import SourceFormatError, did_you_mean
from ingest.reader import INDEX

Describes: TypeAlias = Callable[[Sequence[str]], Sequence[str]]
"""Says which of a table's columns of numbers, by name, describe its rows rather than being genes."""

WHOLE_NUMBER = r"^-?(0|[1-9][0-9]{0,17})$"
NUMBER = r"^(?i)[+-]?(((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)(e[+-]?[0-9]+)?|inf|nan)$"

PATTERN = re.compile(r"^(\*|\^.*\$)$", re.DOTALL)

MISSING = -666
MISSING_TEXT = r"^(-666(\.0*)?)?$"


def decode(raw: bytes) -> str:
    """Read text that is UTF-8 or, where it cannot be, Latin-1 (the micro sign in LINCS).

    Examples
    --------
    >>> decode("10 µM".encode("utf-8")) == decode("10 µM".encode("latin-1"))
    True
    """
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def as_text(raw: Sequence[bytes]) -> pl.Series:
    """Decode a column value by value, as :func:`decode` does."""
    column = pl.Series(raw, dtype=pl.Binary)
    try:
        return column.cast(pl.String)
    except pl.exceptions.PolarsError:
        return pl.Series([None if value is None else decode(value) for value in raw], dtype=pl.String)


def as_column(values: npt.NDArray[Any]) -> pl.Series:
    """Make a column of text, truth values, integers or floats; NaN is missing.

    Raises
    ------
    TypeError
        The values are of another kind, or not one a row.
    """
    if values.ndim != 1 or values.dtype.kind not in "biufSO":
        message = f"expected a number, a truth value or text a row, got {values.dtype} of shape {values.shape}"
        raise TypeError(message)
    if values.dtype.kind in "SO":
        return as_text(values.tolist())
    if values.dtype.kind == "f":
        wide = np.float32 if values.dtype.itemsize <= np.dtype(np.float32).itemsize else np.float64
        return pl.Series(values.astype(wide)).fill_nan(None)
    return pl.Series(values.astype(values.dtype.newbyteorder("=")))


def stripped(column: pl.Series) -> pl.Series:
    """Cut the padding of fixed-width text, NUL or space, off its end."""
    return column.str.strip_chars_end(" \0") if column.dtype == pl.String else column


def without_missing(column: pl.Series) -> pl.Series:
    """Make null of what LINCS writes for missing: -666, as a number or as text, and empty text."""
    if column.dtype == pl.String:
        is_missing = column.str.contains(MISSING_TEXT)
    elif column.dtype.is_numeric():
        is_missing = column == MISSING
    else:
        return column
    return column.set(is_missing.fill_null(value=False), None)


def typed(text: pl.Series) -> pl.Series:
    """Read a column of text as whole numbers, numbers or truth values, if all of it is; leave it text otherwise.

    A number does not begin with a 0 that means nothing, so that an identifier such as ``007`` is kept as it is.

    Examples
    --------
    >>> typed(pl.Series(["1", None, "-20"])).to_list(), typed(pl.Series(["1", "1+1"])).to_list()
    ([1, None, -20], ['1', '1+1'])
    """
    present = text.drop_nulls()
    if present.is_empty():
        return text
    if present.str.contains(WHOLE_NUMBER).all():
        return text.cast(pl.Int64)
    if present.str.to_lowercase().is_in(["true", "false"]).all():
        return text.str.to_lowercase() == "true"
    if present.str.contains(NUMBER).all():
        return text.cast(pl.Float64).fill_nan(None)
    return text


def titles(published: Iterable[str]) -> list[str]:
    """Name a table's columns as published, but for a trailing underscore where a name would be taken for another thing.

    That is the key, ``index``, a column before, or what polars takes for a pattern of names: ``*``, ``^...$``.

    Examples
    --------
    >>> titles(["gene", "index", "gene", "*"])
    ['gene', 'index_', 'gene_', '*_']
    """
    taken = {INDEX}
    names = []
    for title in published:
        name = title
        while name in taken or PATTERN.search(name):
            name += "_"
        taken.add(name)
        names.append(name)
    return names


def none_describes(names: Sequence[str]) -> Sequence[str]:  # noqa: ARG001, as Describes has it
    """Take every column of numbers for part of the matrix."""
    return ()


def rows_of_keys(keys: pl.Series, columns: list[str] | None, place: str, key: str = "") -> pl.DataFrame:
    """Return a table of which nothing but the key is known, or the columns of it that are asked for.

    Parameters
    ----------
    keys
        The key of every row.
    columns
        What is asked for; all where None.
    place, key
        Where the table is, and the key's published name.

    Raises
    ------
    SourceFormatError
        Another column is asked for.
    """
    for name in columns or []:
        if name != INDEX:
            raise unknown_column(name, [INDEX], place, key)
    return pl.DataFrame({INDEX: keys}).select([INDEX] if columns is None else columns)


def unknown_column(name: str, known: Iterable[str], place: str, key: str = "") -> SourceFormatError:
    """Say that a table has no such column; ``key`` is the key's published name."""
    hint = f"'{key}' is the table's key: call it '{INDEX}'" if name and name == key else did_you_mean(name, known)
    return SourceFormatError(f"there is no column '{name}'", where=place, do=hint)
