"""Codecs of Zarr: how the bytes of a chunk become its values, never more of them than the chunk holds.

What a packed chunk claims to hold is compared with its shape before it is unpacked, by numcodecs or isal.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from isal import isal_zlib

from ingest.readers.nodes import Values

Unpack: TypeAlias = Callable[[bytes, int | None], bytes]
"""Unpacks bytes of which so many are expected; of text, whose length is not known, None."""

TEXT_CODECS = frozenset({"vlen-utf8", "vlen-bytes"})
MOST_TEXT = 2**28
"""How much a chunk of text may be unpacked. Unit: bytes."""
TEXT_RATIO = 500
CRC_BYTES = 4
GZIP_WINDOW, ZLIB_WINDOW = 31, 15
ZSTD_MARK = 0xFD2FB528
ZSTD_SIZES = {0: 0, 1: 2, 2: 4, 3: 8}
"""Bytes of the field for the size of a frame, by the flag of its head; with one segment the smallest has 1."""


def unpacking(codecs: Sequence[Mapping[str, Any]]) -> list[Unpack]:
    """Choose how bytes are unpacked, in the order in which codecs were applied.

    Raises
    ------
    ValueError
        A codec is not known.
    """
    found = []
    for codec in codecs:
        name = str(codec["name"]).removeprefix("numcodecs.")
        if name not in UNPACKERS:
            raise ValueError(
                f"the codec '{name}' is not known: write the store anew with one of {', '.join(UNPACKERS)}"
            )
        found.append(UNPACKERS[name])
    return found


def unpacked(raw: bytes, unpackers: Sequence[Unpack], expected: int | None) -> bytes:
    """Undo codecs, the last first.

    Raises
    ------
    ValueError
        Other than so many bytes come out.
    """
    for number, unpack in reversed(list(enumerate(unpackers))):
        has_more = any(each is not _checked for each in unpackers[:number])
        raw = unpack(raw, None if has_more else expected)
    if expected is not None and len(raw) != expected:
        raise ValueError(f"a chunk holds {len(raw):,} bytes instead of {expected:,}")
    return raw


def texts_of(raw: bytes, codec: str, n: int) -> list[Any]:
    """Read a chunk of ``n`` texts of any length.

    Raises
    ------
    ValueError
        It holds another number of texts.
    """
    claimed = struct.unpack_from("<I", raw)[0]
    if claimed != n:
        raise ValueError(f"a chunk holds {claimed:,} texts instead of {n:,}")
    from numcodecs import VLenBytes, VLenUTF8  # noqa: PLC0415, slow to load, and few files are Zarr

    return list((VLenUTF8() if codec == "vlen-utf8" else VLenBytes()).decode(raw))


def _require(claimed: int, expected: int | None, raw: bytes) -> None:
    most = max(MOST_TEXT, TEXT_RATIO * len(raw)) if expected is None else expected
    if claimed > most or (expected is not None and claimed != expected):
        raise ValueError(f"a chunk claims {claimed:,} bytes instead of {most:,}")


def _zstd(raw: bytes, expected: int | None) -> bytes:
    from numcodecs import zstd  # noqa: PLC0415

    mark, flags = struct.unpack_from("<IB", raw)
    is_single, has_dictionary = bool(flags & 0x20), (0, 1, 2, 4)[flags & 3]
    n_bytes = ZSTD_SIZES[flags >> 6] or int(is_single)
    if mark != ZSTD_MARK or not n_bytes:
        raise ValueError("a chunk is no frame of zstd that says its size")
    at = 5 + (not is_single) + has_dictionary
    size = int.from_bytes(raw[at : at + n_bytes], "little") + (256 if n_bytes == 2 else 0)  # noqa: PLR2004, see RFC 8878
    _require(size, expected, raw)
    return bytes(zstd.decompress(raw))


def _blosc(raw: bytes, expected: int | None) -> bytes:
    from numcodecs import blosc  # noqa: PLC0415

    size, _, packed = struct.unpack_from("<III", raw, 4)
    if packed != len(raw):  # which blosc does not look at
        raise ValueError(f"a chunk of {packed:,} bytes has {len(raw):,}")
    _require(size, expected, raw)
    return bytes(blosc.decompress(raw))


def _lz4(raw: bytes, expected: int | None) -> bytes:
    from numcodecs import lz4  # noqa: PLC0415

    _require(struct.unpack_from("<I", raw)[0], expected, raw)
    return bytes(lz4.decompress(raw))


def _inflate(window: int) -> Unpack:
    def inflate(raw: bytes, expected: int | None) -> bytes:
        most = max(MOST_TEXT, TEXT_RATIO * len(raw)) if expected is None else expected
        found = isal_zlib.decompressobj(window).decompress(raw, most + 1)
        if len(found) > most:
            raise ValueError(f"a chunk holds more than {most:,} bytes")
        return bytes(found)

    return inflate


def _checked(raw: bytes, expected: int | None) -> bytes:  # noqa: ARG001
    """Take the checksum off, which must be that of the rest."""
    import google_crc32c  # noqa: PLC0415

    content, crc = raw[:-CRC_BYTES], raw[-CRC_BYTES:]
    if google_crc32c.value(content) != int.from_bytes(crc, "little"):
        raise ValueError("a chunk does not have its checksum")
    return content


UNPACKERS: dict[str, Unpack] = {
    "zstd": _zstd,
    "gzip": _inflate(GZIP_WINDOW),
    "blosc": _blosc,
    "lz4": _lz4,
    "zlib": _inflate(ZLIB_WINDOW),
    "crc32c": _checked,
}


def as_native(raw: bytes, dtype: np.dtype[Any]) -> Values:
    """Take bytes as numbers of a type."""
    return np.frombuffer(raw, dtype)
