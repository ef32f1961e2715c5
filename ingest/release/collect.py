"""Garbage collection: set aside what no snapshot names, and delete what processes that were killed left behind.

What is set aside can be brought back for a week (see :mod:`ingest.release.trash`), and is then deleted. Kept are every
snapshot (or the newest few, and all from the oldest that someone reads or a saved feature spec is pinned to), the
releases they name, and the references of those. Nobody is disturbed: the folder of a living process and a snapshot that
is read are locked (see :mod:`featurestore.storage.locks`), and nothing is published between the look at the snapshots
and the removal. On a full disk the database of views, which is derived, gives the little room that the moves take.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import TypeAlias

from featurestore.errors import WarehouseError, first_of
from featurestore.features.matrix.cache import MATRICES
from featurestore.features.registry import FEATURES, pinned_snapshots
from featurestore.query.views import DATABASE
from featurestore.search.index import INDEXES, index_path
from featurestore.storage.folders import listed
from featurestore.storage.locks import GRACE, claim, idle_seconds, publishing, try_lock
from featurestore.storage.snapshot import (
    LOST,
    REFERENCES,
    RELEASES,
    SNAPSHOTS,
    STAGING,
    TRASH,
    check_warehouse,
    newest_number,
    read_manifest,
    read_snapshot,
    snapshot_numbers,
    snapshot_path,
)
from featurestore.upkeep.verify_kept import ANSWERS, REPORTS
from ingest.release.database import refresh_database
from ingest.release.heads import record_head
from ingest.release.staging import clear, staging, telling_refusal
from ingest.release.trash import MOMENT, put_aside, set_aside

RETENTION = timedelta(days=7)
"""How long what was set aside can be brought back."""
Tell: TypeAlias = "Callable[[list[Removed]], None]"


@dataclass(frozen=True, slots=True)
class Removed:
    """Something that nobody needs: of which kind, where it is in the warehouse, how many bytes it takes.

    ``until`` is the day on which it is deleted where it is set aside, and missing where it is deleted at once.
    """

    kind: str
    path: str
    bytes: int
    until: str | None = None


def collect(
    root: Path,
    *,
    keep: int | None = None,
    retention: timedelta = RETENTION,
    tell: Tell = lambda _: None,
    is_rehearsal: bool = False,
) -> list[Removed]:
    """Set aside what is no longer needed, delete what was set aside long enough ago, and return both.

    Parameters
    ----------
    root
        The warehouse.
    keep
        How many of the newest snapshots to keep; all where None. A snapshot that is read, or that a saved feature spec
        is pinned to, is kept, and all after it.
    retention
        How long what is set aside stays; zero deletes it at once, and what was set aside before.
    tell
        Told what will be done, before anything is.
    is_rehearsal
        Whether to do nothing, and only say what would be done.

    Raises
    ------
    WarehouseError
        There is no warehouse, a snapshot was lost or is damaged, the disk cannot be written, or it has no locks.
    """
    check_warehouse(root)
    moment, removed = datetime.now(UTC), list[Removed]()
    with telling_refusal(root), ExitStack() as owners:
        dead = dict(_dead(root, owners))
        with ExitStack() as stack:
            grave = None if is_rehearsal else _dig(root, stack, removed)
            stack.enter_context(publishing(root, needs_locks=True))
            dropped = list(_free(root, keep))
            unneeded = [("snapshot", dropped), *_unnamed(root, len(dropped))]
            expired = [folder for folder, since in set_aside(root) if moment - since >= retention]
            until = f"{moment + retention:%Y-%m-%d}" if retention else None
            removed += [_describe(root, "staging", folder) for folder in dead]
            removed += [_describe(root, "set aside", folder) for folder in expired]
            useless = _useless_indexes(root, len(dropped))
            removed += [_describe(root, "search index", folder) for folder in useless]
            unfinished = list(_unfinished(root))
            removed += [_describe(root, "unfinished", path) for path in unfinished]
            removed += [_describe(root, kind, path, until) for kind, paths in unneeded for path in paths]
            tell(removed)
            if grave is not None:
                record_head(root)
                place = root / TRASH / f"{moment:{MOMENT}}" if retention else grave / "unneeded"
                with closing(_held(dropped)) as held:  # where it fails, readers find no lock left
                    put_aside(root, held, place)
                for _, paths in _unnamed(root):
                    put_aside(root, paths, place)
                for path in (*expired, *useless, *unfinished):
                    path.rename(grave / path.name)
                _remove_empty(root)
        for folder, owner in dead.items() if not is_rehearsal else ():
            clear(folder, os.dup(owner))
    if is_rehearsal:
        return removed
    with suppress(OSError):
        (root / STAGING).rmdir()
    refresh_database(root)
    return [each for each in removed if not (root / each.path).exists()]


def _dig(root: Path, stack: ExitStack, removed: list[Removed]) -> Path:
    """Make a folder for what is deleted; on a full disk, in the place of the database, which is written anew later."""
    try:
        return stack.enter_context(staging(root))
    except WarehouseError as error:
        is_full = isinstance(error.__cause__, OSError) and error.__cause__.errno in {errno.ENOSPC, errno.EDQUOT}
        if not is_full or not (root / DATABASE).exists():
            raise
    removed.append(_describe(root, "database", root / DATABASE))
    (root / DATABASE).unlink()
    return stack.enter_context(staging(root))


def _dead(root: Path, owners: ExitStack) -> Iterator[tuple[Path, int]]:
    for folder in listed(root / STAGING, "*"):
        owner = claim(folder)
        if owner is not None:
            owners.callback(os.close, owner)
            yield folder, owner


def _free(root: Path, keep: int | None) -> Iterator[Path]:
    """Yield the snapshots that can go: the oldest, up to the first that is read or pinned; the rest stays a chain."""
    numbers, pinned = snapshot_numbers(root), pinned_snapshots(root)
    oldest = numbers[: max(len(numbers) - keep, 0)] if keep is not None else []
    yield from _held(snapshot_path(root, number) for number in takewhile(lambda each: each not in pinned, oldest))


def _held(paths: Iterable[Path]) -> Generator[Path]:
    """Yield snapshots, each locked meanwhile, up to the first that someone reads."""
    for path in paths:
        with path.open("r+b") as file:
            if try_lock(file.fileno()) is not True:
                return
            yield path


def _unnamed(root: Path, n_dropped: int = 0) -> list[tuple[str, list[Path]]]:
    """List the releases and references that the snapshots, but for the oldest few, do not name.

    Where a snapshot was lost nobody knows what it named, and where none was published, nothing can be unneeded.
    """
    newest, numbers = newest_number(root), snapshot_numbers(root)
    lost = sorted(set(range(numbers[0], newest)).difference(numbers)) if numbers else []
    if lost:
        raise WarehouseError(
            "A snapshot is missing.",
            where=str(snapshot_path(root, lost[-1])),
            expected=f"all of {numbers[0]} to {newest}",
            got=f"not {first_of([str(number) for number in lost])}",
            do=LOST,
        )
    if not numbers:
        return []
    releases: set[tuple[str, str]] = set()
    for number in numbers[n_dropped:]:
        releases.update(read_snapshot(root, number).datasets.items())
    folders = listed(root / RELEASES, "dataset_id=*", "release_id=*")
    unnamed = [folder for folder in folders if _identity(folder) not in releases]
    references = [_reference(root, *release) for release in releases]
    unused = [path for path in listed(root / REFERENCES, "*") if path.name not in references]
    is_known = None not in references  # of a release that is missing or damaged, nobody knows the reference
    return [("release", unnamed), ("reference", unused if is_known else [])]


def _useless_indexes(root: Path, n_dropped: int) -> list[Path]:
    """List the search indexes of no release that a kept snapshot names."""
    numbers = snapshot_numbers(root)
    kept = {index_path(root, *each) for n in numbers[n_dropped:] for each in read_snapshot(root, n).datasets.items()}
    return [folder for folder in listed(root / INDEXES, "*") if folder not in kept] if numbers else []


def _unfinished(root: Path) -> Iterator[Path]:
    """Yield what was being written beside the releases, and was left a day ago."""
    for name in (ANSWERS, FEATURES, INDEXES, MATRICES, REPORTS):
        for path in sorted((root / name).rglob(".*")):
            if not path.parent.name.startswith(".") and idle_seconds(path) > GRACE:
                yield path


def _identity(folder: Path) -> tuple[str, str]:
    return folder.parent.name.removeprefix("dataset_id="), folder.name.removeprefix("release_id=")


def _reference(root: Path, dataset_id: str, release_id: str) -> str | None:
    try:
        return str(read_manifest(root, dataset_id, release_id)["gene_reference"])
    except (WarehouseError, KeyError):
        return None


def _describe(root: Path, kind: str, path: Path, until: str | None = None) -> Removed:
    files = [path, *path.rglob("*")] if path.is_dir() else [path]
    size = sum(file.lstat().st_size for file in files if not file.is_dir())
    return Removed(kind, path.relative_to(root).as_posix(), size, until)


def _remove_empty(root: Path) -> None:
    for folder in (*(root / RELEASES).glob("*"), *(root / name for name in (RELEASES, REFERENCES, SNAPSHOTS, TRASH))):
        with suppress(OSError):
            folder.rmdir()
