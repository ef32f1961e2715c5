"""Consecutive rows of one file on their way into sums: what is read of it, and on what terms it is added.

A portion holds everything that summing it takes but the file itself, and travels to other machines.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from ingest.conditions.axis import GeneAxis
from ingest.conditions.described import open_matrix
from ingest.conditions.given import GivenRows
from ingest.conditions.groups import OF_CONDITION
from ingest.kernel import Slots
from ingest.reader import BLOCK_BYTES, INDEX, OUTSIDE, Block, Reader, SelectiveReader, StretchingReader
from ingest.readers.selection import Slice
from ingest.spec import DatasetSpec
from ingest.sums.by_gene import RowGroups
from ingest.sums.estimated import LogsOfEstimates
from ingest.sums.group_sums import ALL
from ingest.sums.journal import gaps
from ingest.sums.logarithm import Logarithm, Rescaled, read_logarithm, refuse_scaled
from ingest.sums.pseudobulk import SumsOfMeans
from ingest.sums.scaling import transform_of
from ingest.sums.values import ValueCheck
from ingest.values import ESTIMATED

Taken: TypeAlias = "slice | npt.NDArray[np.intp]"


@dataclass(frozen=True, slots=True)
class Portion:
    """Rows of one file.

    Attributes
    ----------
    path, spec
        The file, and the spec of its dataset.
    first, last
        The rows taken, of the file's.
    start
        The row of the dataset that the file begins with: its files' rows are numbered one after another.
    n_genes
        Genes of the release.
    groups
        Groups of each of the rows taken, -1 for none. Shape (rows, 4 or 5).
    slots
        Gene of every matrix column, -1 for none, -2 where it is no part of a library. Shape (columns,).
    is_whole
        Whether these are all rows of the file.
    logarithm
        What the values are logarithms of, where they are not those of counts per 10,000.
    cells, published
        What :class:`ingest.conditions.given.GivenRows` has of all rows of the file; empty where sums need none of it.
    transcripts
        The table by which transcripts are summed to genes, where they are.
    """

    path: Path
    spec: DatasetSpec
    first: int
    last: int
    start: int
    n_genes: int
    groups: RowGroups
    slots: Slots
    is_whole: bool
    logarithm: Logarithm | None
    cells: npt.NDArray[np.float64]
    published: pl.DataFrame
    transcripts: Path | None = None

    @property
    def rows(self) -> tuple[int, int]:
        """The rows taken, of the dataset's."""
        return self.start + self.first, self.start + self.last

    @property
    def has_counts(self) -> bool:
        """Whether counts are summed, beside their logarithms."""
        return self.spec.value_kind.is_additive

    @property
    def title(self) -> str:
        """What is summed, as a phrase."""
        part = f"{self.last - self.first:,} rows" if self.is_whole else f"rows {self.first:,} to {self.last:,}"
        return f"{self.path.name}: {part} x {self.slots.size:,} genes"

    def open(self) -> Reader:
        """Open the file."""
        return open_matrix(self.path, self.spec, self.transcripts)

    def check(self, reader: Reader) -> ValueCheck:
        """Begin to look at the values."""
        declared = "counts" if self.has_counts else "log1p"
        declared = ESTIMATED if self.spec.dataset.values == ESTIMATED else declared
        return ValueCheck(declared, self.path, name=lambda row, column: self._name(reader, row, column))

    def _name(self, reader: Reader, row: int, column: int) -> str:
        """Name the row and the gene of a value of what is summed."""
        source, _, _ = self._published(reader)
        if isinstance(source, Slice):
            row, column = int(source.rows_taken[row]), int(source.genes_taken[column])
        row_key = reader.rows([INDEX])[INDEX][row + (self.first if isinstance(source, Rows) else 0)]
        return f"row {row_key}, gene {reader.genes()[INDEX][column]}"

    def source(self, reader: Reader) -> tuple[Reader | Slice | Rows | Rescaled | LogsOfEstimates, Taken, Slots]:
        """Give what is summed: the values as they are, or brought to sums, reads or logarithms; its rows and genes.

        The rows are positions among those taken.
        """
        source, rows, slots = self._published(reader)
        if self.spec.dataset.values == ESTIMATED:
            return LogsOfEstimates(source, slots != OUTSIDE), rows, slots
        return source if self.logarithm is None else Rescaled(source, self.logarithm), rows, slots

    def _published(self, reader: Reader) -> tuple[Reader | Slice | Rows, Taken, Slots]:
        if not self.is_whole and isinstance(reader, StretchingReader):
            return Rows(reader, self.path, self.first, self.last), ALL, self.slots
        if self.spec.dataset.values == "mean_counts":
            return SumsOfMeans(reader, self.cells), ALL, self.slots
        transform = transform_of(self.spec, self.published)
        if transform is None and not isinstance(reader, SelectiveReader):
            return reader, ALL, self.slots
        rows, genes = np.flatnonzero(self.groups[:, OF_CONDITION] >= 0), np.flatnonzero(self.slots != OUTSIDE)
        return Slice(reader, rows, genes, transform), rows, self.slots[genes]


def logarithm_of(reader: Reader, axis: GeneAxis, spec: DatasetSpec) -> Logarithm | None:
    """Conclude what a file's values are logarithms of, where they are.

    Raises
    ------
    ValuesError
        File and spec contradict one another.
    """
    given = spec.dataset
    if given.values == ESTIMATED:
        refuse_scaled(reader, axis.slots != OUTSIDE)
    if given.values != "log1p":
        return None
    return read_logarithm(reader, axis.slots != OUTSIDE, given.logarithm, given.matrix)


def portions_of(
    sources: Sequence[tuple[Reader, GeneAxis]],
    groups: RowGroups,
    given: GivenRows,
    spec: DatasetSpec,
    done: Sequence[tuple[int, int]],
    most_rows: int,
) -> Iterator[Portion]:
    """Cut files into portions, leaving out what is done; a file whose rows cannot be told apart stays whole.

    Parameters
    ----------
    sources
        The files in order, each with its gene axis.
    groups
        Groups of every row of all files, -1 for none: a file without any is left out. Shape (rows, 4 or 5).
    given
        What is known of every row.
    spec
        The dataset's spec.
    done
        Rows of the dataset that are summed already.
    most_rows
        How many rows a portion has at most, where the file can be cut.
    """
    start = 0
    for reader, axis in sources:
        part = slice(start, start + reader.n_rows)
        start += reader.n_rows
        if not (groups[part] >= 0).any():
            continue
        logarithm = logarithm_of(reader, axis, spec)
        logarithm = None if logarithm is None or logarithm.is_usual else logarithm
        is_plain = not spec.value_kind.is_rescaled and isinstance(reader, StretchingReader) and reader.is_by_row
        for begin, end in gaps(part.start, part.stop, done):
            length = -(-(end - begin) // -(-(end - begin) // most_rows)) if is_plain else end - begin
            for first in range(begin, end, length):
                last = min(first + length, end)
                yield Portion(
                    reader.path,
                    spec,
                    first - part.start,
                    last - part.start,
                    part.start,
                    axis.genes.height,
                    groups[first:last],
                    axis.slots,
                    (first, last) == (part.start, part.stop),
                    logarithm,
                    given.cells[part],
                    given.published[part],
                    getattr(reader, "transcripts", None),
                )


class Rows:
    """A reader of consecutive rows of another."""

    def __init__(self, reader: StretchingReader, path: Path, first: int, last: int) -> None:
        self._reader, self._first, self._last = reader, first, last
        self.path, self.n_rows = path, last - first

    def blocks(self, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
        """Stream the rows, the first being 0."""
        for block in self._reader.stretch(self._first, self._last, block_bytes):
            yield replace(block, start=block.start - self._first)
