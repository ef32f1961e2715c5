"""The newest snapshot, recorded a second time: where ``snapshots/`` was lost or half copied, that is noticed."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from featurestore.errors import WarehouseError
from featurestore.storage.locks import publishing
from featurestore.storage.snapshot import (
    HEADS,
    RELEASES,
    Snapshot,
    head_path,
    newest_number,
    read_snapshot,
    recorded_heads,
    snapshot_path,
    snapshot_text,
)
from featurestore.storage.whole import flush
from ingest.release.staging import make_folder, staging, telling_refusal


def record_head(root: Path, newest: Snapshot | None = None) -> None:
    """Record the newest snapshot in ``heads/``, or that there is none yet, and forget what was recorded before.

    Whoever calls this publishes or collects (see :func:`featurestore.storage.locks.publishing`), and may know the
    newest.

    Raises
    ------
    WarehouseError
        The newest snapshot was lost or is damaged, or the disk cannot be written.
    """
    newest = newest or read_snapshot(root)
    path = head_path(root, newest.number)
    content = snapshot_path(root, newest.number).read_bytes() if newest.number else snapshot_text(newest).encode()
    with telling_refusal(root):
        if not path.is_file() or path.read_bytes() != content:
            with staging(root) as folder:
                copy = folder / path.name
                copy.write_bytes(content)
                flush(copy)
                make_folder(path.parent)
                copy.replace(path)
            flush(path.parent)
        for older in recorded_heads(root)[:-1]:
            head_path(root, older).unlink(missing_ok=True)


def refresh_head(root: Path) -> None:
    """Record the newest snapshot, where the process that made it ended before; if it can be."""
    with suppress(WarehouseError):
        if recorded_heads(root) != [newest_number(root)]:
            with publishing(root):
                record_head(root)


def forget_empty_head(root: Path) -> None:
    """Remove the record that there is no snapshot yet, where there is no release either."""
    with suppress(OSError):
        if recorded_heads(root) == [0] and not (root / RELEASES).exists():
            head_path(root, 0).unlink()
            (root / HEADS).rmdir()
