"""Pages of a Parquet column whose values are looked up in a dictionary: the bytes of each, taken apart by the reader.

What is told here is what writers make of lists with few distinct items, such as tokens and counts: pages of the first
version, with a dictionary. Anything else is left to Arrow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa

from ingest.reader import Numbers
from ingest.readers.page_values import Bytes, unsigned

DATA, DICTIONARY = 0, 2
"""Types of pages."""
PLAIN, PLAIN_DICTIONARY, RLE, RLE_DICTIONARY = 0, 2, 3, 8
"""Encodings of values, and of the levels by which lists are told."""
TYPES = {"INT32": "<i4", "INT64": "<i8", "FLOAT": "<f4", "DOUBLE": "<f8"}
MOST_BYTES = 2**28
"""Columns of larger row groups are left to Arrow, which holds less of them at a time."""
TRUE, FALSE, BYTE, DOUBLE, BINARY, STRUCT = 1, 2, 3, 7, 8, 12
WHOLE = (4, 5, 6)
"""Types of fields in the compact protocol of Thrift; the whole numbers have 16, 32 and 64 bits."""


class UnknownPageError(ValueError):
    """A page is none of those that are told here."""


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages of a column in one row group, inflated one after another.

    Attributes
    ----------
    dictionary
        The distinct values. Shape (distinct,).
    stored
        Each page as it lies in the file, how many bytes it has once it is inflated, and how many values.
    compression
        How they are compressed.
    """

    dictionary: Numbers
    stored: list[tuple[Bytes, int, int]]
    compression: str

    def __iter__(self) -> Iterator[tuple[Bytes, int]]:
        """Yield the content of each page, and how many values are in it."""
        for page, n_bytes, n_values in self.stored:
            yield np.frombuffer(_inflated(page, self.compression, n_bytes), np.uint8), n_values


def read_pages(file: BinaryIO, column: Any) -> Pages:
    """Read the pages of a column in a row group.

    Parameters
    ----------
    file
        The file.
    column
        What the metadata of the file say of the column: ``pyarrow.parquet.ColumnChunkMetaData``.

    Raises
    ------
    UnknownPageError
        They are of another kind; what is damaged raises any of :data:`ingest.readers.damage.DAMAGE`, here or as it is
        inflated.
    """
    if column.physical_type not in TYPES or not column.has_dictionary_page or column.total_compressed_size > MOST_BYTES:
        raise UnknownPageError
    file.seek(column.dictionary_page_offset)
    content = np.frombuffer(file.read(column.total_compressed_size), np.uint8)
    dictionary: Numbers | None = None
    stored: list[tuple[Bytes, int, int]] = []
    place = n_values = 0
    while n_values < column.num_values:
        header, place = _struct(content, place)
        kind, n_bytes, n_stored = header[1], header[2], header[3]
        page = content[place : place + n_stored]
        if not 0 <= n_stored == len(page) or not 0 <= n_bytes <= MOST_BYTES:
            raise UnknownPageError
        place += n_stored
        if kind == DICTIONARY and dictionary is None and header[7][2] in (PLAIN, PLAIN_DICTIONARY):
            inflated = _inflated(page, column.compression, n_bytes)
            dictionary = np.frombuffer(inflated, TYPES[column.physical_type], header[7][1])
        elif (
            kind == DATA and header[5][2] in (PLAIN_DICTIONARY, RLE_DICTIONARY) and header[5][3] == header[5][4] == RLE
        ):
            stored.append((page, n_bytes, header[5][1]))
            n_values += header[5][1]
        else:
            raise UnknownPageError
    if dictionary is None or n_values != column.num_values or any(n < 0 for _, _, n in stored):
        raise UnknownPageError
    return Pages(dictionary, stored, column.compression)


def _inflated(stored: Bytes, compression: str, n_bytes: int) -> Any:
    if compression == "UNCOMPRESSED":
        return stored
    return pa.decompress(pa.py_buffer(stored), n_bytes, compression.lower())


def _struct(content: Bytes, place: int) -> tuple[dict[int, Any], int]:
    """Read a struct of the compact protocol of Thrift: fields by number, and where it ends."""
    fields: dict[int, Any] = {}
    number = 0
    while True:
        head = int(content[place])
        place += 1
        if head == 0:
            return fields, place
        kind, step = head & 15, head >> 4
        if step == 0:
            step, place = _whole(content, place)
            step -= number
        number += step
        fields[number], place = _field(content, place, kind)


def _field(content: Bytes, place: int, kind: int) -> tuple[Any, int]:
    if kind in (TRUE, FALSE):
        return kind == TRUE, place
    if kind in WHOLE:
        return _whole(content, place)
    if kind == BINARY:
        length, place = _unsigned(content, place)
        return None, place + length
    if kind == STRUCT:
        return _struct(content, place)
    if kind in (BYTE, DOUBLE):
        return None, place + (1 if kind == BYTE else 8)
    raise UnknownPageError


def _whole(content: Bytes, place: int) -> tuple[int, int]:
    number, place = _unsigned(content, place)
    return (number >> 1) ^ -(number & 1), place


def _unsigned(content: Bytes, place: int) -> tuple[int, int]:
    number, place = unsigned(content, place, content.size)
    if number < 0:
        raise UnknownPageError
    return number, place
