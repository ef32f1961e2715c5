"""Text files, plain or compressed with gzip, whichever their content is."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa

from featurestore.errors import SourceFormatError
from ingest.readers.damage import DAMAGE

GZIP = b"\x1f\x8b"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
SKIPPED_AT_ONCE = 2**20
LONGEST_LINE = 2**26
"""Of a table; a line of a million signatures takes a tenth. Unit: bytes."""
LONGEST_MARK = 256
"""How much of the first line is looked at to tell a format. Unit: bytes."""


def is_gzip(path: Path) -> bool:
    """Say whether the content is compressed with gzip."""
    with path.open("rb") as file:
        return file.read(len(GZIP)) == GZIP


def open_text(path: Path) -> BinaryIO:
    """Open a file for reading its text as bytes, line by line."""
    return cast("BinaryIO", gzip.open(path)) if is_gzip(path) else path.open("rb")


def text_lines(file: BinaryIO, path: Path) -> Iterator[bytes]:
    """Give the lines of an open file, none longer than a line can be: a megabyte of gzip may hold one of a gigabyte.

    Raises
    ------
    SourceFormatError
        One is longer.
    """
    while line := file.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            raise SourceFormatError(
                "a line is longer than a line of text can be",
                where=str(path),
                expected=f"at most {LONGEST_LINE:,} bytes",
                do="check that this is text, and fetch it again",
            )
        yield line


def open_for_arrow(path: Path, start: int) -> pa.NativeFile:
    """Open a file for reading its text with pyarrow from a position on, counted in decompressed bytes."""
    stream = pa.input_stream(str(path), compression="gzip" if is_gzip(path) else None)
    while start > 0:
        skipped = len(stream.read(min(start, SKIPPED_AT_ONCE)))
        start = start - skipped if skipped else 0
    return stream


def first_line(path: Path) -> bytes:
    """Return the beginning of the first line, nothing where it cannot be read."""
    try:
        with open_text(path) as file:
            return file.readline(LONGEST_MARK).removeprefix(BYTE_ORDER_MARK).strip()
    except DAMAGE:
        return b""
