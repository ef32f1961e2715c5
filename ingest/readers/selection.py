"""Some rows and genes of a matrix, without reading the rest where the file allows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from featurestore.errors import SourceFormatError
from ingest.reader import BLOCK_BYTES, DenseBlock, Integers, Numbers, Reader, SelectiveReader


def selected_blocks(
    reader: Reader, rows: Integers, genes: Integers, block_bytes: int = BLOCK_BYTES
) -> Iterator[DenseBlock]:
    """Stream some rows and genes of a dense matrix, as :meth:`SelectiveReader.selected` does, from any reader.

    Raises
    ------
    SourceFormatError
        The matrix is sparse: a value that is not stored cannot be told from zero.
    """
    if isinstance(reader, SelectiveReader):
        yield from reader.selected(rows, genes, block_bytes)
        return
    done = 0
    for block in reader.blocks(block_bytes):
        if not isinstance(block, DenseBlock):
            raise SourceFormatError(
                "The matrix is sparse, and these values need one in which every value is stored.",
                where=str(reader.path),
                do="write it anew as a dense matrix",
            )
        first, last = np.searchsorted(rows, (block.start, block.start + len(block.values)))
        if last > first:
            yield DenseBlock(done, block.values[np.ix_(rows[first:last] - block.start, genes)])
            done += int(last - first)


def of_height(blocks: Iterable[DenseBlock], height: int) -> Iterator[DenseBlock]:
    """Cut and join consecutive blocks anew, so that each but the last has as many rows as asked for."""
    waiting: list[Numbers] = []
    start = n_waiting = 0
    for block in blocks:
        at = 0
        while at < len(block.values):
            part = block.values[at : at + height - n_waiting]
            at += len(part)
            waiting.append(part)
            n_waiting += len(part)
            if n_waiting == height:
                yield DenseBlock(start, np.concatenate(waiting) if len(waiting) > 1 else part)
                start, waiting, n_waiting = start + height, [], 0
    if waiting:
        yield DenseBlock(start, np.concatenate(waiting))


Transform = Callable[[Integers, Numbers], Numbers]
"""Brings the values of some rows, given by position, to another scale."""


@dataclass(frozen=True, slots=True)
class Slice:
    """A reader of some rows and genes of another, with its values brought to another scale where that is wanted.

    ``rows_taken`` and ``genes_taken`` are positions, the rows ascending.
    """

    whole: Reader
    rows_taken: Integers
    genes_taken: Integers
    transform: Transform | None = None

    @property
    def path(self) -> Path:
        """The file."""
        return self.whole.path

    @property
    def n_rows(self) -> int:
        """Rows of the slice."""
        return len(self.rows_taken)

    def blocks(self, block_bytes: int = BLOCK_BYTES) -> Iterator[DenseBlock]:
        """Stream the slice."""
        for block in selected_blocks(self.whole, self.rows_taken, self.genes_taken, block_bytes):
            rows = self.rows_taken[block.start : block.start + len(block.values)]
            yield DenseBlock(block.start, self.transform(rows, block.values) if self.transform else block.values)
