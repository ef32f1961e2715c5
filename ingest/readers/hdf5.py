"""An HDF5 file opened with care: nothing outside it is followed, and damage is told in a sentence.

HDF5 lets a file point at others (external links, virtual and external datasets) and claim shapes that it does not
hold. What a reader asks for here is in the file itself, completely written, and readable with the filters at hand.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path

import h5py
import numpy as np

from featurestore.errors import SourceFormatError, first_of
from ingest.readers.damage import telling_damage
from ingest.readers.hdf5_heap import refuse_endless_heaps

MAX_SOFT_LINKS = 8


def is_hdf5(path: Path) -> bool:
    """Say whether the file carries the HDF5 signature."""
    return path.is_file() and bool(h5py.is_hdf5(path))


def is_hdf5_with(path: Path, marks: Callable[[h5py.File], bool]) -> bool:
    """Say whether the file is HDF5 and has the marks of a format."""
    if not is_hdf5(path):
        return False
    with open_hdf5(path) as file, telling_damage(path, "the root"):
        return marks(file)


def open_hdf5(path: Path) -> h5py.File:
    """Open a file for reading.

    Raises
    ------
    SourceFormatError
        It is truncated or not HDF5, or would keep HDF5 going for ever.
    """
    with telling_damage(path, "the whole"):
        refuse_endless_heaps(path)
        return h5py.File(path, "r", locking="best-effort")


def path_of(node: h5py.Group | h5py.Dataset) -> Path:
    """Return the path of the file that a group or dataset is in."""
    return Path(node.file.filename)


def where(node: h5py.Group | h5py.Dataset, name: str = "") -> str:
    """Name a place in a file, for an error message."""
    place = f"{node.name}/{name}" if name else str(node.name)
    return f"{place.replace('//', '/').removeprefix('/') or 'the root'} of {path_of(node)}"


def member(group: h5py.Group, name: str, *, links_left: int = MAX_SOFT_LINKS) -> h5py.Group | h5py.Dataset | None:
    """Return a member by its path within the group, or None where there is none.

    Raises
    ------
    SourceFormatError
        The path leads out of the file, or in circles.
    """
    node = group
    for part in filter(None, name.split("/")):
        if not isinstance(node, h5py.Group) or not node.id.links.exists(part.encode()):
            return None
        kind = node.id.links.get_info(part.encode()).type
        if kind == h5py.h5l.TYPE_HARD:
            node = node[part]
        elif kind == h5py.h5l.TYPE_SOFT and links_left:
            target = node.get(part, getlink=True).path
            node = member(node.file if target.startswith("/") else node, target, links_left=links_left - 1)
        else:
            soft = kind == h5py.h5l.TYPE_SOFT
            raise SourceFormatError(
                "links lead in a circle" if soft else "a link leads out of the file and is not followed",
                where=where(node, part),
                expected="data in the file itself",
                got="a soft link" if soft else "an external link",
                do="write the file anew with its data inside, for example with h5repack or anndata",
            )
    if node is None or isinstance(node, (h5py.Group, h5py.Dataset)):
        return node
    raise missing(group, name, node, "a group or a dataset")


def require_group(group: h5py.Group, name: str) -> h5py.Group:
    """Return a member that must be a group."""
    node = member(group, name)
    if not isinstance(node, h5py.Group):
        raise missing(group, name, node, "a group")
    return node


def require_dataset(group: h5py.Group, name: str) -> h5py.Dataset:
    """Return a member that must be a dataset, completely written."""
    node = member(group, name)
    if not isinstance(node, h5py.Dataset):
        raise missing(group, name, node, "a dataset")
    return whole(node)


def missing(group: h5py.Group, name: str, node: object, expected: str) -> SourceFormatError:
    """Say that a member is not there, or is of another kind, and what is there."""
    there = first_of(list(map(repr, group)), 12) or "nothing"
    return SourceFormatError(
        f"'{name}' is missing" if node is None else f"'{name}' is not {expected}",
        where=where(group),
        expected=f"{expected} '{name}'",
        got=f"members {there}" if node is None else f"a {type(node).__name__.lower()}",
        do="fetch the file again, or check that it was written to the end",
    )


def whole(dataset: h5py.Dataset) -> h5py.Dataset:
    """Return the dataset if all of its values are in the file and can be read.

    Raises
    ------
    SourceFormatError
        It is kept in another file, needs a filter that is not installed, or was not written to the end. HDF5 would
        otherwise read what was never written as zeros.
    """
    if dataset.is_virtual or dataset.external:
        raise SourceFormatError(
            "values are kept in another file, which is not followed",
            where=where(dataset),
            expected="values in the file itself",
            got="a virtual dataset" if dataset.is_virtual else "an external dataset",
            do="write the file anew with its data inside, for example with h5repack or anndata",
        )
    for code, name in filters(dataset):
        if not _is_available(code):
            raise SourceFormatError(
                "a compression filter is not installed",
                where=where(dataset),
                expected="no filter, gzip, shuffle or lzf; with hdf5plugin also blosc, zstd, lz4 and others",
                got=f"filter {code} ({name})",
                do="pip install 'perturbation-featurestore[filters]', or recompress with h5repack -f GZIP=4",
            )
    expected, stored, unit = written(dataset)
    if stored < expected:
        raise SourceFormatError(
            "the values were not written to the end",
            where=where(dataset),
            expected=f"{expected:,} {unit} for shape {dataset.shape}",
            got=f"{stored:,} {unit}",
            do="fetch the file again, or write it again",
        )
    return dataset


@cache
def _is_available(code: int) -> bool:
    """Say whether HDF5 can undo a filter, by itself or with those that hdf5plugin brings, where it is installed."""
    if not h5py.h5z.filter_avail(code):
        with suppress(ImportError):
            import_module("hdf5plugin")
    return bool(h5py.h5z.filter_avail(code))


def filters(dataset: h5py.Dataset) -> list[tuple[int, str]]:
    """List the filters that a dataset's chunks went through: code and name."""
    properties = dataset.id.get_create_plist()
    found = [properties.get_filter(i) for i in range(properties.get_nfilters())]
    return [(code, name.decode("ascii", "replace") or "unnamed") for code, _, _, name in found]


def compression(dataset: h5py.Dataset) -> str | None:
    """Name the compression of a dataset, None where there is none."""
    names = {h5py.h5z.FILTER_DEFLATE: "gzip", h5py.h5z.FILTER_SHUFFLE: None, h5py.h5z.FILTER_FLETCHER32: None}
    found = [names.get(code, name.split(" ")[0].rstrip(";:,")) for code, name in filters(dataset)]
    return next((name for name in found if name), None)


def written(dataset: h5py.Dataset) -> tuple[int, int, str]:
    """Count what a dataset of this shape takes, what is stored, and the unit of both: bytes or chunks."""
    if dataset.shape is None or not dataset.size:
        return 0, 0, "bytes"
    if dataset.chunks:
        sides = zip(dataset.shape, dataset.chunks, strict=True)
        return math.prod(-(-side // chunk) for side, chunk in sides), dataset.id.get_num_chunks(), "chunks"
    return dataset.size * dataset.id.get_type().get_size(), dataset.id.get_storage_size(), "bytes"


def text_attribute(node: h5py.Group | h5py.Dataset, *names: str) -> str | None:
    """Return the first of these attributes that is there, as text: a scalar, or an array of one."""
    for name in names:
        if name in node.attrs:
            value = np.asarray(node.attrs[name]).reshape(-1)
            first = value[0] if value.size else ""
            return first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)
    return None
