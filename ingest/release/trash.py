"""What ``gc`` sets aside: under ``trash/<moment>/``, each file and folder where it was, until it is deleted or back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from featurestore.storage.folders import listed
from featurestore.storage.locks import publishing
from featurestore.storage.snapshot import REFERENCES, RELEASES, SNAPSHOTS, TRASH, check_warehouse, snapshot_numbers
from featurestore.storage.whole import flush
from ingest.release.staging import make_folder, telling_refusal

MOMENT = "%Y%m%dT%H%M%S.%fZ"
"""How a folder is named by when it was made."""


def set_aside(root: Path) -> list[tuple[Path, datetime]]:
    """List the folders of what was set aside at once, oldest first, and since when."""
    found = []
    for folder in listed(root / TRASH, "*"):
        with suppress(ValueError):
            found.append((folder, datetime.strptime(folder.name, MOMENT).replace(tzinfo=UTC)))
    return found


def put_aside(root: Path, paths: Iterable[Path], place: Path) -> None:
    """Move files and folders of a warehouse to where they are in another folder, in their order."""
    folders = set()
    for path in paths:
        _move(path, place / path.relative_to(root))
        folders.add(path.parent)
    for folder in folders:
        flush(folder)


def bring_back(root: Path, *, is_rehearsal: bool = False) -> list[str]:
    """Move all that was set aside to where it was, and return it; what is there again stays aside.

    Releases come before the snapshots that name them, and snapshots from the newest: they stay a chain. A rehearsal
    moves nothing.

    Raises
    ------
    WarehouseError
        There is no warehouse, or the disk cannot be written.
    """
    check_warehouse(root)
    back = []
    with telling_refusal(root), publishing(root, needs_locks=True):
        oldest = min(snapshot_numbers(root), default=0)
        for folder, _ in reversed(set_aside(root)):
            for path in _of(folder):
                target = root / path.relative_to(folder)
                is_snapshot = target.parent == root / SNAPSHOTS
                if not target.exists() and not (is_snapshot and int(target.stem) != oldest - 1):
                    if not is_rehearsal:
                        _move(path, target)
                    oldest -= is_snapshot
                    back.append(target.relative_to(root).as_posix())
            if not is_rehearsal:
                _remove_empty(folder)
    return list(dict.fromkeys(back))


def _of(folder: Path) -> Iterator[Path]:
    yield from listed(folder / REFERENCES, "*")
    yield from listed(folder / RELEASES, "*", "*")
    yield from reversed(listed(folder / SNAPSHOTS, "*"))


def _move(path: Path, target: Path) -> None:
    make_folder(target.parent)
    path.rename(target)
    flush(target.parent)


def _remove_empty(folder: Path) -> None:
    for path in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
        with suppress(OSError):
            path.rmdir()
    for path in (folder, folder.parent):
        with suppress(OSError):
            path.rmdir()
