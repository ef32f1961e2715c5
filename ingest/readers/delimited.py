"""Delimited text with a header: CSV and TSV, plain or gzip, as programs and people write them.

Fields are taken apart a line at a time, so neither a header of a megabyte nor a million lines take memory. The header
is found by :mod:`ingest.readers.header`.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from featurestore.errors import SourceFormatError
from ingest.readers.columns import decode
from ingest.readers.damage import telling_damage
from ingest.readers.plain_text import open_text, text_lines
from ingest.readers.text_numbers import (
    BOUND,
    COMMA,
    MISSING,
    POINT,
    THOUSANDS,
    Doubles,
    is_number,
    number_in,
    numbers_in,
)

Integers = npt.NDArray[np.intp]
MOST_EMPTY = 1000
"""How many empty lines may follow one another."""


@dataclass(frozen=True, slots=True)
class Delimited:
    """A table of text, its header read.

    Parameters
    ----------
    path
        The file.
    separator
        One byte.
    names
        Of the columns, as published; the first is empty where it has none.
    is_number
        Whether the fields of a column, as far as looked at, are numbers. The first column, the key, never counts as.
    n_before
        Lines before the data.
    decimal
        What its numbers are written with: a point, or a comma.
    n_words
        The first lines of the data, of words that describe the columns of numbers, such as conditions or units.
    """

    path: Path
    separator: bytes
    names: list[str]
    is_number: list[bool]
    n_before: int
    decimal: bytes = POINT
    n_words: int = 0

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Give the lines of the data and their numbers in the file.

        Raises
        ------
        SourceFormatError
            Empty lines follow without end.
        """
        with telling_damage(self.path, "the text"), open_text(self.path) as file:
            n_empty = 0
            for number, line in enumerate(islice(text_lines(file, self.path), self.n_before, None), self.n_before + 1):
                stripped = line.rstrip(b"\r\n")
                n_empty = 0 if stripped else n_empty + 1
                if n_empty > MOST_EMPTY:
                    raise SourceFormatError(
                        "the table is followed by empty lines without end",
                        where=f"line {number:,} of {self.path}",
                        expected=f"at most {MOST_EMPTY:,} in a row",
                        do="fetch the file again",
                    )
                if stripped:
                    yield number, stripped

    def fields(self, number: int, line: bytes, n_wanted: int | None = None) -> list[bytes]:
        """Take a line apart, or its first fields; what follows those is one more field.

        Raises
        ------
        SourceFormatError
            It has another number of fields than the header.
        """
        if b'"' in line:
            fields = split(line, self.separator)
            n_fields = len(fields)
        else:
            fields = line.split(self.separator, -1 if n_wanted is None else n_wanted)
            n_fields = line.count(self.separator) + 1
        if n_fields != len(self.names):
            raise SourceFormatError(
                "a line has another number of fields than the header",
                where=f"line {number} of {self.path}",
                expected=f"{len(self.names):,} fields",
                got=f"{n_fields:,}",
                do="fetch the file again: it was cut off, or a field holds a line break",
            )
        return fields

    def places(self, columns: Sequence[int]) -> Integers | None:
        """Return where columns, in any order, are among as many last ones of a line; None where others are there."""
        first = len(self.names) - len(columns)
        return np.array(columns) - first if sorted(columns) == list(range(first, len(self.names))) else None

    def numbers(self, number: int, line: bytes, columns: Sequence[int], places: Integers | None) -> Doubles:
        """Read some columns of a line as numbers, in their order; missing is NaN.

        Parameters
        ----------
        number, line
            From `lines`.
        columns
            Which to read.
        places
            Of these columns, from :meth:`places`; lines whose last fields are all wanted are read at once.

        Raises
        ------
        SourceFormatError
            A field is no number.
        """
        if columns and places is not None and b'"' not in line:
            last = self.fields(number, line, len(self.names) - len(columns))[-1]
            plain = last if self.separator == COMMA else last.replace(self.decimal, POINT)
            values = numbers_in(plain, self.separator)
            if values is not None and len(values) == len(columns):
                return values[places]
        fields = self.fields(number, line)
        try:
            return np.array([math.nan if fields[c] in MISSING else number_in(fields[c], self.decimal) for c in columns])
        except ValueError:
            column = next(c for c in columns if fields[c] not in MISSING and not is_number(fields[c], self.decimal))
        is_first = number == self.n_before + 1
        if BOUND.match(fields[column]):
            do = "leave the field empty where nothing was detected, or write the number that stands for it"
        elif COMMA in fields[column] or THOUSANDS.fullmatch(fields[column]):
            do = "write numbers without separators of thousands, and with decimal points"
        elif is_first:
            do = "move the line to a table beside the file: it says what columns are, and is no value of theirs"
        else:
            do = "if the column describes the rows, name it in described_by under [dataset]"
        raise SourceFormatError(
            "a field is not a number",
            where=f"line {number} of {self.path}, column '{self.names[column]}'",
            expected=f"a number, as in the lines {'after' if is_first else 'before'}",
            got=repr(decode(fields[column])),
            do=do,
        )


def split(line: bytes, separator: bytes) -> list[bytes]:
    """Take a line apart, quotation marks and all.

    Raises
    ------
    SourceFormatError
        A quotation mark is not closed.
    """
    if b'"' not in line:
        return line.split(separator)
    text = line.decode("latin-1")
    try:
        fields = next(csv.reader([text], delimiter=separator.decode()))
    except csv.Error as error:
        raise SourceFormatError(
            "a line in quotation marks cannot be taken apart",
            got=f"{error}: a line of {len(line):,} bytes that begins {text[:60]!r}",
            do="check where its quotation marks are closed",
        ) from None
    return [field.encode("latin-1") for field in fields]
