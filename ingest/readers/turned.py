"""A matrix that is written gene by gene and read row by row: turned in a temporary file, whatever its size."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ingest.reader import DenseBlock, Integers

Doubles = npt.NDArray[np.float64]


class TurnedMatrix:
    """A matrix of float64, put together from stretches of genes.

    Parameters
    ----------
    n_rows
        Rows of the matrix, which are the columns of the text.
    """

    def __init__(self, n_rows: int) -> None:
        self.n_rows, self.n_genes = n_rows, 0
        self._widths: list[int] = []
        self._file = tempfile.TemporaryFile(prefix="turned-")  # noqa: SIM115, close() closes it

    def append(self, genes: Doubles) -> None:
        """Add the next genes, of shape (genes, rows)."""
        self._widths.append(len(genes))
        self._file.write(np.ascontiguousarray(genes.T).data)
        self.n_genes += len(genes)

    def read(self, start: int, stop: int) -> Doubles:
        """Read rows in full. Shape (rows, genes)."""
        values = np.empty((stop - start, self.n_genes))
        first = 0
        for width in self._widths:
            offset = self.n_rows * first + start * width
            self._file.seek(offset * values.itemsize)
            raw = self._file.read((stop - start) * width * values.itemsize)
            values[:, first : first + width] = np.frombuffer(raw, np.float64).reshape(stop - start, width)
            first += width
        return values

    def blocks(self, block_bytes: int) -> Iterator[DenseBlock]:
        """Stream all rows."""
        height = self._height(block_bytes)
        for start in range(0, self.n_rows, height):
            yield DenseBlock(start, self.read(start, min(start + height, self.n_rows)))

    def selected(self, rows: Integers, genes: Integers, block_bytes: int) -> Iterator[DenseBlock]:
        """Stream some rows, ascending, and some genes."""
        height = self._height(block_bytes)
        for first in range(0, len(rows), height):
            wanted = rows[first : first + height]
            values = np.concatenate([self.read(int(row), int(row) + 1) for row in wanted])
            yield DenseBlock(first, values[:, genes])

    def close(self) -> None:
        """Remove the temporary file."""
        self._file.close()

    def _height(self, block_bytes: int) -> int:
        return max(1, block_bytes // max(1, np.dtype(np.float64).itemsize * self.n_genes))
