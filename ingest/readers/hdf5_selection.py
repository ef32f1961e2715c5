"""Some rows and columns of a dense HDF5 matrix, read without the rest.

A contiguous matrix is read row by row at its place in the file, and of each row only the spans that hold wanted
columns; of a matrix in chunks, only the chunks that hold wanted rows and columns are inflated.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import h5py
import numpy as np
import numpy.typing as npt

from ingest.reader import Integers
from ingest.readers.damage import telling_damage
from ingest.readers.hdf5 import path_of, where, whole

Values: TypeAlias = npt.NDArray[Any]

GAP = 16 * 2**10
"""Unwanted columns of fewer bytes than this are read along rather than skipped: a seek costs more. Unit: bytes."""


def read_selection(dataset: h5py.Dataset, rows: Integers, columns: Integers, block_bytes: int) -> Iterator[Values]:
    """Stream some rows, ascending, of some columns, in the order given, in arrays of at most ``block_bytes``.

    Raises
    ------
    SourceFormatError
        The file is damaged.
    """
    whole(dataset)
    path, place = path_of(dataset), where(dataset)
    wanted = np.unique(columns)
    spans = _spans(wanted, GAP // dataset.dtype.itemsize)
    read = sum(stop - start for start, stop in spans)
    held = np.concatenate([np.arange(start, stop) for start, stop in spans]) if spans else wanted
    position = np.searchsorted(held, columns)
    height = max(1, block_bytes // max(1, read * dataset.dtype.itemsize))
    for first in range(0, len(rows), height):
        with telling_damage(path, place):
            values = _read(dataset, rows[first : first + height], spans)
        yield values if np.array_equal(position, np.arange(read)) else values[:, position]


def _read(dataset: h5py.Dataset, rows: Integers, spans: list[tuple[int, int]]) -> Values:
    """Read some spans of some rows, side by side."""
    native = dataset.dtype.newbyteorder("=")
    out = np.empty((len(rows), sum(stop - start for start, stop in spans)), native)
    offset = None if dataset.chunks or native != dataset.dtype else dataset.id.get_offset()
    at = 0
    for start, stop in spans:
        part = out[:, at : at + stop - start]
        if offset is not None:
            _read_in_place(dataset, int(offset), rows, start, part)
        else:
            _read_chunks(dataset, rows, slice(start, stop), part)
        at += stop - start
    return out.astype(np.float32) if native.kind == "f" and native.itemsize < np.dtype(np.float32).itemsize else out


def _read_in_place(dataset: h5py.Dataset, offset: int, rows: Integers, start: int, out: Values) -> None:
    item = dataset.dtype.itemsize
    row_bytes, begin = dataset.shape[1] * item, offset + start * item
    with path_of(dataset).open("rb", buffering=0) as file:
        for at, row in enumerate(rows.tolist()):
            file.seek(begin + row * row_bytes)
            if file.readinto(out[at]) < out[at].nbytes:
                message = f"the file ends within row {row:,}"
                raise EOFError(message)


def _read_chunks(dataset: h5py.Dataset, rows: Integers, columns: slice, out: Values) -> None:
    for first, last in _runs(rows, dataset.chunks[0] if dataset.chunks else 1):
        low = int(rows[first])
        out[first:last] = dataset[low : int(rows[last - 1]) + 1, columns][rows[first:last] - low]


def _spans(wanted: npt.NDArray[np.signedinteger], gap: int) -> list[tuple[int, int]]:
    """Cover ascending positions by spans that are more than ``gap`` apart.

    Examples
    --------
    >>> _spans(np.array([0, 1, 5, 90, 92]), gap=10)
    [(0, 6), (90, 93)]
    """
    if not wanted.size:
        return []
    breaks = np.flatnonzero(np.diff(wanted) > gap)
    starts = wanted[np.concatenate([[0], breaks + 1])]
    stops = wanted[np.concatenate([breaks, [wanted.size - 1]])] + 1
    return list(zip(starts.tolist(), stops.tolist(), strict=True))


def _runs(rows: Integers, chunk: int) -> list[tuple[int, int]]:
    """Cut ascending rows where the next one is in another chunk."""
    breaks = (np.flatnonzero(np.diff(rows // chunk)) + 1).tolist()
    return list(zip([0, *breaks], [*breaks, len(rows)], strict=True)) if len(rows) else []
