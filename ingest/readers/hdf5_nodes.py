"""HDF5 as a tree of groups and arrays."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
import polars as pl

from ingest.readers.hdf5 import compression, member, path_of, whole
from ingest.readers.hdf5_column import read_column
from ingest.readers.nodes import Array, Group, Node, Values
from ingest.readers.stretch import Stretch


class Hdf5Group(Group):
    """A group of an HDF5 file."""

    def __init__(self, group: h5py.Group) -> None:
        self.hdf5, self.path, self.name = group, path_of(group), _name(group)
        self.attributes = group.attrs

    def names(self) -> list[str]:
        """List the members."""
        return list(self.hdf5)

    def member(self, name: str) -> Group | Array | None:
        """Return a member by its path within the group, or None where there is none."""
        node = member(self.hdf5, name)
        return None if node is None else as_node(node)


class Hdf5Array(Array):
    """A dataset of an HDF5 file."""

    def __init__(self, dataset: h5py.Dataset) -> None:
        self.hdf5, self.path, self.name = dataset, path_of(dataset), _name(dataset)
        self.attributes = dataset.attrs
        self.shape, self.dtype = tuple(map(int, dataset.shape or ())), dataset.dtype

    @property
    def compression(self) -> str | None:
        """Name the compression, None where there is none."""
        return compression(self.hdf5)

    def values(self) -> Values:
        """Read all of it."""
        return np.asarray(whole(self.hdf5)[...])

    def column(self, n: int | None = None, *, are_distinct: bool = False) -> pl.Series:
        """Read it as a table's column, of ``n`` values."""
        return read_column(self.hdf5, n, are_distinct=are_distinct)

    def stretch(self) -> Stretch:
        """Open it for reading a stretch at a time."""
        return Stretch(whole(self.hdf5))

    def field(self, name: str) -> Values:
        """Read a field of a compound dataset."""
        return np.asarray(whole(self.hdf5).fields(name)[...])

    def target(self, attribute: str) -> Node | None:
        """Return the node that an attribute points at, if it does."""
        reference: Any = self.hdf5.attrs.get(attribute)
        is_one = isinstance(reference, h5py.Reference) and bool(reference)
        return as_node(self.hdf5.file[reference]) if is_one else None


def as_node(node: h5py.Group | h5py.Dataset) -> Group | Array:
    """Take a group or dataset of h5py as a node."""
    return Hdf5Array(node) if isinstance(node, h5py.Dataset) else Hdf5Group(node)


def _name(node: h5py.Group | h5py.Dataset) -> str:
    return str(node.name or "").removeprefix("/")
