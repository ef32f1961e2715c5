"""Groups and arrays of a file that is a tree, HDF5 or Zarr: what a reader of AnnData or MuData asks of either.

Whatever the container, a member is in the file itself, an array is written to its end, and damage is told in a
sentence: the classes that implement these see to it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.errors import SourceFormatError, first_of

Values: TypeAlias = npt.NDArray[Any]


class Vector(Protocol):
    """An array that is read a stretch of its first axis at a time, in the machine's byte order."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    chunk_length: int

    def __len__(self) -> int: ...

    def read(self, start: int, stop: int) -> Values:
        """Return the values from ``start`` to ``stop``."""
        ...


class Node(ABC):
    """A group or an array: the file it is in, its path there (``obs/gene/codes``), and its attributes."""

    path: Path
    name: str
    attributes: Mapping[str, Any]

    @property
    def place(self) -> str:
        """Where it is, for an error message."""
        return f"{self.name or 'the root'} of {self.path}"

    def text(self, *names: str) -> str | None:
        """Return the first of these attributes that is there, as text: a scalar, or an array of one."""
        return text_among(self.attributes, *names)


class Array(Node):
    """Numbers, truth values or text, of a type and a shape."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    @abstractmethod
    def compression(self) -> str | None:
        """Name the compression, None where there is none."""

    @abstractmethod
    def values(self) -> Values:
        """Read all of it."""

    @abstractmethod
    def column(self, n: int | None = None, *, are_distinct: bool = False) -> pl.Series:
        """Read it as a table's column, of ``n`` values.

        Raises
        ------
        TypeError
            It is not one of text or numbers.
        SourceFormatError
            It is not whole, has not ``n`` values, or claims far more than is stored of it.
        """

    @abstractmethod
    def stretch(self) -> Vector:
        """Open it for reading a stretch at a time."""

    def target(self, attribute: str) -> Node | None:  # noqa: ARG002
        """Return the node that an attribute points at, if it does."""
        return None


class Group(Node):
    """A group of members."""

    @abstractmethod
    def names(self) -> list[str]:
        """List the members."""

    @abstractmethod
    def member(self, name: str) -> Group | Array | None:
        """Return a member by its path within the group, or None where there is none."""

    def group(self, name: str) -> Group:
        """Return a member that must be a group."""
        node = self.member(name)
        if not isinstance(node, Group):
            raise self.missing(name, node, "a group")
        return node

    def array(self, name: str) -> Array:
        """Return a member that must be an array."""
        node = self.member(name)
        if not isinstance(node, Array):
            raise self.missing(name, node, "an array")
        return node

    def missing(self, name: str, node: Node | None, expected: str) -> SourceFormatError:
        """Say that a member is not there, or is of another kind, and what is there."""
        got = "" if node is None else "an array" if isinstance(node, Array) else "a group"
        return missing(name, got, expected, self.names(), self.place)


def missing(name: str, got: str, expected: str, members: Iterable[str], place: str) -> SourceFormatError:
    """Say that a group has no such member, or one of another kind."""
    there = first_of(list(map(repr, members)), 12) or "nothing"
    return SourceFormatError(
        f"'{name}' is not {expected}" if got else f"'{name}' is missing",
        where=place,
        expected=f"{expected} '{name}'",
        got=got or f"members {there}",
        do="fetch the file again, or check that it was written to the end",
    )


def text_among(attributes: Mapping[str, Any], *names: str) -> str | None:
    """Return the first of these attributes that is there, as text: a scalar, or an array of one."""
    for name in names:
        if name in attributes:
            value = np.asarray(attributes[name]).reshape(-1)
            first = value[0] if value.size else ""
            return first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)
    return None


def texts(value: Any) -> list[str]:
    """Return an attribute that lists names; HDF5's empty one, which has no shape, lists none."""
    if getattr(value, "shape", ()) is None:
        return []
    return [name.decode() if isinstance(name, bytes) else str(name) for name in np.asarray(value).reshape(-1)]
