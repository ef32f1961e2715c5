"""The header of delimited text: where it is, what separates its fields, and whether there is one.

What comes before it (``#`` lines of featureCounts, ``##`` lines of recount) is skipped; a header that lacks the name of
the first column, as R writes it, is understood.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property, lru_cache
from itertools import islice
from pathlib import Path

from featurestore.errors import SourceFormatError
from ingest.readers.columns import decode
from ingest.readers.damage import telling_damage
from ingest.readers.delimited import Delimited, split
from ingest.readers.plain_text import BYTE_ORDER_MARK, open_text, text_lines
from ingest.readers.text_numbers import COMMA, MISSING, POINT, are_numbers, decimal_mark, is_number

SEPARATORS = (b"\t", b",", b";", b" ")
COMMENT = b"#"
LOOKED_AT = 40
"""Lines that are looked at to tell which columns are numbers."""
MOST_ABOVE = 4
"""Lines of several fields that are looked at below a title: of groups of columns, the header, and the first row."""
FEWEST_BELOW_WORDS = 3
"""Lines below some of words from which it is told that they are numbers."""
MOST_WORDS = 8
"""Lines of words below a header that are taken for what describes columns."""
DEPMAP_GENE = re.compile(r"\S+ \((\d+|ENSG\d+|Unknown)\)(&\S+ \(\d+\))*")
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


class _Line:
    """A line of the head by one separator: what others ask of it is counted once, but its fields are not kept."""

    def __init__(self, raw: bytes, separator: bytes) -> None:
        self.raw = raw
        self._separator = separator

    @property
    def fields(self) -> list[bytes]:
        return split(self.raw, self._separator)

    @cached_property
    def n_fields(self) -> int:
        return len(self.fields) if b'"' in self.raw else self.raw.count(self._separator) + 1

    @cached_property
    def n_filled(self) -> int:
        return sum(map(bool, self.fields))

    @cached_property
    def n_empty_last(self) -> int:
        return self.n_fields - _n_until_last(self.fields)

    @cached_property
    def has_numbers(self) -> bool:
        """Whether a field after the key is a number, with a decimal point or comma."""
        return any(is_number(field) or is_number(field, COMMA) for field in dict.fromkeys(self.fields[1:]))


def read_header(path: Path) -> Delimited:
    """Read the header of a table and look at its first lines.

    Every reader that a file is shown to asks this, so the last answers are kept until the file changes.

    Raises
    ------
    SourceFormatError
        The text is no table.
    """
    with telling_damage(path, "the header"):
        of_file = path.stat()
    found = _read_header(path, (of_file.st_ino, of_file.st_mtime_ns, of_file.st_size))
    if isinstance(found, Delimited):
        return found
    raise SourceFormatError(
        "the text is not a table",
        where=str(path),
        expected="a header and lines of as many fields, separated by tabs, commas, semicolons or blanks",
        got=repr(found) if found else "nothing",
    )


@lru_cache(maxsize=2)
def _read_header(path: Path, _: tuple[int, int, int]) -> Delimited | str:
    """Read the header, or return how a text begins that is no table."""
    with telling_damage(path, "the header"), open_text(path) as file:
        head = [line.rstrip(b"\r\n") for line in islice(text_lines(file, path), LOOKED_AT)]
    head[:1] = [line.removeprefix(BYTE_ORDER_MARK) for line in head[:1]]
    by = {separator: [_Line(line, separator) for line in head] for separator in SEPARATORS}
    found = {separator: _find_header(lines) for separator, lines in by.items()}
    for separator in sorted(found, key=lambda separator: _misfit(by[separator], *found[separator])):
        at, n_fields = found[separator]
        if at is not None:
            fields = _within(by[separator][at].fields, n_fields)
            lines = [line.fields for line in by[separator][at:] if line.n_fields == n_fields]
            is_headed = not _is_values(fields, lines[1:])
            lines = lines[int(is_headed and len(fields) == n_fields) :]
            n_words = _n_words(lines) if lines[:1] and lines[0] == by[separator][at + int(is_headed)].fields else 0
            columns = list(zip(*lines[n_words:], strict=True))[1:]
            decimal, are_numeric = _numeric(columns)
            is_numeric = [False, *are_numeric]
            n_empty = min((len(line) - _n_until_last(line) for line in lines), default=0)
            names = _names(fields if is_headed else None, is_numeric, n_empty, path)
            for at_column, column in enumerate(columns, start=1):  # an empty one without a name sets others apart
                is_numeric[at_column] &= bool(names[at_column]) or not MISSING.issuperset(column)
            return Delimited(path, separator, names, is_numeric, at + int(is_headed), decimal, n_words)
    return decode(head[0][:60]) if head else ""


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


def _numeric(columns: Sequence[tuple[bytes, ...]]) -> tuple[bytes, list[bool]]:
    """Tell what numbers are written with, and which columns are numbers; a million equal ones are looked at once."""
    distinct = set(columns)
    decimal = decimal_mark(distinct)
    numeric = {column: are_numbers(column, decimal) for column in distinct}
    return decimal, [numeric[column] for column in columns]


def _within(header: list[bytes], n_fields: int) -> list[bytes]:
    """Leave out the empty names at the end of a header that are more than the lines have fields."""
    return header[: max(_n_until_last(header), n_fields)]


def _n_until_last(fields: Sequence[bytes]) -> int:
    """Count fields up to the last that is not empty, as those after it in lines of spreadsheets may be."""
    return next((at for at in range(len(fields), 0, -1) if fields[at - 1].strip()), 0)


def _names(header: Sequence[bytes] | None, is_numeric: Sequence[bool], n_empty: int, path: Path) -> list[str]:
    """Name the columns by the header; without one, samples by the file, others by number.

    It may be one short, as R writes it, and lack those at the end that are empty in all lines.
    """
    if header is not None:
        n_short = len(is_numeric) - len(header)
        n_last = min(n_empty, n_short)
        return [""] * (n_short - n_last) + [decode(field).strip() for field in header] + [""] * n_last
    stem, is_one = path.name.split(".")[0], sum(is_numeric) == 1
    samples = [stem if is_one else f"{stem}_{at}" for at in range(1, len(is_numeric) + 1)]
    named = [samples[at] if is_numeric[at] else f"column_{at + 1}" for at in range(1, len(is_numeric))]
    return ["", *named]


def _n_words(lines: Sequence[Sequence[bytes]]) -> int:
    """Count the first lines of words below a header, such as conditions of samples or units, of columns of numbers.

    The last of them has no number where the lines below do, in two columns or more; those above it may have.
    """
    for n in range(min(MOST_WORDS, len(lines) - FEWEST_BELOW_WORDS), 0, -1):
        if _has_number_above_numbers(lines[n - 1], lines[n:]):
            continue
        columns = list(zip(*lines[n:], strict=True))[1:]
        decimal, are_numeric = _numeric(columns)
        below = [is_one and not MISSING.issuperset(each) for each, is_one in zip(columns, are_numeric, strict=True)]
        last = [field for field, is_numeric in zip(lines[n - 1][1:], below, strict=True) if is_numeric]
        if len(last) > 1 and not MISSING.issuperset(last) and not any(is_number(field, decimal) for field in last):
            return n
    return 0


def _has_number_above_numbers(line: Sequence[bytes], below: Sequence[Sequence[bytes]]) -> bool:
    """Say whether a line has a number in a column of them, as most lines have in the first that is looked at."""
    fields = zip(line, zip(*below, strict=True), strict=True)
    return any(
        is_number(field) and not MISSING.issuperset(column) and are_numbers(column, POINT)
        for field, column in islice(fields, 1, None)
    )


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


def _misfit(head: Sequence[_Line], at: int | None, n_fields: int) -> tuple[float, int, int]:
    """Return which part of the lines below the header has another number of fields, as commas of numbers have.

    Also return how far down the header is, and by how many fields it is short.
    """
    if at is None:
        return 1.0, len(head), 0
    widths = [len(_within(line.fields, n_fields)) for line in head[at:] if line.raw]
    return sum(width != n_fields for width in widths[1:]) / max(len(widths) - 1, 1), at, n_fields - widths[0]


def _find_header(head: Sequence[_Line]) -> tuple[int | None, int]:
    """Find the header among the first lines, and the number of fields of the lines after it.

    It may be one field short. A line of numbers alone is none, nor is a comment that is not as long as the lines.
    """
    if not head or head[0].raw.startswith(NOT_TABLES) or any(b"\0" in line.raw for line in head):
        return None, 0
    n_fields = next((line.n_fields for line in reversed(head) if line.raw), 0)
    for at, line in enumerate(head[:-1]):
        fields = _within(line.fields, n_fields)
        if not any(fields) or _is_title(fields, n_fields, head[at + 1 :]):
            continue
        is_comment = line.raw.startswith(COMMENT) and (line.raw.startswith(COMMENT * 2) or len(fields) != n_fields)
        n_empty = min((line.n_empty_last for line in head[at + 1 :] if line.n_fields == n_fields), default=0)
        fewest = n_fields - n_empty - 1
        if n_fields > 1 and max(fewest, 1) <= len(fields) <= n_fields and not is_comment:
            return (None if all(is_number(field) for field in fields) else at), n_fields
    return None, n_fields


def _is_title(fields: Sequence[bytes], n_fields: int, below: Sequence[_Line]) -> bool:
    """Say whether a line is a title above the header, or names groups of columns: below it is the header, then numbers.

    A header has a name in each column but the first, and no number.
    """
    if sum(map(bool, fields)) == n_fields:
        return False
    header: Sequence[bytes] = ()
    for line in islice((line for line in below if line.n_filled > 1), MOST_ABOVE):
        if line.has_numbers:
            is_named = not any(is_number(field) or (at and field in MISSING) for at, field in enumerate(header))
            return len(header) == n_fields and is_named
        header = line.fields
    return False
