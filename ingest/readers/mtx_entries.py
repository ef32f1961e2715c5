"""The entries of a Matrix Market file (coordinate format), streamed as text.

See https://math.nist.gov/MatrixMarket/formats.html. A banner, comments, one line of rows, columns and
entries, then one line an entry: row, column, value, counted from 1, in any order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv

from featurestore.errors import SourceFormatError
from ingest.reader import Integers, Numbers
from ingest.readers.damage import telling_damage
from ingest.readers.plain_text import open_for_arrow, open_text

TEXT_BYTES = 2**22
"""How much text is parsed at a time."""
LONGEST_LINE = 2**16

REAL = "real"
FIELDS = frozenset({"integer", "unsigned-integer", REAL})
"""Kinds of values that are read; SciPy writes the second for types without a sign."""
REFUSED = {
    "array": "a dense matrix as text is not how counts are published; write it in coordinate format",
    "pattern": "a pattern has no values, only where they would be; fetch the counts",
    "complex": "complex numbers are no measurement of expression; fetch the counts",
    "symmetric": "a matrix of cells by genes is not symmetric; write it as general",
    "skew-symmetric": "a matrix of cells by genes is not symmetric; write it as general",
    "hermitian": "a matrix of cells by genes is not symmetric; write it as general",
}


class Entries(NamedTuple):
    """Values of a matrix with where they are, counted from 0."""

    cell: Integers
    gene: Integers
    value: Numbers


@dataclass(frozen=True, slots=True)
class MtxHeader:
    """What is known of a file: its size, the kind of its values, where its entries begin; not always how many."""

    n_rows: int
    n_columns: int
    n_entries: int | None
    is_integer: bool
    n_lines: int
    n_bytes: int
    separator: str
    is_followed: bool
    """Whether anything comes after the header."""


def read_header(path: Path) -> MtxHeader:
    """Read the banner, the comments and the size.

    Raises
    ------
    SourceFormatError
        The matrix is of a kind that is refused, or the size is not three whole numbers.
    """
    with telling_damage(path, "the header"), open_text(path) as file:
        banner = file.readline(LONGEST_LINE).decode("latin-1").lower().split()
        wrong = next((word for word in banner if word in REFUSED), None)
        if wrong is not None or banner[1:3] != ["matrix", "coordinate"] or banner[3:4] == [] or banner[3] not in FIELDS:
            raise SourceFormatError(
                "the kind of matrix is not one of counts",
                where=f"the first line of {path}",
                expected="matrix coordinate integer general, or real",
                got=" ".join(banner[1:]),
                do=REFUSED.get(wrong or "", "write it as matrix coordinate integer general"),
            )
        n_lines, line = 1, b"%"
        while line.startswith(b"%") or (line and not line.strip()):
            line = file.readline(LONGEST_LINE)
            n_lines += 1
        size = line.split()
        if len(size) != len(("rows", "columns", "entries")) or not all(number.isdigit() for number in size):
            raise SourceFormatError(
                "the size of the matrix is not given",
                where=f"line {n_lines} of {path}",
                expected="rows, columns and entries, three whole numbers",
                got=repr(line[:80].decode("latin-1").strip()),
                do="fetch the file again",
            )
        n_bytes, first = file.tell(), file.readline(LONGEST_LINE)
        rows, columns, entries = map(int, size)
        separator = "\t" if b"\t" in first else " "
        return MtxHeader(rows, columns, entries, banner[3] != REAL, n_lines, n_bytes, separator, bool(first))


class EntryFile:
    """The entries of a file whose header and orientation are known."""

    def __init__(self, path: Path, header: MtxHeader, *, genes_first: bool) -> None:
        self._path, self._header = path, header
        self._axes = ("gene", "cell") if genes_first else ("cell", "gene")
        self._sides = dict(zip(self._axes, (header.n_rows, header.n_columns), strict=True))

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return self._sides["cell"]

    def read(self) -> Iterator[Entries]:
        """Stream the entries in the order of the file, checked to lie within the matrix and to be complete.

        Raises
        ------
        SourceFormatError
            They do not lie within it, or are more or fewer than the file says.
        """
        n_read = 0
        for batch in self._parse():
            table = {name: batch.column(name).to_numpy() for name in ("cell", "gene", "value")}
            for axis in self._axes:
                self._require_within(axis, table[axis], n_read)
            n_read += len(batch)
            yield Entries(table["cell"] - 1, table["gene"] - 1, table["value"])
        if self._header.n_entries not in {None, n_read}:
            raise SourceFormatError(
                "the file does not hold as many entries as it says",
                where=str(self._path),
                expected=f"{self._header.n_entries:,} entries, by line {self._header.n_lines}",
                got=f"{n_read:,}",
                do="fetch the file again: it was cut off or overwritten",
            )

    def is_by_cell(self) -> bool:
        """Read all entries and say whether they come in order of cells."""
        last, in_order = -1, True
        for entries in self.read():
            in_order = in_order and int(entries.cell[0]) >= last and bool((np.diff(entries.cell) >= 0).all())
            last = int(entries.cell[-1])
        return in_order

    def _parse(self) -> Iterator[pa.RecordBatch]:
        place = f"the entries, after line {self._header.n_lines},"
        expected = "row, column and value on each line, separated by one space or tab"
        position = pa.int32() if max(self._sides.values()) <= np.iinfo(np.int32).max else pa.int64()
        value = pa.int64() if self._header.is_integer else pa.float64()
        with telling_damage(self._path, place, expected=expected):
            if not self._header.is_followed:
                return
            batches = pyarrow.csv.open_csv(
                open_for_arrow(self._path, self._header.n_bytes),
                pyarrow.csv.ReadOptions(column_names=[*self._axes, "value"], block_size=TEXT_BYTES),
                pyarrow.csv.ParseOptions(delimiter=self._header.separator, quote_char=False),
                pyarrow.csv.ConvertOptions(
                    column_types={"cell": position, "gene": position, "value": value}, null_values=[]
                ),
            )
        while True:
            with telling_damage(self._path, place, expected=expected):
                try:
                    batch = batches.read_next_batch()
                except StopIteration:
                    return
            if len(batch):
                yield batch

    def _require_within(self, axis: str, positions: Integers, n_before: int) -> None:
        if int(positions.min()) < 1 or int(positions.max()) > self._sides[axis]:
            at = int(np.flatnonzero((positions < 1) | (positions > self._sides[axis]))[0])
            raise SourceFormatError(
                "an entry lies outside the matrix",
                where=f"line {self._header.n_lines + n_before + at + 1:,} of {self._path}",
                expected=f"a {axis} from 1 to {self._sides[axis]:,}",
                got=f"{positions[at]:,}",
                do="fetch the file again",
            )
