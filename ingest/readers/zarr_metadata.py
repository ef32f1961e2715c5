"""What Zarr notes of an array and of a group, in versions 2 and 3: whatever is not as it should be, raises.

See the specifications of Zarr, "Zarr core specification" and "sharding codec", at zarr-specs.readthedocs.io.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ingest.readers.zarr_codecs import TEXT_CODECS, Unpack, unpacking
from ingest.readers.zarr_storage import Storage

V3, V2_GROUP, V2_ARRAY, V2_ATTRIBUTES = "zarr.json", ".zgroup", ".zarray", ".zattrs"
METADATA = frozenset({V3, V2_GROUP, V2_ARRAY, V2_ATTRIBUTES})
SHARDS = "sharding_indexed"
NUMBERS = frozenset(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)) | {"float32", "float64"}
MOST_METADATA = 2**26
"""How large a piece of metadata may be: that of a whole store is in one. Unit: bytes."""
MOST_AXES = 8


@dataclass(frozen=True, slots=True)
class Shards:
    """Chunks that lie in objects together, each with an index of its chunks.

    ``shape`` is that of a shard.
    """

    shape: tuple[int, ...]
    unpack: list[Unpack]
    is_last: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """How an array is stored.

    Parameters
    ----------
    shape, chunk
        Of the array, and of the smallest part of it that is packed by itself.
    dtype
        The stored type of numbers; that of Python's text for text.
    text
        The codec of text of any length, None for numbers and text of fixed length.
    fill
        What a chunk that is not stored is full of.
    unpack, packed
        How chunks are unpacked, and what with.
    is_reversed
        Whether the first axis of a chunk runs fastest.
    separator, is_default
        How the key of a chunk is written.
    shards
        How chunks lie together, if they do.
    """

    shape: tuple[int, ...]
    chunk: tuple[int, ...]
    dtype: np.dtype[Any]
    text: str | None
    fill: Any
    unpack: list[Unpack]
    packed: str | None
    is_reversed: bool
    separator: str
    is_default: bool
    shards: Shards | None = None

    @property
    def chunk_bytes(self) -> int | None:
        """How much a chunk holds, unpacked; None for text of any length."""
        return None if self.text else math.prod(self.chunk) * self.dtype.itemsize

    def key(self, place: Sequence[int]) -> str:
        """Write the key of an object, within the array, by its place in the grid."""
        written = list(map(str, place))
        if self.is_default:
            return self.separator.join(["c", *written])
        return self.separator.join(written) or "0"


def read_json(storage: Storage, key: str) -> dict[str, Any] | None:
    """Read an object of JSON, None where there is none.

    Raises
    ------
    ValueError
        It is too large for metadata, or no JSON.
    TypeError
        It is no object.
    """
    size = storage.size(key)
    if size is None:
        return None
    if size > MOST_METADATA:
        raise ValueError(f"'{key}' is too large for metadata: {size:,} bytes")
    found = json.loads(storage.read(key))
    if not isinstance(found, dict):
        raise TypeError(f"'{key}' holds no object of JSON")
    return found


def parse_v3(noted: Mapping[str, Any]) -> Layout:
    """Read the metadata of an array of version 3.

    Raises
    ------
    KeyError, TypeError, ValueError
        Something of it is not there, or not known here.
    """
    shape, outer = _sides(noted["shape"], 0), _sides(noted["chunk_grid"]["configuration"]["chunk_shape"], 1)
    keys = noted.get("chunk_key_encoding", {})
    is_default = keys.get("name", "default") == "default"
    separator = keys.get("configuration", {}).get("separator", "/" if is_default else ".")
    codecs, shards, chunk = list(noted["codecs"]), None, outer
    if codecs and codecs[0]["name"] == SHARDS:
        given = codecs[0]["configuration"]
        if len(codecs) > 1:
            raise ValueError("shards are packed as a whole, which cannot be read by chunk")
        chunk, codecs = _sides(given["chunk_shape"], 1), list(given["codecs"])
        shards = Shards(outer, _index_codecs(given), given.get("index_location", "end") == "end")
        if len(chunk) != len(outer) or any(whole % part for whole, part in zip(outer, chunk, strict=True)):
            raise ValueError(f"chunks of shape {chunk} do not fill shards of shape {outer}")
    is_reversed, codecs = _order(codecs, len(chunk))
    text, order, packing = _to_bytes(codecs)
    dtype = _dtype_v3(noted["data_type"], order, text)
    return _layout(
        shape, chunk, dtype, text, noted.get("fill_value"), packing, is_reversed, str(separator), is_default, shards
    )


def parse_v2(noted: Mapping[str, Any]) -> Layout:
    """Read the metadata of an array of version 2.

    Raises
    ------
    KeyError, TypeError, ValueError
        Something of it is not there, or not known here.
    """
    if not isinstance(noted["dtype"], str):
        raise TypeError("a structured type is not known")
    dtype = np.dtype(noted["dtype"])
    filters = [str(each["id"]) for each in noted.get("filters") or []]
    text = filters[0] if filters[:1] and filters[0] in TEXT_CODECS else None
    if filters[int(text is not None) :] or (dtype.kind == "O" and text is None):
        raise ValueError(f"filters that are not known: {', '.join(filters) or 'objects without any'}")
    compressor = noted.get("compressor")
    packing = [] if compressor is None else [{"name": compressor["id"]}]
    is_reversed = noted.get("order", "C") == "F"
    shape, chunk = _sides(noted["shape"], 0), _sides(noted["chunks"], 1)
    separator = str(noted.get("dimension_separator", "."))
    return _layout(
        shape, chunk, dtype, text, noted.get("fill_value"), packing, is_reversed, separator, is_default=False
    )


def _layout(
    shape: tuple[int, ...],
    chunk: tuple[int, ...],
    dtype: np.dtype[Any],
    text: str | None,
    fill: Any,
    packing: Sequence[Mapping[str, Any]],
    is_reversed: bool,  # noqa: FBT001
    separator: str,
    is_default: bool,  # noqa: FBT001
    shards: Shards | None = None,
) -> Layout:
    if len(shape) != len(chunk) or separator not in {"/", "."}:
        raise ValueError(f"chunks of shape {chunk} and keys with {separator!r} do not fit an array of shape {shape}")
    names = [str(each["name"]) for each in packing if each["name"] != "crc32c"]
    method = " ".join(names) or None
    value: Any = ("" if fill is None else fill) if text else np.array(0 if fill is None else fill, dtype)
    unpack = unpacking(packing)
    return Layout(shape, chunk, dtype, text, value, unpack, method, is_reversed, separator, is_default, shards)


def _sides(given: Any, least: int) -> tuple[int, ...]:
    sides = tuple(given)
    if len(sides) > MOST_AXES or not all(type(side) is int and least <= side < 2**48 for side in sides):
        raise ValueError(f"{given!r} is no shape")
    return sides


def _order(codecs: list[Any], n_axes: int) -> tuple[bool, list[Any]]:
    """Take the codec that turns axes off: they may be reversed, or stay."""
    if not codecs or codecs[0]["name"] != "transpose":
        return False, codecs
    order = list(codecs[0]["configuration"]["order"])
    if order not in (list(range(n_axes)), list(range(n_axes))[::-1]):
        raise ValueError(f"axes in the order {order} are not known")
    return order != sorted(order), codecs[1:]


def _to_bytes(codecs: Sequence[Mapping[str, Any]]) -> tuple[str | None, str, list[Mapping[str, Any]]]:
    """Tell how values are bytes: as text of any length, or as numbers in an order; and what packs them."""
    first = str(codecs[0]["name"])
    if first not in {"bytes", *TEXT_CODECS}:
        raise ValueError(f"the codec '{first}' is not known")
    is_big = codecs[0].get("configuration", {}).get("endian", "little") == "big"
    return first if first in TEXT_CODECS else None, ">" if is_big else "<", list(codecs[1:])


def _index_codecs(given: Mapping[str, Any]) -> list[Unpack]:
    _, order, packing = _to_bytes(given["index_codecs"])
    if order != "<" or any(each["name"] != "crc32c" for each in packing):
        raise ValueError("an index of shards is packed in a way that is not known")
    return unpacking(packing)


def _dtype_v3(name: Any, order: str, text: str | None) -> np.dtype[Any]:
    if text is not None:
        return np.dtype(object)
    if name == "bool":
        return np.dtype(bool)
    if name in NUMBERS or name == "float16":
        dtype: np.dtype[Any] = np.dtype(name).newbyteorder(order)
        return dtype
    if isinstance(name, dict) and name["name"] == "fixed_length_utf32":
        return np.dtype(f"{order}U{int(name['configuration']['length_bytes']) // 4}")
    raise ValueError(f"the type {name!r} is not known")
