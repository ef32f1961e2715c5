"""What a file notes of all its values besides its tables, such as AnnData's ``uns``: one text or number a place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ingest.readers.hdf5 import is_hdf5, open_hdf5
from ingest.readers.hdf5_nodes import Hdf5Group
from ingest.readers.mudata_tree import MODALITIES, rna_of
from ingest.readers.nodes import Array, Group, Node
from ingest.readers.zarr import open_storage
from ingest.readers.zarr_nodes import open_node


def is_x(matrix: str | None) -> bool:
    """Say whether a matrix is the one that notes are about: ``X`` of an AnnData, or of a modality.

    Examples
    --------
    >>> [is_x(matrix) for matrix in (None, "X", "mod/rna/X", "layers/counts", "mod/rna/raw/X")]
    [True, True, True, False, False]
    """
    within = matrix.split("/", 2)[-1] if matrix is not None and matrix.startswith(f"{MODALITIES}/") else matrix
    return within in {None, "X"}


def note(path: Path, place: str) -> str | float | None:
    """Read the one text or number at a place of a file, of a MuData's RNA; None where there is none."""
    with _opened(path) as root:
        node = _at(root, place)
        if not isinstance(node, Array) or node.shape not in {(), (1,)}:
            return None
        first = node.values().ravel()[0]
        if isinstance(first, (bytes, str)):
            return (first.decode(errors="replace") if isinstance(first, bytes) else first).strip()
        return float(first) if isinstance(first, (np.number, int, float)) else None


def has_note(path: Path, place: str) -> bool:
    """Say whether there is anything at a place of a file, of a MuData's RNA."""
    with _opened(path) as root:
        return _at(root, place) is not None


def _at(root: Group | None, place: str) -> Node | None:
    if root is None:
        return None
    within = rna_of(root)
    return None if within is None else within.member(place)


@contextmanager
def _opened(path: Path) -> Iterator[Group | None]:
    """Open a file that is a tree; None where it is of another kind."""
    if is_hdf5(path):
        with open_hdf5(path) as file:
            yield Hdf5Group(file)
        return
    storage = open_storage(path)
    if storage is None:
        yield None
        return
    try:
        root = open_node(storage, "")
        yield root if isinstance(root, Group) else None
    finally:
        storage.close()
