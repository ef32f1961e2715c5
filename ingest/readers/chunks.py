"""Arrays in chunks, each stored on its own: a stretch is put together of chunks that several threads decode at once."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from ingest.readers.ahead import N_CORES
from ingest.readers.nodes import Values

THREADS = min(8, N_CORES)
SHARES = 4
"""How many shares of a stretch's chunks each thread gets, one after the other."""


class Chunks(ABC):
    """An array of numbers in chunks.

    Parameters
    ----------
    shape, chunk
        Of the array, and of a chunk; chunks at the far ends reach beyond the array.
    dtype
        The type that values are given in.
    """

    def __init__(self, shape: Sequence[int], chunk: Sequence[int], dtype: np.dtype[Any]) -> None:
        self._shape, self._chunk, self._dtype = tuple(shape), tuple(chunk), dtype
        self._grid = grid_of(shape, chunk)
        self._kept: tuple[int, Values] | None = None

    @abstractmethod
    def decoded(self, number: int, source: Any) -> Values:
        """Read and decode a chunk, by its position in the grid; ``source`` is what `opened` gives."""

    @contextmanager
    def opened(self, numbers: npt.NDArray[np.int64]) -> Iterator[Any]:  # noqa: ARG002
        """Open what chunks are read from, for a stretch that takes these."""
        yield None

    def read(self, start: int, stop: int) -> Values:
        """Return the values from ``start`` to ``stop`` of the first axis."""
        values = np.empty((stop - start, *self._shape[1:]), self._dtype)
        a_row = math.prod(self._grid[1:])
        numbers = np.arange(start // self._chunk[0] * a_row, (-(-stop // self._chunk[0])) * a_row)
        with self.opened(numbers) as source, ThreadPoolExecutor(THREADS) as pool:

            def put(share: npt.NDArray[np.int64]) -> tuple[int, Values]:
                for number in share.tolist():
                    is_kept = self._kept is not None and self._kept[0] == number
                    chunk = self._kept[1] if self._kept is not None and is_kept else self.decoded(number, source)
                    self._put(values, start, number, chunk)
                return number, chunk

            shares = [share for share in np.array_split(numbers, THREADS * SHARES) if share.size]
            last = list(pool.map(put, shares))[-1]
        self._kept = last if a_row == 1 else None
        return values

    def _put(self, values: Values, start: int, number: int, chunk: Values) -> None:
        """Copy what a chunk has of a stretch to its place."""
        corner = [int(at) * side for at, side in zip(np.unravel_index(number, self._grid), self._chunk, strict=True)]
        ends = [min(at + side, whole) for at, side, whole in zip(corner, self._chunk, self._shape, strict=True)]
        first, last = max(corner[0], start), min(ends[0], start + len(values))
        target = [
            slice(first - start, last - start),
            *(slice(at, end) for at, end in zip(corner[1:], ends[1:], strict=True)),
        ]
        source = [
            slice(first - corner[0], last - corner[0]),
            *(slice(0, end - at) for at, end in zip(corner[1:], ends[1:], strict=True)),
        ]
        values[tuple(target)] = chunk[tuple(source)]


def grid_of(shape: Sequence[int], chunk: Sequence[int]) -> tuple[int, ...]:
    """Count the chunks along each axis."""
    return tuple(-(-side // length) for side, length in zip(shape, chunk, strict=True))
