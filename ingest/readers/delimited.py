"""Delimited text with a header: CSV and TSV, plain or gzip, as programs and people write them.

What comes before the header (``#`` lines of featureCounts, ``##`` lines of recount) is skipped; a header that lacks
the name of the first column, as R writes it, is understood. Fields are taken apart a line at a time, so neither a
header of a megabyte nor a million lines take memory.
"""

from __future__ import annotations

import csv
import math
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from featurestore.errors import SourceFormatError
from ingest.readers.columns import decode
from ingest.readers.damage import telling_damage
from ingest.readers.plain_text import BYTE_ORDER_MARK, open_text, text_lines

Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]

SEPARATORS = (b"\t", b",", b";", b" ")
COMMENT = b"#"
LOOKED_AT = 40
"""Lines that are looked at to tell which columns are numbers."""
MOST_EMPTY = 1000
"""How many empty lines may follow one another."""
MISSING = frozenset({b"", b"NA", b"na", b"N/A", b"NaN", b"nan", b"NULL", b"null", b"None"})
DEPMAP_GENE = re.compile(r"\S+ \((\d+|ENSG\d+|Unknown)\)(&\S+ \(\d+\))*")
DECIMAL_COMMA = re.compile(rb"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")
DECIMAL_POINT = re.compile(rb"[+-]?\d*\.\d+(?:[eE][+-]?\d+)?")
THOUSANDS = re.compile(rb"[+-]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?")
POINT, COMMA = b".", b","
STAR_FIRST, STAR_FIELDS = b"N_unmapped", 4
"""How ``ReadsPerGene.out.tab`` begins, and its columns: the gene, and counts of any strand, the first, the second."""
COUNTERS = (b"N_", b"__")
"""What the names of HTSeq's and STAR's counters of reads outside genes begin with."""
KEY_NAMES = frozenset(
    {"gene", "genes", "gene_id", "geneid", "gene id", "gene_name", "gene_symbol", "symbol", "id", "name", "index"}
    | {
        "ensembl",
        "ensembl_id",
        "ensembl_gene_id",
        "entrez",
        "entrez_id",
        "feature",
        "feature_id",
        "target",
        "target_id",
    }
    | {"sample", "samples", "sample_id", "cell", "cells", "cell_id", "barcode", "run", "well", "x", "row", "rows"}
)
"""What a header calls the keys of lines; before a number, anything else is taken for a key."""
NOT_TABLES = (b"#1.2", b"#1.3", b"%%MatrixMarket")


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
    """

    path: Path
    separator: bytes
    names: list[str]
    is_number: list[bool]
    n_before: int
    decimal: bytes = POINT

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """Give the lines of the data and their numbers in the file."""
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
            values = _all_numbers(plain, self.separator)
            if values is not None and len(values) == len(columns):
                return values[places]
        fields = self.fields(number, line)
        try:
            return np.array([math.nan if fields[c] in MISSING else _number(fields[c], self.decimal) for c in columns])
        except ValueError:
            column = next(c for c in columns if fields[c] not in MISSING and not is_number(fields[c], self.decimal))
        raise SourceFormatError(
            "a field is not a number",
            where=f"line {number} of {self.path}, column '{self.names[column]}'",
            expected="a number, as in the lines before",
            got=repr(decode(fields[column])),
            do="write numbers without separators of thousands, and with decimal points"
            if COMMA in fields[column]
            else "if the column describes the lines, name it in described_by under [dataset]",
        )


def read_header(path: Path) -> Delimited:
    """Read the header of a table and look at its first lines.

    Raises
    ------
    SourceFormatError
        The text is no table.
    """
    with telling_damage(path, "the header"), open_text(path) as file:
        head = [line.rstrip(b"\r\n") for line in islice(text_lines(file, path), LOOKED_AT)]
    head[:1] = [line.removeprefix(BYTE_ORDER_MARK) for line in head[:1]]
    found = {separator: _find_header(head, separator) for separator in SEPARATORS}
    for separator in sorted(found, key=lambda separator: _misfit(head, separator, *found[separator])):
        at, n_fields = found[separator]
        if at is not None:
            fields = split(head[at], separator)
            lines = [each for line in head[at:] if len(each := split(line, separator)) == n_fields]
            is_headed = not _is_values(fields, lines[1:])
            lines = lines[int(is_headed and len(fields) == n_fields) :]
            columns = list(zip(*lines, strict=True))[1:]
            decimal = _decimal(columns)
            is_numeric = [False, *(_are_numbers(column, decimal) for column in columns)]
            names = _names(fields if is_headed else None, is_numeric, path)
            return Delimited(path, separator, names, is_numeric, at + int(is_headed), decimal)
    raise SourceFormatError(
        "the text is not a table",
        where=str(path),
        expected="a header and lines of as many fields, separated by tabs, commas, semicolons or blanks",
        got=repr(decode(head[0][:60])) if head else "nothing",
    )


def is_table(path: Path) -> bool:
    """Say whether the content is a table of text with at least one column of numbers."""
    try:
        table = read_header(path)
        return any(table.is_number) and all(table.fields(*line) for line in islice(table.lines(), LOOKED_AT))
    except SourceFormatError:
        return False


def has_depmap_labels(table: Delimited) -> bool:
    """Say whether columns of numbers are labelled as DepMap labels genes, such as ``A1BG (1)``."""
    labels = [name for name, number in zip(table.names, table.is_number, strict=True) if number and "(" in name]
    return len(labels) > 1 and all(DEPMAP_GENE.fullmatch(label) for label in labels[-LOOKED_AT:])


def split(line: bytes, separator: bytes) -> list[bytes]:
    """Take a line apart, quotation marks and all."""
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


def is_number(field: bytes, decimal: bytes = POINT) -> bool:
    """Say whether a field is a number."""
    try:
        _number(field, decimal)
    except ValueError:
        return False
    return True


def _number(field: bytes, decimal: bytes = POINT) -> float:
    """Read a number; Python would take ``1_000`` for one, which no publisher writes."""
    if b"_" in field:
        raise ValueError(field)
    return float(field.replace(decimal, POINT))


def _decimal(columns: Sequence[Sequence[bytes]]) -> bytes:
    """Tell whether numbers have decimal commas: a column of them has, and not as thousands, and none has points.

    In ``1,234`` alone the comma may be either, so that it is read as none.
    """
    commas = [column for column in columns if _are_such(column, DECIMAL_COMMA) and not _are_such(column, THOUSANDS)]
    points = any(DECIMAL_POINT.fullmatch(field) for column in columns for field in column)
    return COMMA if commas and not points else POINT


def _names(header: Sequence[bytes] | None, is_numeric: Sequence[bool], path: Path) -> list[str]:
    """Name the columns by the header, which may be one short; without one, samples by the file, others by number."""
    if header is not None:
        return [""] * (len(is_numeric) - len(header)) + [decode(field).strip() for field in header]
    stem, is_one = path.name.split(".")[0], sum(is_numeric) == 1
    samples = [stem if is_one else f"{stem}_{at}" for at in range(1, len(is_numeric) + 1)]
    named = [samples[at] if is_numeric[at] else f"column_{at + 1}" for at in range(1, len(is_numeric))]
    return ["", *named]


def is_of_star(path: Path) -> bool:
    """Say whether a table is STAR's of one sample: its reads of each gene, counted thrice, by strand."""
    with telling_damage(path, "the text"), open_text(path) as file:
        line = next(text_lines(file, path), b"")
    fields = line.rstrip(b"\r\n").split(b"\t")
    return fields[0] == STAR_FIRST and len(fields) == STAR_FIELDS


def _is_values(first: Sequence[bytes], below: Sequence[Sequence[bytes]]) -> bool:
    """Say whether the first line is one of values, as HTSeq and STAR write no header.

    It holds numbers where the lines below do, and a text of it is written as theirs, or stands before a single number.
    """
    key, *others = (field.strip() for field in first)
    if not below or len(first) != len(below[0]) or not any(map(is_number, others)):
        return False
    columns = [all(is_number(line[at].strip()) for line in below) for at in range(1, len(first))]
    if [is_number(field) for field in others] != columns:
        return False
    if not key or decode(key).lower().strip('#"') in KEY_NAMES:
        return False
    genes = [line for line in below if not line[0].startswith(COUNTERS)]
    texts = [0, *(at for at, is_numeric in enumerate(columns, start=1) if not is_numeric)]
    shapes = {at: [_shape(line[at].strip()) for line in genes] for at in texts}
    own = {at: _shape(first[at].strip()) for at in texts}
    is_alike = any(b"0" in own[at] and 2 * shapes[at].count(own[at]) > len(genes) for at in texts)
    return len(first) == 2 or is_alike or key.startswith(COUNTERS)  # noqa: PLR2004, a key and a number


def _shape(key: bytes) -> bytes:
    """Write a text by what it is made of: ``ENSG00000141510`` as ``A0``."""
    return re.sub(rb"[0-9]+", b"0", re.sub(rb"[A-Za-z]+", b"A", key))


def _misfit(head: Sequence[bytes], separator: bytes, at: int | None, n_fields: int) -> tuple[float, int, int]:
    """Return which part of the lines below the header has another number of fields, as commas of numbers have.

    Also return how far down the header is, and by how many fields it is short.
    """
    if at is None:
        return 1.0, len(head), 0
    widths = [len(split(line, separator)) for line in head[at:] if line]
    return sum(width != n_fields for width in widths[1:]) / max(len(widths) - 1, 1), at, n_fields - widths[0]


def _find_header(head: list[bytes], separator: bytes) -> tuple[int | None, int]:
    """Find the header among the first lines, and the number of fields of the lines after it.

    It may be one field short. A line of numbers alone is none, nor is a comment that is not as long as the lines.
    """
    if not head or head[0].startswith(NOT_TABLES) or any(b"\0" in line for line in head):
        return None, 0
    lines = [line for line in head if line]
    n_fields = len(split(lines[-1], separator)) if lines else 0
    for at, line in enumerate(head[:-1]):
        fields = split(line, separator)
        if not any(fields) or _is_title(fields, n_fields, (split(below, separator) for below in head[at + 1 :])):
            continue
        is_comment = line.startswith(COMMENT) and (line.startswith(COMMENT * 2) or len(fields) != n_fields)
        if n_fields > 1 and n_fields - 1 <= len(fields) <= n_fields and not is_comment:
            return (None if all(is_number(field) for field in fields) else at), n_fields
    return None, n_fields


def _all_numbers(text: bytes, separator: bytes) -> Doubles | None:
    """Read a line of numbers, some of them missing, all at once; None where it holds anything else."""
    commas = b"," + text.replace(separator, b",") + b","
    filled = commas.replace(b",,", b",nan,").replace(b",,", b",nan,")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return np.fromstring(filled[1:-1], sep=",")
        except (ValueError, DeprecationWarning):
            return None


def _is_title(fields: Sequence[bytes], n_fields: int, below: Iterator[Sequence[bytes]]) -> bool:
    """Say whether a line is a title above the header: it is short of it, and what is below has no numbers yet."""
    n_filled = sum(map(bool, fields))
    if n_filled == n_fields or (len(fields) == n_fields and n_filled > 1):
        return False
    filled = list(islice((line for line in below if sum(map(bool, line)) > 1), 2))
    if len(filled) < 2 or len(filled[0]) != n_fields:  # noqa: PLR2004, a header and a line
        return False
    header, values = filled
    has_no_number = not any(is_number(field) or (at and field in MISSING) for at, field in enumerate(header))
    return has_no_number and any(is_number(field) or is_number(field, COMMA) for field in values[1:])


def _are_such(column: Sequence[bytes], pattern: re.Pattern[bytes]) -> bool:
    """Say whether those fields of a column that hold a comma are written so, and the others are numbers."""
    present = [field for field in column if field not in MISSING]
    with_comma = [field for field in present if COMMA in field]
    return bool(with_comma) and all(
        pattern.fullmatch(field) if COMMA in field else is_number(field) for field in present
    )


def _are_numbers(column: Sequence[bytes], decimal: bytes) -> bool:
    """Say whether all fields of a column that has any are numbers, or would be without what parts their thousands."""
    present = [field for field in column if field not in MISSING]
    return all(is_number(field, decimal) for field in present) or _are_such(column, THOUSANDS)
