"""Heaps of an HDF5 file, in which its text of any length lies: one that has no end is refused before HDF5 sees it.

HDF5 goes through a heap object by object, and where a damaged length says that the next one begins where this one does,
it never comes back: HDF5 2.0 checks the length for what would lie beyond the heap only, and no signal interrupts it.
See "Disk Format: Level 1E - Global Heap" of the HDF5 file format specification.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from featurestore.errors import SourceFormatError

MARK = b"GCOL\x01\0\0\0"
"""What a heap begins with: its signature, version 1, and three bytes that are reserved."""
HEAD = struct.Struct("<8sQ")
"""Mark, and size of the heap with this head in it."""
OBJECT = struct.Struct("<HHIQ")
"""Number, references, four bytes that are reserved, and size."""
FREE = 0
"""The number of the object that is not used yet; its size has the object's own head in it, others' have not."""
WORD = 8
END_BYTES = 16 * 2**20
"""So much at either end of a file is looked through, and all of one that is no larger than both. Unit: bytes."""
BYTES_AT_ONCE = 4 * 2**20


def refuse_endless_heaps(path: Path) -> None:
    """Look through a file's heaps.

    Raises
    ------
    SourceFormatError
        One of them has no end.
    """
    found = path.stat()
    at = _first_endless(path, found.st_size, found.st_mtime_ns)
    if at is not None:
        raise SourceFormatError(
            "a heap of text has an object without a length",
            where=f"byte {at:,} of {path}",
            expected="objects one after another, to the end of the heap",
            do="fetch the file again and compare its checksum with the publisher's",
        )


@lru_cache(maxsize=64)
def _first_endless(path: Path, n_bytes: int, changed: int) -> int | None:  # noqa: ARG001, a file changed is another
    """Find a heap without an end; looked for once, as every format that a file might be of opens it."""
    ends = [(0, n_bytes)] if n_bytes <= 2 * END_BYTES else [(0, END_BYTES), (n_bytes - END_BYTES, n_bytes)]
    with path.open("rb") as file:
        for at in (at for end in ends for at in _marks(file, *end)):
            file.seek(at)
            _, size = HEAD.unpack(file.read(HEAD.size).ljust(HEAD.size, b"\0"))
            if at + size <= n_bytes and not _has_end(file, at + HEAD.size, at + size):
                return at
    return None


def _marks(file: BinaryIO, first: int, last: int) -> Iterator[int]:
    """Yield where the mark of a heap is in a part of a file."""
    for start in range(first, last, BYTES_AT_ONCE):
        file.seek(start)
        piece = file.read(BYTES_AT_ONCE + len(MARK) - 1)
        at = piece.find(MARK)
        while at >= 0:
            yield start + at
            at = piece.find(MARK, at + 1)


def _has_end(file: BinaryIO, at: int, end: int) -> bool:
    """Go from object to object, in words of 64 bits, as HDF5 does.

    Examples
    --------
    >>> from io import BytesIO
    >>> text = OBJECT.pack(1, 1, 0, 3) + b"abc".ljust(WORD)
    >>> heaps = [text + OBJECT.pack(FREE, 0, 0, size).ljust(64) for size in (64, 0)]
    >>> [_has_end(BytesIO(heap), 0, len(heap)) for heap in heaps]
    [True, False]
    """
    start, piece = at, b""
    while at + OBJECT.size <= end:
        if at + OBJECT.size > start + len(piece):
            file.seek(at)
            start, piece = at, file.read(BYTES_AT_ONCE)
        number, _, _, size = OBJECT.unpack_from(piece, at - start)
        step = size if number == FREE else OBJECT.size + size + -size % WORD
        if step % 2**64 == 0:
            return False
        at += step
    return True
