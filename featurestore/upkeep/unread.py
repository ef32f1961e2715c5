"""What lies in a warehouse and was not looked at when it was verified: it is named, as is what may not be."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from featurestore.counts import count_of
from featurestore.errors import first_of
from featurestore.storage.folders import is_there, permission
from featurestore.storage.snapshot import STAGING, TRASH
from featurestore.upkeep.examine import Fault, Report

_OF_NO_ANSWER = {STAGING, TRASH}
"""Folders of what is being written, and of what was set aside."""


def files_below(root: Path) -> dict[str, list[Path]]:
    """List the files of each folder of a warehouse, but for what is hidden, being written, or set aside."""
    found: dict[str, list[Path]] = {}
    for entry in sorted(root.iterdir()):
        if entry.name.startswith(".") or entry.name in _OF_NO_ANSWER or not entry.is_dir():
            continue
        for folder, folders, files in os.walk(entry):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            named = (Path(folder, name) for name in sorted(files) if not name.startswith("."))
            found.setdefault(entry.name, []).extend(named)
    return found


def unread(root: Path, report: Report, before: dict[str, list[Path]]) -> Iterator[Fault]:
    """Note the files that were there before and were not looked at, and tell the folders that cannot be."""
    for name, paths in before.items():
        others = [path for path in paths if report.seen.isdisjoint((path, *path.parents)) and is_there(path)]
        if others:
            shown = first_of([path.relative_to(root / name).as_posix() for path in others])
            report.notes.append(f"{name}/ has {count_of(len(others), 'file')} that nothing names, not read: {shown}")
    refused: list[OSError] = []
    for _ in os.walk(root, onerror=refused.append):
        pass
    told = {fault.where for fault in report.faults}
    for error in refused:
        if isinstance(error, PermissionError) and not any(error.filename.startswith(where) for where in told):
            do = permission(Path(error.filename))
            yield Fault("A folder may not be read.", error.filename, got=error.strerror or "", do=do)
