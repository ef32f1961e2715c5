"""Chunks of an HDF5 dataset compressed with gzip, inflated by several threads at once.

HDF5 inflates one chunk at a time, under a lock. Here the places of the chunks in the file are listed once; a stretch is
then read at those places and inflated outside HDF5, chunk by chunk, straight into the array that is asked for.
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self, TypeAlias

import h5py
import numpy as np
import numpy.typing as npt
from isal import isal_zlib

from ingest.readers.ahead import N_CORES
from ingest.readers.hdf5 import filters, path_of

Values: TypeAlias = npt.NDArray[Any]

FILTERS = ([h5py.h5z.FILTER_DEFLATE], [h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE])
"""The chains of filters that are undone here: gzip, with or without a shuffle before it."""
COUNTS_USER_BLOCK = (2,)
"""The version of HDF5 since which the place of a chunk is one in the file, also behind a user block."""
THREADS = min(8, N_CORES)
SHARES = 4
"""How many shares of a stretch's chunks each thread gets, one after the other."""


class Inflated:
    """A dataset of numbers in chunks, each compressed with gzip.

    Parameters
    ----------
    dataset
        Where the chunks are.
    dtype
        The type that values are given in.
    places
        Offset in the file and length of each chunk, in the order of their positions. Unit: bytes.
    """

    def __init__(self, dataset: h5py.Dataset, dtype: np.dtype[Any], places: npt.NDArray[np.int64]) -> None:
        self._path, self._dtype, self._places = path_of(dataset), dtype, places
        self._stored, self._is_shuffled = dataset.dtype, bool(dataset.shuffle)
        self._shape, self._chunk = tuple(map(int, dataset.shape)), tuple(map(int, dataset.chunks))
        self._grid = _grid(dataset)
        self._kept: tuple[int, Values] | None = None

    @classmethod
    def of(cls, dataset: h5py.Dataset, dtype: np.dtype[Any]) -> Self | None:
        """Make one of a dataset, or None where its chunks are not of this kind or cannot be read by place."""
        chain = [code for code, _ in filters(dataset)]
        is_placed = not dataset.file.userblock_size or h5py.version.hdf5_version_tuple >= COUNTS_USER_BLOCK
        if chain not in FILTERS or not is_placed or not hasattr(os, "pread"):
            return None
        found: list[Any] = []
        dataset.id.chunk_iter(found.append)
        if any(chunk.filter_mask for chunk in found):
            return None
        corners = np.array([chunk.chunk_offset for chunk in found]) // dataset.chunks
        places = np.zeros((math.prod(_grid(dataset)), 2), np.int64)
        places[np.ravel_multi_index(tuple(corners.T), _grid(dataset))] = [(at.byte_offset, at.size) for at in found]
        return cls(dataset, dtype, places)

    def read(self, start: int, stop: int) -> Values:
        """Return the values from ``start`` to ``stop`` of the first axis."""
        values = np.empty((stop - start, *self._shape[1:]), self._dtype)
        a_row = math.prod(self._grid[1:])
        numbers = np.arange(start // self._chunk[0] * a_row, (-(-stop // self._chunk[0])) * a_row)
        with self._path.open("rb") as file, ThreadPoolExecutor(THREADS) as pool:

            def put(share: npt.NDArray[np.int64]) -> tuple[int, Values]:
                for number in share.tolist():
                    chunk = self._inflate(file.fileno(), number)
                    self._put(values, start, number, chunk)
                return number, chunk

            shares = [share for share in np.array_split(numbers, THREADS * SHARES) if share.size]
            last = list(pool.map(put, shares))[-1]
        self._kept = last if a_row == 1 else None
        return values

    def _inflate(self, descriptor: int, number: int) -> Values:
        """Read and inflate a chunk, or take it from the stretch before."""
        if self._kept is not None and self._kept[0] == number:
            return self._kept[1]
        offset, length = self._places[number].tolist()
        expected = math.prod(self._chunk) * self._stored.itemsize
        raw = isal_zlib.decompressobj().decompress(os.pread(descriptor, length, offset), expected + 1)
        if len(raw) != expected:  # one byte more is asked for, so that no chunk can grow without bounds
            holds = f"{len(raw):,}" if len(raw) < expected else "more"
            message = f"chunk {number:,} at byte {offset:,} holds {holds} bytes instead of {expected:,}"
            raise ValueError(message)
        if self._is_shuffled:
            raw = np.frombuffer(raw, np.uint8).reshape(self._stored.itemsize, -1).T.tobytes()
        return np.frombuffer(raw, self._stored).reshape(self._chunk)

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


def _grid(dataset: h5py.Dataset) -> tuple[int, ...]:
    """Count the chunks along each axis."""
    return tuple(-(-side // chunk) for side, chunk in zip(dataset.shape, dataset.chunks, strict=True))
