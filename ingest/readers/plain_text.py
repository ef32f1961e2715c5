"""Text files, plain or compressed with gzip, whichever their content is."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa

from featurestore.errors import SourceFormatError
from ingest.readers.damage import DAMAGE

GZIP, PARQUET = b"\x1f\x8b", b"PAR1"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
"""Byte order marks of text in UTF-16, as spreadsheets save "Unicode text"."""
SKIPPED_AT_ONCE = 2**20
LONGEST_LINE = 2**26
"""Of a table; a line of a million signatures takes a tenth. Unit: bytes."""
BOMB_BYTES = 2**27
BOMB_RATIO = 300
"""Text of more bytes than the first, and more for each byte of the file than the second, is made to fill the memory."""
HIGHEST_RATIO = 1032
"""How many bytes of one gzip can make at most: it repeats 258 of them by two bits."""
READ_AT_ONCE = 2**22
UNREADABLE: tuple[type[Exception], ...] = (*DAMAGE, SourceFormatError)
LONGEST_MARK = 256
"""How much of the first line is looked at to tell a format. Unit: bytes."""


def is_gzip(path: Path) -> bool:
    """Say whether the content is compressed with gzip."""
    return _begins_with(GZIP, path)


def is_parquet(path: Path) -> bool:
    """Say whether the content is Parquet, and no text at all."""
    return _begins_with(PARQUET, path)


def _begins_with(mark: bytes, path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(mark)) == mark


def open_text(path: Path) -> BinaryIO:
    """Open a file for reading its text as bytes, line by line.

    Raises
    ------
    SourceFormatError
        It is text in UTF-16.
    """
    with path.open("rb") as raw:
        beginning = raw.read(len(GZIP))
    if beginning != GZIP:
        refuse_utf_16(beginning, path)
        return path.open("rb")
    file = cast("BinaryIO", gzip.open(path))  # noqa: SIM115, who asks closes it
    try:
        refuse_utf_16(file.read(len(GZIP)), path)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def refuse_utf_16(beginning: bytes, path: Path) -> None:
    """Refuse text that a spreadsheet saved as "Unicode text".

    Raises
    ------
    SourceFormatError
        It begins with the byte order mark of UTF-16.
    """
    if beginning.startswith(UTF_16):
        raise SourceFormatError(
            "the text is in UTF-16",
            where=str(path),
            expected="text in UTF-8 or Latin-1",
            got=f"the byte order mark {beginning[:2].hex(' ')}",
            do=f"save it as UTF-8 text: iconv -f UTF-16 -t UTF-8 {path.name} > utf8_{path.name}",
        )


def text_lines(file: BinaryIO, path: Path) -> Iterator[bytes]:
    """Give the lines of an open file, none longer than a line can be: a megabyte of gzip may hold one of a gigabyte.

    Raises
    ------
    SourceFormatError
        One is longer.
    """
    while line := text_line(file, path):
        yield line


def text_line(file: BinaryIO, path: Path) -> bytes:
    """Give the next line of an open file, as :func:`text_lines` does; nothing at its end.

    Raises
    ------
    SourceFormatError
        It is longer than :data:`LONGEST_LINE`.
    """
    line = file.readline(LONGEST_LINE + 1)
    if len(line) > LONGEST_LINE:
        raise SourceFormatError(
            "a line is longer than a line of text can be",
            where=str(path),
            expected=f"at most {LONGEST_LINE:,} bytes",
            do="check that this is text, and fetch it again",
        )
    return line


def whole_text(path: Path) -> bytes:
    """Read all of a table that is kept in memory, the byte order mark aside.

    Raises
    ------
    SourceFormatError
        A small file holds so much that it can only be made to.
    """
    refuse_bomb(path)
    with open_text(path) as file:
        return file.read().removeprefix(BYTE_ORDER_MARK)


def refuse_bomb(path: Path) -> None:
    """Refuse a file of which gzip makes far more than a table can be made of, before it is read as a whole.

    Raises
    ------
    SourceFormatError
        It is one.
    """
    most = max(BOMB_BYTES, BOMB_RATIO * path.stat().st_size)
    if not is_gzip(path) or path.stat().st_size * HIGHEST_RATIO <= most:
        return
    n_bytes = 0
    with open_text(path) as file:
        while n_bytes <= most and (piece := file.read(READ_AT_ONCE)):
            n_bytes += len(piece)
    if n_bytes > most:
        raise SourceFormatError(
            "a small file of gzip holds more than a table can",
            where=str(path),
            expected=f"at most {most:,} bytes of text in {path.stat().st_size:,} bytes",
            do="fetch the file again and compare its size and checksum with the publisher's",
        )


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
    except UNREADABLE:
        return b""
