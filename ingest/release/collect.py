"""Garbage collection: remove what no snapshot names, and what processes that were killed left behind.

Kept are every snapshot (or the newest few, and all from the oldest that someone reads or a saved feature spec is
pinned to), the releases they name, and the references of those. Nobody is disturbed: the folder of a living process and
a snapshot that is read are locked (see :mod:`featurestore.locks`), and nothing is published between the look at the
snapshots and the removal.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from featurestore.errors import WarehouseError
from featurestore.features.registry import pinned_snapshots
from featurestore.locks import claim, publishing, try_lock
from featurestore.snapshot import (
    REFERENCES,
    RELEASES,
    SNAPSHOTS,
    STAGING,
    check_warehouse,
    read_manifest,
    read_snapshot,
    snapshot_numbers,
    snapshot_path,
)
from ingest.release.database import refresh_database
from ingest.release.staging import clear, flush, staging, telling_refusal


@dataclass(frozen=True, slots=True)
class Removed:
    """Something that was removed: of which kind, where it was in the warehouse, and how many bytes it took."""

    kind: str
    path: str
    bytes: int


def collect(root: Path, *, keep: int | None = None, is_rehearsal: bool = False) -> list[Removed]:
    """Remove what is no longer needed, and return it.

    Parameters
    ----------
    root
        The warehouse.
    keep
        How many of the newest snapshots to keep; all where None. A snapshot that is read, or that a saved feature spec
        is pinned to, is kept, and all after it.
    is_rehearsal
        Whether to remove nothing, and only say what would be.

    Raises
    ------
    WarehouseError
        There is no warehouse, a snapshot is damaged, the disk cannot be written, or it has no locks.
    """
    check_warehouse(root)
    removed = list(_clear_staging(root, is_rehearsal=is_rehearsal))
    with telling_refusal(root), ExitStack() as stack:
        grave = None if is_rehearsal else stack.enter_context(staging(root))
        stack.enter_context(publishing(root, needs_locks=True))
        snapshots = _locked(root, keep, stack)
        for kind, paths in (("snapshot", snapshots), *_unneeded(root, len(snapshots))):
            removed += [_describe(root, kind, path) for path in paths]
            if grave is not None:
                _bury(paths, grave / kind)
        if grave is not None:
            _remove_empty(root)
    if not is_rehearsal:
        refresh_database(root)
    return removed


def _clear_staging(root: Path, *, is_rehearsal: bool) -> Iterator[Removed]:
    for folder in sorted((root / STAGING).glob("*")):
        owner = claim(folder)
        if owner is not None:
            yield _describe(root, "staging", folder)
            if is_rehearsal:
                os.close(owner)
            else:
                clear(folder, owner)


def _bury(paths: list[Path], grave: Path) -> None:
    """Move what can go out of sight at once; it is deleted later, when nobody waits."""
    grave.mkdir()
    for number, path in enumerate(paths):
        path.rename(grave / str(number))
    for folder in {path.parent for path in paths}:
        flush(folder)


def _locked(root: Path, keep: int | None, stack: ExitStack) -> list[Path]:
    """Lock the snapshots that can go: the oldest, up to the first that is read or pinned; the rest stays a chain."""
    numbers, pinned = snapshot_numbers(root), pinned_snapshots(root)
    paths = []
    for number in numbers[: max(len(numbers) - keep, 0)] if keep is not None else []:
        if number in pinned:
            break
        descriptor = os.open(snapshot_path(root, number), os.O_RDWR)
        stack.callback(os.close, descriptor)
        if try_lock(descriptor) is not True:
            break
        paths.append(snapshot_path(root, number))
    return paths


def _unneeded(root: Path, n_dropped: int) -> Iterator[tuple[str, list[Path]]]:
    """Yield the releases and references that the snapshots left, all but the oldest few, do not name."""
    releases: set[tuple[str, str]] = set()
    for number in snapshot_numbers(root)[n_dropped:]:
        releases.update(read_snapshot(root, number).datasets.items())
    folders = sorted((root / RELEASES).glob("dataset_id=*/release_id=*"))
    unnamed = [folder for folder in folders if _identity(folder) not in releases]
    references = [_reference(root, *release) for release in releases]
    unused = [path for path in sorted((root / REFERENCES).glob("*")) if path.name not in references]
    yield "release", unnamed
    if None not in references:  # of a release that is missing or damaged, nobody knows the reference
        yield "reference", unused


def _identity(folder: Path) -> tuple[str, str]:
    return folder.parent.name.removeprefix("dataset_id="), folder.name.removeprefix("release_id=")


def _reference(root: Path, dataset_id: str, release_id: str) -> str | None:
    try:
        return str(read_manifest(root, dataset_id, release_id)["gene_reference"])
    except (WarehouseError, KeyError):
        return None


def _describe(root: Path, kind: str, path: Path) -> Removed:
    files = [path, *path.rglob("*")] if path.is_dir() else [path]
    return Removed(kind, path.relative_to(root).as_posix(), sum(f.lstat().st_size for f in files if not f.is_dir()))


def _remove_empty(root: Path) -> None:
    for folder in (*(root / RELEASES).glob("*"), *(root / name for name in (RELEASES, REFERENCES, SNAPSHOTS))):
        with suppress(OSError):
            folder.rmdir()
