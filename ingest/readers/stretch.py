"""Stretches of an HDF5 dataset: the one place where a matrix's bytes are fetched, in one of three ways.

What is contiguous and uncompressed is memory-mapped, a stretch at a time, so that its pages come and go with it. Chunks
compressed with gzip are read and inflated by several threads. Everything else is read through HDF5.
"""

from __future__ import annotations

import math
import mmap
from typing import Any, Protocol, TypeAlias

import h5py
import numpy as np
import numpy.typing as npt

from ingest.readers.damage import telling_damage
from ingest.readers.hdf5 import path_of, where
from ingest.readers.inflate import Inflated

Values: TypeAlias = npt.NDArray[Any]

CHUNK_SLOTS = 521
CHUNK_CACHE = 2**20
"""What HDF5 keeps of a dataset's chunks by itself. Unit: bytes."""


class _Source(Protocol):
    def read(self, start: int, stop: int) -> Values:
        """Return the values from ``start`` to ``stop`` of the first axis."""
        ...


class Stretch:
    """Values of a dataset from one position of its first axis to another."""

    def __init__(self, dataset: h5py.Dataset) -> None:
        self.path = path_of(dataset)
        self.place = where(dataset).removesuffix(f" of {self.path}")
        self.dtype = in_memory(dataset.dtype)
        self.shape = tuple(int(side) for side in dataset.shape)
        self.chunk_length = int(dataset.chunks[0]) if dataset.chunks else 1
        with telling_damage(self.path, self.place):
            self._source = _source(dataset, self.dtype)

    def __len__(self) -> int:
        return self.shape[0]

    def read(self, start: int, stop: int) -> Values:
        """Return the values from ``start`` to ``stop``, in the machine's byte order."""
        if not math.prod((stop - start, *self.shape[1:])):
            return np.empty((stop - start, *self.shape[1:]), self.dtype)
        with telling_damage(self.path, self.place):
            return self._source.read(start, stop)


def _source(dataset: h5py.Dataset, dtype: np.dtype[Any]) -> _Source:
    """Choose how a dataset is read."""
    offset = None if dataset.chunks else dataset.id.get_offset()
    if offset is not None and offset % dataset.dtype.itemsize == 0 and dataset.dtype == dtype:
        return _Mapped(dataset, int(offset))
    return (Inflated.of(dataset, dtype) if dataset.size else None) or _ThroughHdf5(dataset, dtype)


class _Mapped:
    """A contiguous dataset whose values lie in the file as they would in memory."""

    def __init__(self, dataset: h5py.Dataset, offset: int) -> None:
        self._path, self._dtype, self._offset = path_of(dataset), dataset.dtype, offset
        self._width = tuple(int(side) for side in dataset.shape[1:])

    def read(self, start: int, stop: int) -> Values:
        """Map a stretch, copy on write: its pages are the file's until someone writes to the array."""
        row_bytes = math.prod(self._width) * self._dtype.itemsize
        begin, end = self._offset + start * row_bytes, self._offset + stop * row_bytes
        page = begin - begin % mmap.ALLOCATIONGRANULARITY
        with self._path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), end - page, access=mmap.ACCESS_COPY, offset=page)
        if hasattr(mmap, "MADV_WILLNEED"):
            mapped.madvise(mmap.MADV_WILLNEED)
        count = (stop - start) * math.prod(self._width)
        return np.frombuffer(mapped, self._dtype, count, begin - page).reshape(stop - start, *self._width)


class _ThroughHdf5:
    """A dataset that HDF5 reads, with a cache of one chunk so that two neighbouring reads decode it once."""

    def __init__(self, dataset: h5py.Dataset, dtype: np.dtype[Any]) -> None:
        self._dtype, self._dataset = dtype, dataset
        if dataset.chunks:
            access = h5py.h5p.create(h5py.h5p.DATASET_ACCESS)
            chunk_bytes = math.prod(dataset.chunks) * dataset.dtype.itemsize
            access.set_chunk_cache(CHUNK_SLOTS, max(CHUNK_CACHE, chunk_bytes), 0.75)
            self._dataset = h5py.Dataset(h5py.h5d.open(dataset.file.id, dataset.name.encode(), access))

    def read(self, start: int, stop: int) -> Values:
        """Read a stretch."""
        values = np.empty((stop - start, *self._dataset.shape[1:]), self._dtype)
        self._dataset.read_direct(values, np.s_[start:stop])
        return values


def in_memory(stored: np.dtype[Any]) -> np.dtype[Any]:
    """Choose the type that values are given in: the stored one, but float32 for float16 and the machine's order."""
    if stored.kind == "f":
        return np.dtype(np.float32 if stored.itemsize <= np.dtype(np.float32).itemsize else np.float64)
    return stored.newbyteorder("=")
