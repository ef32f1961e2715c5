"""Verify a warehouse: read every byte again, and compare it with what was published.

The latest snapshot holds the checksums of its manifests, of itself and of the snapshot before; a manifest those of its
tables and its reference. Tables are also decoded, compared with the contract, and asked the questions of
``sql/checks``, each of which returns the rows at fault. Kept matrices, saved specs and reports are compared with their
own checksums; what has none is named.
"""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TypeAlias

import duckdb

from featurestore.errors import WarehouseError
from featurestore.query.views import DATABASE, attach_views, comment_views, open_database, shown_snapshot
from featurestore.scarcity import heed_scarcity
from featurestore.storage.folders import is_there, listed, permission
from featurestore.storage.locks import hold_snapshot
from featurestore.storage.snapshot import (
    HEADS,
    RELEASES,
    check_warehouse,
    copy_command,
    head_path,
    newest_number,
    read_json,
    read_snapshot,
    release_path,
    snapshot_numbers,
    snapshot_path,
    snapshot_text,
)
from featurestore.upkeep.examine import Examination, Fault, Report
from featurestore.upkeep.unread import files_below, unread
from featurestore.upkeep.verify_kept import kept_faults

DeepCheck: TypeAlias = Callable[[Path, str, str], Iterable[Fault]]
"""A check of one release (warehouse, dataset id, release id) that needs more than the warehouse's own code."""

KEYS_BEFORE_CHECKSUMS = {"contract_version", "created_at", "note", "datasets"}
_OF_DUCKDB = "?\\"
"""Between its database and settings, and between folders: where a path has one, none can be opened."""


def verify(root: Path, number: int | None = None, *, deep: Sequence[DeepCheck] = ()) -> Report:
    """Verify every snapshot of a warehouse, or one.

    Parameters
    ----------
    root
        The warehouse.
    number
        The only snapshot to verify; all where None.
    deep
        Further checks of every release that is whole.

    Raises
    ------
    WarehouseError
        There is no warehouse, or no such snapshot.
    """
    root = root.resolve()
    check_warehouse(root)
    if number is not None and number not in snapshot_numbers(root):
        read_snapshot(root, number)
    report = Report()
    try:
        found = listed(root / RELEASES, "dataset_id=*", "release_id=*")
    except WarehouseError:  # told below, of each release in it
        found = []
    before = files_below(root)
    with ExitStack() as stack:
        checksums = _read_snapshots(root, number, report, stack)
        report.faults += _head_faults(root, report)
        if number is None:
            named = {release_path(root, *release) for release in checksums}
            unnamed = [path for path in found if path not in named]
            report.notes += [_unnamed(path) for path in unnamed]
            report.seen.update(unnamed)
        for (dataset_id, release_id), checksum in sorted(checksums.items()):
            is_whole = Examination(root, dataset_id, release_id, report).run(checksum)
            for check in deep if is_whole else ():
                report.faults += check(root, dataset_id, release_id)
        report.faults += _database_faults(root, report)
        report.faults += kept_faults(root, report)
        if number is None:
            report.faults += unread(root, report, before)
    return report


def _read_snapshots(
    root: Path, number: int | None, report: Report, stack: ExitStack
) -> dict[tuple[str, str], str | None]:
    """Read every snapshot or one, hold them, and return the releases they name, with the checksums of the manifests."""
    checksums: dict[tuple[str, str], str | None] = {}
    is_held = False  # gc drops the oldest: one lock keeps all that follow
    for each in _numbers(root) if number is None else [number]:
        report.n_snapshots += 1
        report.seen.add(snapshot_path(root, each))
        try:
            snapshot, lock = hold_snapshot(root, each)
        except WarehouseError as error:
            if number is None and _is_collected(root, each):
                report.n_snapshots -= 1
            else:
                report.faults.append(_damaged(root, each, error))
            continue
        if lock is not None and is_held:
            os.close(lock)
        elif lock is not None:
            stack.callback(os.close, lock)
            is_held = True
        report.faults += _snapshot_faults(root, each)
        checksums |= {release: snapshot.manifests.get(release[0]) for release in snapshot.datasets.items()}
    return checksums


def _numbers(root: Path) -> list[int]:
    """List the snapshots; none where they may not be listed, which is told of the heads."""
    try:
        return snapshot_numbers(root)
    except WarehouseError:
        return []


def _unnamed(release: Path) -> str:
    return (
        f"{release.parent.name}/{release.name} is named by no snapshot, and was not read: an ingest was killed, or a "
        "snapshot was lost, which a backup may have; gc sets it aside"
    )


def _head_faults(root: Path, report: Report) -> Iterator[Fault]:
    """Compare the newest snapshot with what was recorded of it in ``heads/``."""
    try:
        numbers, newest = snapshot_numbers(root), newest_number(root)
    except WarehouseError as error:
        yield Fault(error.what, error.where, expected=error.expected, got=error.got, do=error.do)
        return
    path, copy = snapshot_path(root, newest), head_path(root, newest)
    report.seen.add(copy)
    if numbers and not is_there(copy):
        report.notes.append(f"snapshot {newest} is not recorded in {HEADS}/; the next ingest or gc does that")
    elif numbers and (content := _bytes(copy)) is None:
        yield Fault("The record of the newest snapshot cannot be read.", str(copy), do=permission(copy))
    elif numbers and content != _bytes(path) and not _is_damaged(root, newest):
        do = f"the snapshot is whole: {copy_command(path, copy)}"
        yield Fault("The record of the newest snapshot is damaged.", str(copy), got="other bytes", do=do)


def _is_collected(root: Path, number: int) -> bool:
    """Say whether a snapshot that was listed went since, as ``gc`` removes them: the oldest first."""
    return not is_there(snapshot_path(root, number)) and number < min(snapshot_numbers(root), default=0)


def _snapshot_faults(root: Path, number: int) -> Iterator[Fault]:
    path, before = snapshot_path(root, number), snapshot_path(root, number - 1)
    snapshot = read_snapshot(root, number)
    written = [snapshot_text(snapshot, is_numbered=is_numbered).encode() for is_numbered in (True, False)]
    if path.read_bytes() not in written and set(read_json(path)) != KEYS_BEFORE_CHECKSUMS:
        yield _damaged(root, number, "it is not what was written")
    content = _bytes(before)  # of one that cannot be read, that is told by itself
    if content is not None and snapshot.previous not in {None, hashlib.sha256(content).hexdigest()}:
        yield _damaged(root, number - 1, "it was changed after the next was made")
    if not is_there(before) and number > min(snapshot_numbers(root)):
        yield _damaged(root, number - 1, "it is missing")


def _damaged(root: Path, number: int, why: WarehouseError | str) -> Fault:
    """Say that a snapshot is not what was written, or cannot be read, and how to mend it."""
    path, copy = snapshot_path(root, number), head_path(root, number)
    got = why if isinstance(why, str) else " ".join(filter(None, (why.what, why.got)))
    if isinstance(why, WarehouseError) and why.do.find("chmod") >= 0:
        return Fault("A snapshot may not be read.", str(path), got=why.got, do=why.do)
    do = copy_command(copy, path) if is_there(copy) else f"copy it from a backup of {path.parent}"
    return Fault("A snapshot is damaged.", str(path), got=got, do=do)


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError as error:
        heed_scarcity(error)
        return None


def _is_damaged(root: Path, number: int) -> bool:
    try:
        read_snapshot(root, number)
    except WarehouseError:
        return True
    return False


def _database_faults(root: Path, report: Report) -> Iterator[Fault]:
    """Compare ``featurestore.duckdb`` with the snapshot that it says it shows."""
    path = root / DATABASE
    numbers = _numbers(root)
    if not numbers:
        return
    if signs := [sign for sign in _OF_DUCKDB if sign in str(path)]:
        report.notes.append(f"{DATABASE} is not kept here: in a path, {signs[0]} is a sign of its own to DuckDB")
        return
    if not path.exists():
        report.notes.append(f"{DATABASE} is not there; the next ingest or gc writes it")
        return
    shown = shown_snapshot(root, path)
    if shown is not None and shown != numbers[-1]:
        report.notes.append(
            f"{DATABASE} shows an older snapshot, another folder or the views of another version; "
            "the next ingest or gc writes it anew"
        )
    elif shown is None or (not report.faults and _definitions(root, None) != _definitions(root, shown)):
        warehouse = shlex.quote(str(root))
        old, aside = shlex.quote(str(path)), shlex.quote(f"{path}.damaged")
        do = f"it is derived: mv {old} {aside} && featurestore --warehouse {warehouse} gc"
        yield Fault("The database of views is damaged.", str(path), do=do)


def _definitions(root: Path, number: int | None) -> list[tuple[str, ...]]:
    """List names, statements and comments of the views of the database, or of those a snapshot should have."""
    try:
        with open_database(root / DATABASE) if number is None else duckdb.connect(":memory:") as connection:
            if number is not None:
                attach_views(connection, root, read_snapshot(root, number))
                comment_views(connection)
            views = "select schema_name, view_name, sql, comment from duckdb_views() where not internal"
            columns = (
                "select schema_name, table_name, column_name || ' ' || data_type, comment from duckdb_columns() "
                "where schema_name in ('main', 'release', 'reference') and not internal"
            )
            rows = connection.sql(f"{views} union all {columns}").fetchall()
            return sorted((schema, name, *map(_letters, texts)) for schema, name, *texts in rows)
    except duckdb.Error as error:
        heed_scarcity(error)
        return [(str(error),)]


def _letters(text: str | None) -> str:
    """Sort a text's letters: DuckDB writes a view's ``exclude`` list in any order."""
    return "".join(sorted(text or ""))
