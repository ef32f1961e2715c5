"""Zarr as a tree of groups and arrays, whose chunks are read by range, each where it lies."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.errors import SourceFormatError
from ingest.readers.chunks import Chunks, grid_of
from ingest.readers.columns import as_column
from ingest.readers.damage import telling_damage
from ingest.readers.nodes import Array, Group, Values
from ingest.readers.stretch import in_memory
from ingest.readers.zarr_codecs import as_native, texts_of, unpacked
from ingest.readers.zarr_metadata import (
    METADATA,
    V2_ARRAY,
    V2_ATTRIBUTES,
    V2_GROUP,
    V3,
    Layout,
    parse_v2,
    parse_v3,
    read_json,
)
from ingest.readers.zarr_storage import BOMB_BYTES, BOMB_RATIO, Storage

ABSENT = np.uint64(2**64 - 1)
"""Place of a chunk, in the index of a shard, that is not stored."""
PLACE_BYTES = 16
GAP = 64 * 2**10
"""Chunks of a store that is far are read together where less than this lies between them. Unit: bytes."""
TEXT_BYTES = 16
"""What a text takes at least, in memory."""


class ZarrGroup(Group):
    """A group of a Zarr store."""

    def __init__(self, storage: Storage, name: str, attributes: Mapping[str, Any], version: int) -> None:
        self.storage, self.path, self.name, self.version = storage, storage.path, name, version
        self.attributes = attributes

    def names(self) -> list[str]:
        """List the members."""
        return [name for name in self.storage.names(self.name) if self._is_node(f"{self.name}/{name}".strip("/"))]

    def member(self, name: str) -> Group | Array | None:
        """Return a member by its path within the group, or None where there is none."""
        parts = name.split("/")
        if any(part in {"", ".", ".."} for part in parts):
            return None
        return open_node(self.storage, "/".join([self.name, *parts]).strip("/"))

    def _is_node(self, name: str) -> bool:
        return any(self.storage.size(f"{name}/{key}") is not None for key in (V3, V2_ARRAY, V2_GROUP))


class ZarrArray(Array):
    """An array of a Zarr store."""

    def __init__(self, storage: Storage, name: str, attributes: Mapping[str, Any], layout: Layout) -> None:
        self.storage, self.path, self.name, self.layout = storage, storage.path, name, layout
        self.attributes, self.shape, self.dtype = attributes, layout.shape, layout.dtype

    @property
    def compression(self) -> str | None:
        """Name the compression, and whether chunks are in shards."""
        parts = [self.layout.packed, "sharded" if self.layout.shards is not None else None]
        return ", ".join(filter(None, parts)) or None

    def values(self) -> Values:
        """Read all of it."""
        self._refuse_bomb()
        chunks = ZarrChunks(self)
        with telling_damage(self.path, self.name):
            if not self.shape:
                return chunks.decoded(0).reshape(())
            if not math.prod(self.shape):
                return np.empty(self.shape, chunks.dtype)
            return chunks.read(0, self.shape[0])

    def column(self, n: int | None = None, *, are_distinct: bool = False) -> pl.Series:  # noqa: ARG002
        """Read it as a table's column, of ``n`` values.

        Raises
        ------
        SourceFormatError
            It has another length, or is damaged.
        """
        if n is not None and self.shape[:1] != (n,):
            raise SourceFormatError(
                f"field '{PurePosixPath(self.name).name}' is not as long as the table",
                where=self.place,
                expected=f"{n:,} values",
                got=f"shape {self.shape}",
                do="fetch the file again",
            )
        values = self.values()
        return pl.Series(values.tolist(), dtype=pl.String) if values.dtype.kind in "OU" else as_column(values)

    def stretch(self) -> ZarrChunks:
        """Open it for reading a stretch at a time; of a vector, each chunk must be stored."""
        return ZarrChunks(self, is_whole=len(self.shape) == 1)

    def n_absent(self) -> int:
        """Count the objects of the array that are not stored, and read as what it is filled with."""
        outer = self.layout.chunk if self.layout.shards is None else self.layout.shards.shape
        return math.prod(grid_of(self.shape, outer)) - len(self._stored())

    def _stored(self) -> list[int]:
        """List the sizes of the objects of the array. Unit: bytes."""
        return [size for key, size in self.storage.below(self.name) if PurePosixPath(key).name not in METADATA]

    def _refuse_bomb(self) -> None:
        """Refuse an array that would fill the memory out of next to nothing in the store."""
        claimed = math.prod(self.shape) * (TEXT_BYTES if self.layout.text else self.dtype.itemsize)
        stored = sum(self._stored()) if claimed > BOMB_BYTES else claimed
        if claimed > BOMB_RATIO * stored:
            raise SourceFormatError(
                "a column claims far more than is stored of it",
                where=self.place,
                expected=f"at most {BOMB_RATIO} bytes for each one stored",
                got=f"{claimed:,} bytes out of {stored:,}",
                do="fetch the file again and compare its size and checksum with the publisher's",
            )


class ZarrChunks(Chunks):
    """The chunks of an array, and stretches of it.

    Parameters
    ----------
    array
        The array.
    is_whole
        Whether a chunk that is not stored is lost, rather than full of the value that the array is filled with.
    """

    def __init__(self, array: ZarrArray, *, is_whole: bool = False) -> None:
        layout = array.layout
        self.dtype = layout.dtype if layout.dtype.kind in "OUb" else in_memory(layout.dtype)
        super().__init__(layout.shape, layout.chunk, self.dtype)
        self.shape = layout.shape
        self.chunk_length = layout.chunk[0] if layout.chunk else 1
        self._array, self._layout, self._is_whole = array, layout, is_whole
        self._indices: dict[str, npt.NDArray[np.uint64] | None] = {}

    def __len__(self) -> int:
        return self.shape[0]

    def read(self, start: int, stop: int) -> Values:
        """Return the values from ``start`` to ``stop`` of the first axis."""
        if not math.prod((stop - start, *self.shape[1:])):
            return np.empty((stop - start, *self.shape[1:]), self.dtype)
        with telling_damage(self._array.path, self._array.name):
            return super().read(start, stop)

    @contextmanager
    def opened(self, numbers: npt.NDArray[np.int64]) -> Iterator[Mapping[int, bytes]]:
        """Read the indices of the shards before threads do; of a store that is far, also the chunks, by neighbours."""
        kept = self._kept[0] if self._kept is not None else None
        wanted = [number for number in numbers.tolist() if number != kept and self._layout.shards is not None]
        places = [(number, *self._place(number)) for number in wanted]
        yield self._together(places) if self._array.storage.is_far else {}

    def _together(self, places: Sequence[tuple[int, str, int, int | None]]) -> dict[int, bytes]:
        """Read chunks of shards that lie beside each other in one go."""
        found: dict[int, bytes] = {}
        stored = sorted((key, start, length, number) for number, key, start, length in places if length)
        while stored:
            key, begin, length, _ = stored[0]
            end, n = begin + length, 1
            while n < len(stored) and stored[n][0] == key and 0 <= stored[n][1] - end <= GAP:
                end, n = stored[n][1] + stored[n][2], n + 1
            raw = self._array.storage.read(key, begin, end - begin)
            for _, start, length, number in stored[:n]:
                found[number] = raw[start - begin : start - begin + length]
            stored = stored[n:]
        return found

    def decoded(self, number: int, source: Mapping[int, bytes] | None = None) -> Values:
        """Read and unpack a chunk.

        Raises
        ------
        ValueError
            It is not stored, and has to be.
        """
        layout = self._layout
        raw = source[number] if source and number in source else self._raw(number)
        if raw is None and self._is_whole:
            raise ValueError(f"chunk {number:,} is not stored")
        if raw is None:
            return np.broadcast_to(np.array(layout.fill, layout.dtype), layout.chunk)
        content = unpacked(raw, layout.unpack, layout.chunk_bytes)
        if layout.text is not None:
            values = np.empty(math.prod(layout.chunk), object)
            values[:] = texts_of(content, layout.text, values.size)
        else:
            values = as_native(content, layout.dtype)
        return values.reshape(layout.chunk[::-1]).T if layout.is_reversed else values.reshape(layout.chunk)

    def _raw(self, number: int) -> bytes | None:
        key, start, length = self._place(number)
        storage = self._array.storage
        if length == 0 or (length is None and storage.size(key) is None):
            return None
        raw = storage.read(key, start, length)
        if length is not None and len(raw) < length:
            raise EOFError(f"'{key}' ends within chunk {number:,}")
        return raw

    def _place(self, number: int) -> tuple[str, int, int | None]:
        """Find a chunk: the object, and where in it; no length is all of it, and 0 none of it."""
        place = [int(at) for at in np.unravel_index(number, self._grid)] if self._grid else []
        layout, name = self._layout, self._array.name
        if layout.shards is None:
            return f"{name}/{layout.key(place)}", 0, None
        inner = [whole // part for whole, part in zip(layout.shards.shape, layout.chunk, strict=True)]
        outer, within = zip(*(divmod(at, n) for at, n in zip(place, inner, strict=True)), strict=True)
        key = f"{name}/{layout.key(outer)}"
        if key not in self._indices:
            self._indices[key] = self._index(key, math.prod(inner))
        index = self._indices[key]
        if index is None:
            return key, 0, 0
        start, length = index[int(np.ravel_multi_index(within, inner))]
        return (key, 0, 0) if start == ABSENT else (key, int(start), int(length))

    def _index(self, key: str, n_chunks: int) -> npt.NDArray[np.uint64] | None:
        """Read the index of a shard: where its chunks are, shape (chunks, 2); None where it is not stored."""
        shards, storage = self._layout.shards, self._array.storage
        size = storage.size(key)
        if size is None or shards is None:
            return None
        length = n_chunks * PLACE_BYTES + 4 * len(shards.unpack)
        if length > size:
            raise EOFError(f"'{key}' is shorter than its index")
        raw = storage.read(key, size - length if shards.is_last else 0, length)
        index = np.frombuffer(unpacked(raw, shards.unpack, n_chunks * PLACE_BYTES), "<u8").reshape(-1, 2)
        is_there = index[:, 0] != ABSENT
        if (index[is_there].astype(np.float64).sum(axis=1) > size).any():
            raise ValueError(f"the index of '{key}' points beyond its end")
        return index


def open_node(storage: Storage, name: str) -> ZarrGroup | ZarrArray | None:
    """Open the group or array of a path, or return None where there is none.

    Raises
    ------
    SourceFormatError
        What is noted of it cannot be read.
    """
    with telling_damage(storage.path, name or "the root"):
        noted = read_json(storage, f"{name}/{V3}".removeprefix("/"))
        if noted is not None:
            attributes = _attributes(noted.get("attributes"))
            if noted["node_type"] == "group":
                return ZarrGroup(storage, name, attributes, 3)
            return ZarrArray(storage, name, attributes, _parsed(parse_v3, noted))
        array = read_json(storage, f"{name}/{V2_ARRAY}".removeprefix("/"))
        group = read_json(storage, f"{name}/{V2_GROUP}".removeprefix("/")) if array is None else None
        if array is None and group is None:
            return None
        attributes = _attributes(read_json(storage, f"{name}/{V2_ATTRIBUTES}".removeprefix("/")))
        if array is None:
            return ZarrGroup(storage, name, attributes, 2)
        return ZarrArray(storage, name, attributes, _parsed(parse_v2, array))


def _parsed(parse: Callable[[Mapping[str, Any]], Layout], noted: Mapping[str, Any]) -> Layout:
    """Read the metadata of an array, in which anything may stand in the place of anything."""
    try:
        return parse(noted)
    except (AttributeError, KeyError) as error:
        raise ValueError(f"the metadata of an array is not as it should be: {error}") from error


def _attributes(found: Any) -> Mapping[str, Any]:
    if found is not None and not isinstance(found, dict):
        raise TypeError("attributes are no object of JSON")
    return found or {}
