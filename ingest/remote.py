"""Releases published to an object store: made in a scratch folder, copied, and named by a conditional put.

A snapshot is an object that is created only if there is none of its number, which the store decides; whoever loses
reads the latest and tries the next. Of a release, tables come first and the manifest last, once: whoever makes the same
release at the same time takes the manifest that is there. The one table that tells when it was ingested has a name of
its own in every try, so that no try changes what another published.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

from featurestore.errors import SpecError, did_you_mean
from featurestore.storage.checksums import checksum_of
from featurestore.storage.locks import own
from featurestore.storage.objects import ObjectStore
from featurestore.storage.snapshot import (
    EMPTY,
    HEADS,
    MANIFEST,
    REFERENCES,
    SNAPSHOTS,
    Snapshot,
    head_path,
    release_path,
    snapshot_path,
    snapshot_text,
)
from ingest.pipeline import Outcome
from ingest.progress import step
from ingest.readers.zarr import ROOTS, wanted_of
from ingest.readers.zarr_storage import Mirror, served
from ingest.release.heads import record_head
from ingest.release.publish import content_hash, following
from ingest.spec import DatasetSpec

SCRATCH = "FEATURESTORE_SCRATCH"
"""Environment variable: the folder for what is on its way from or to an object store, if not the system's."""
BESIDE_BYTES = 64 * 2**20
"""What lies in the folder of inputs, and is not a file of the spec, is fetched up to this size: side tables."""


@contextmanager
def scratch(purpose: str | None = None) -> Iterator[Path]:
    """Give a folder for what is on its way; it is gone at the end.

    In the folder that ``FEATURESTORE_SCRATCH`` names, one with a purpose stays when it does not come to its end, and is
    given again to the next who has the same purpose, one at a time: who is interrupted continues where it stopped.
    """
    place = os.environ.get(SCRATCH)
    with ExitStack() as stack:
        kept = _take(Path(place), purpose, stack) if place and purpose else None
        if kept is None:
            yield Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="featurestore-", dir=place)))
            return
        yield kept
        shutil.rmtree(kept, ignore_errors=True)


def _take(place: Path, purpose: str, stack: ExitStack) -> Path | None:
    """Make the folder of a purpose, or find it as it was left, and lock it; None where another process has it."""
    folder = place / f"featurestore-{content_hash(purpose)}"
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = own(folder)
    if descriptor is None:
        return None
    stack.callback(os.close, descriptor)
    return folder


def copy_latest(store: ObjectStore, root: Path) -> None:
    """Lay out a folder like the warehouse on an object store, with what its latest snapshot says, but no tables.

    A release that was made there before, and not published, stays; the snapshot that names it does not.
    """
    root.mkdir(parents=True, exist_ok=True)
    for folder in (SNAPSHOTS, HEADS):
        shutil.rmtree(root / folder, ignore_errors=True)
    latest = store.copy_snapshot(root)
    store.copy_manifests(root, latest)
    record_head(root, latest)


def push(store: ObjectStore, root: Path, outcome: Outcome) -> Outcome:
    """Publish a release from a scratch warehouse to an object store.

    Parameters
    ----------
    store
        The warehouse there.
    root
        The scratch warehouse, in which the release was published.
    outcome
        What the ingest did in it.

    Returns
    -------
    The outcome, with the number of the snapshot there.

    Raises
    ------
    WarehouseError
        The store does not answer.
    """
    release = release_path(root, outcome.dataset_id, outcome.release_id)
    prefix = release.relative_to(root).as_posix()
    name = f"{prefix}/{MANIFEST}"
    if not store.snapshot_numbers():
        store.create(head_path(Path(), 0).as_posix(), snapshot_text(EMPTY).encode())
    if name not in store.names(prefix):
        files = [_named(file) for file in outcome.manifest["files"]]
        reference = f"{REFERENCES}/{outcome.manifest['gene_reference']}"
        copied = [(f"{prefix}/{new['path']}", release / old["path"]) for old, new in files]
        copied += [(f"{reference}/{path.name}", path) for path in sorted((root / reference).iterdir())]
        with step(f"to {store.url}", sum(p.stat().st_size for _, p in copied), in_bytes=True) as advance:
            for target, path in copied:
                store.write(target, path)
                advance(path.stat().st_size)
        content = outcome.manifest | {"files": [new for _, new in files]}
        store.create(name, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
    manifest = store.read(name)
    snapshot = _name(store, outcome, hashlib.sha256(manifest).hexdigest())
    return replace(outcome, snapshot=snapshot.number, manifest=json.loads(manifest))


def _name(store: ObjectStore, outcome: Outcome, checksum: str) -> Snapshot:
    while True:
        with scratch() as folder:
            latest = store.copy_snapshot(folder)
            if latest.datasets.get(outcome.dataset_id) == outcome.release_id:
                return latest
            path = snapshot_path(folder, latest.number)
            previous = hashlib.sha256(path.read_bytes()).hexdigest() if latest.number else None
        snapshot = following(latest, outcome.dataset_id, outcome.release_id, checksum, previous)
        target = snapshot_path(Path(), snapshot.number).as_posix()
        content = snapshot_text(snapshot).encode()
        if store.create(target, content):
            store.create(head_path(Path(), snapshot.number).as_posix(), content)
            return snapshot


def _named(file: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a file of a manifest as it is, and as it is published."""
    if file["table"] != "dataset":
        return file, file
    path = PurePosixPath(file["path"])
    return file, file | {"path": str(path.with_name(f"{path.stem}-{checksum_of(file)[1][:12]}{path.suffix}"))}


@contextmanager
def fetched(address: str) -> Iterator[Path]:
    """Copy a file from an object store, and small ones beside it, to where it can be looked at; it is gone at the end.

    A Zarr store is not copied: the ranges that are looked at are read where they are.

    Raises
    ------
    SpecError
        There is no such file.
    """
    place, _, name = address.rpartition("/")
    store = ObjectStore(place)
    inside = {each.removeprefix(f"{name}/"): size for each, size in store.names(name).items()} if name else {}
    if not ROOTS.isdisjoint(inside):
        with scratch() as folder, served(_mirror(store, name, inside, folder)) as path:
            yield path
        return
    names = {each: size for each, size in store.names().items() if "/" not in each}
    if name not in names:
        raise SpecError(f"There is no file '{name}'.", where=store.url, do=did_you_mean(name, names))
    wanted = {each for each, size in names.items() if each == name or size <= BESIDE_BYTES}
    with scratch() as folder:
        _fetch(store, {each: names[each] for each in wanted}, folder)
        yield folder / name


def _mirror(store: ObjectStore, name: str, sizes: dict[str, int], folder: Path) -> Mirror:
    return Mirror(folder / name, sizes, lambda key, start, length: store.read_range(f"{name}/{key}", start, length))


def fetch_inputs(store: ObjectStore, spec: DatasetSpec, folder: Path) -> None:
    """Copy the files of a spec, and small ones beside them, from an object store.

    They are fetched whole: a release is named by the checksum of its inputs, which takes every byte of them. Of a Zarr
    store that is what the release depends on: its tables and the one matrix.

    Raises
    ------
    SpecError
        A name of the spec matches nothing.
    """
    names = store.names()
    stores = _zarr_stores(names)
    names = {name: size for name, size in names.items() if not any(name.startswith(f"{each}/") for each in stores)}
    wanted = {name for name, size in names.items() if size <= BESIDE_BYTES}
    for pattern in spec.dataset.files:
        matches = {pattern} & set(names) or {name for name in names if fnmatch(name, pattern)}
        for each in (each for each in stores if fnmatch(each, pattern.rstrip("/"))):
            taken = {f"{each}/{key}": size for key, size in wanted_of(stores[each], spec.dataset.matrix).items()}
            names |= taken
            matches |= taken.keys()
        if not matches:
            near = did_you_mean(pattern, names)
            raise SpecError(f"There is no file '{pattern}'.", where=store.url, do=near)
        wanted |= matches
    _fetch(store, {name: names[name] for name in wanted}, folder)


def _zarr_stores(names: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Find the Zarr stores among some objects, each with its own objects and their sizes."""
    roots = {name.rpartition("/")[0] for name in names if PurePosixPath(name).name in ROOTS and "/" in name}
    stores = [root for root in roots if not any(root.startswith(f"{other}/") for other in roots)]
    return {
        root: {name.removeprefix(f"{root}/"): size for name, size in names.items() if name.startswith(f"{root}/")}
        for root in stores
    }


def _fetch(store: ObjectStore, sizes: dict[str, int], folder: Path) -> None:
    with step(f"from {store.url}", sum(sizes.values()), in_bytes=True) as advance:
        for name in sorted(sizes):
            for n_bytes in store.fetch(name, folder / name):
                advance(n_bytes)
