"""Chunks of an HDF5 dataset compressed with gzip, inflated by several threads at once.

HDF5 inflates one chunk at a time, under a lock. Here the places of the chunks in the file are listed once; a stretch is
then read at those places and inflated outside HDF5, chunk by chunk, straight into the array that is asked for.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import h5py
import numpy as np
import numpy.typing as npt
from isal import igzip_lib

from ingest.readers.chunks import Chunks, grid_of
from ingest.readers.hdf5 import filters, path_of
from ingest.readers.nodes import Values

FILTERS = ([h5py.h5z.FILTER_DEFLATE], [h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE])
"""The chains of filters that are undone here: gzip, with or without a shuffle before it."""
COUNTS_USER_BLOCK = (2,)
"""The version of HDF5 since which the place of a chunk is one in the file, also behind a user block."""


class Inflated(Chunks):
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
        super().__init__(tuple(map(int, dataset.shape)), tuple(map(int, dataset.chunks)), dtype)
        self._path, self._places = path_of(dataset), places
        self._stored, self._is_shuffled = dataset.dtype, bool(dataset.shuffle)

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
        corners, grid = np.array([chunk.chunk_offset for chunk in found]) // dataset.chunks, _grid(dataset)
        places = np.zeros((math.prod(grid), 2), np.int64)
        places[np.ravel_multi_index(tuple(corners.T), grid)] = [(at.byte_offset, at.size) for at in found]
        return cls(dataset, dtype, places)

    @contextmanager
    def opened(self, numbers: npt.NDArray[np.int64]) -> Iterator[int]:  # noqa: ARG002
        """Open the file."""
        with self._path.open("rb") as file:
            yield file.fileno()

    def decoded(self, number: int, source: int) -> Values:
        """Read and inflate a chunk.

        Raises
        ------
        ValueError
            It holds another number of bytes than it should.
        """
        offset, length = self._places[number].tolist()
        expected = math.prod(self._chunk) * self._stored.itemsize
        decompressor = igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_ZLIB)  # a quarter faster than isal_zlib's
        raw = decompressor.decompress(os.pread(source, length, offset), expected + 1)
        if len(raw) != expected:  # one byte more is asked for, so that no chunk can grow without bounds
            holds = f"{len(raw):,}" if len(raw) < expected else "more"
            message = f"chunk {number:,} at byte {offset:,} holds {holds} bytes instead of {expected:,}"
            raise ValueError(message)
        if self._is_shuffled:
            raw = np.frombuffer(raw, np.uint8).reshape(self._stored.itemsize, -1).T.tobytes()
        return np.frombuffer(raw, self._stored).reshape(self._chunk)


def _grid(dataset: h5py.Dataset) -> tuple[int, ...]:
    return grid_of(dataset.shape, dataset.chunks)
