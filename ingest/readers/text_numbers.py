"""Numbers as text holds them: missing ones, decimal commas, separators of thousands."""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
SPREADSHEET = frozenset({b"#N/A", b"#NA", b"#DIV/0!", b"#VALUE!", b"#NUM!", b"#REF!", b"#NAME?", b"#NULL!"})
"""What spreadsheets write where a formula has no value."""
MISSING = SPREADSHEET | {b"", b"NA", b"na", b"N/A", b"n/a", b"NaN", b"nan", b"NULL", b"null", b"None"}
DECIMAL_COMMA = re.compile(rb"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")
DECIMAL_POINT = re.compile(rb"[+-]?\d*\.\d+(?:[eE][+-]?\d+)?")
THOUSANDS = re.compile(rb"[+-]?[1-9]\d{0,2}(?:(?:,|'| |\xc2\xa0|\xe2\x80\xaf|\xe2\x80\x99)\d{3})+(?:\.\d+)?")
BOUND = re.compile(rb"(?:[<>~]=?|\xe2\x89[\xa4\xa5]) ?(?=[0-9.])")
"""What stands before a number that is only a limit of detection, as of ``<10``."""
POINT, COMMA = b".", b","
LONGEST = 1100
"""Bytes of a number: the smallest of 64 bits has 1,077 where all its digits are written; what is longer is none."""


def is_number(field: bytes, decimal: bytes = POINT) -> bool:
    """Say whether a field is a number."""
    try:
        number_in(field, decimal)
    except ValueError:
        return False
    return True


def number_in(field: bytes, decimal: bytes = POINT) -> float:
    """Read a number; Python would take ``1_000`` for one, which no publisher writes.

    Raises
    ------
    ValueError
        It is none.
    """
    if len(field) > LONGEST or b"_" in field:
        raise ValueError(field[:LONGEST])
    return float(field.replace(decimal, POINT))


def decimal_mark(columns: Collection[Sequence[bytes]]) -> bytes:
    """Tell whether numbers have decimal commas: a column of them has, and not as thousands, and none has points.

    In ``1,234`` alone the comma may be either, so that it is read as none.
    """
    if not any(COMMA in field for column in columns for field in column):
        return POINT
    commas = [column for column in columns if _are_such(column, DECIMAL_COMMA) and not _are_such(column, THOUSANDS)]
    points = any(DECIMAL_POINT.fullmatch(field) for column in columns for field in column)
    return COMMA if commas and not points else POINT


def numbers_in(text: bytes, separator: bytes) -> Doubles | None:
    """Read a line of numbers, some of them missing, all at once; None where it holds anything else."""
    commas = b"," + text.replace(separator, b",") + b","
    filled = commas.replace(b",,", b",nan,").replace(b",,", b",nan,")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return np.fromstring(filled[1:-1], sep=",")
        except (ValueError, DeprecationWarning):
            return None


def _are_such(column: Sequence[bytes], pattern: re.Pattern[bytes]) -> bool:
    """Say whether those fields of a column that are no numbers are written so, and whether there are any."""
    odd = [field for field in column if field not in MISSING and not is_number(field)]
    return bool(odd) and all(pattern.fullmatch(field) for field in odd)


def are_numbers(column: Sequence[bytes], decimal: bytes) -> bool:
    """Say whether all fields of a column that has any are numbers, or would be without what parts their thousands.

    Limits of detection among more numbers are taken for numbers too: reading them refuses them, rather than the column
    going for a description.
    """
    if all(field in MISSING or is_number(field, decimal) for field in column):
        return True
    bare = [field[bound.end() :] if (bound := BOUND.match(field)) else field for field in column]
    present = [field for field in bare if field not in MISSING]
    if 2 * sum(field != given for field, given in zip(bare, column, strict=True)) > len(present):
        return False
    return all(is_number(field, decimal) for field in present) or _are_such(column, THOUSANDS)
