"""Publish a release: all of it or nothing, and never over something that was there.

Work happens in a folder of its own under ``staging/``. When it is whole, every file is checksummed and flushed to
disk, the folder is renamed into ``releases/``, and the next snapshot file is created exclusively; whoever loses that
race re-reads the latest snapshot and tries again. What is the newest is then recorded a second time, in ``heads/``. A
process killed anywhere leaves the last snapshot as it was.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from featurestore.contract import CONTRACT_VERSION, RELEASE
from featurestore.errors import WarehouseError
from featurestore.storage.checksums import file_blake3, file_sha256
from featurestore.storage.locks import publishing
from featurestore.storage.snapshot import (
    MANIFEST,
    REFERENCES,
    Snapshot,
    read_snapshot,
    release_path,
    snapshot_path,
    snapshot_text,
)
from featurestore.storage.whole import flush
from ingest.readers.ahead import ahead
from ingest.release.heads import forget_empty_head, record_head
from ingest.release.staging import make_folder, staging, telling_refusal


def content_hash(content: Any) -> str:
    """Hash a JSON-like value, whatever the order of its keys: 16 hexadecimal digits."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def publish(
    root: Path, folder: Path, manifest: dict[str, Any], reference: Path, *, instead_of: tuple[str, str] | None = None
) -> Snapshot:
    """Turn a staged folder of Parquet tables into a release, and name it in a new snapshot.

    Parameters
    ----------
    root
        The warehouse.
    folder
        The staged folder, inside ``root``: tables named as in ``contract.RELEASE``, as a file or a folder of parts.
    manifest
        What is known of the release; ``dataset_id``, ``release_id`` and ``gene_reference`` are needed.
    reference
        Folder of the gene tables that the release was mapped with.
    instead_of
        The dataset, and its release, that the snapshot has under the new name from now on.

    Returns
    -------
    The snapshot that names the release.

    Raises
    ------
    WarehouseError
        A staged table is missing or does not have the contract's columns.
    """
    dataset_id, release_id = manifest["dataset_id"], manifest["release_id"]
    tables = sorted(folder.rglob("*.parquet"))
    with ThreadPoolExecutor(2) as disk:
        database = disk.submit(import_module, "ingest.release.database")  # an SQL engine, loaded while
        flushed = disk.map(flush, tables)  # they are flushed, and these while they are checksummed
        described = [of_table for _, of_table in ahead(lambda path: _describe(path, folder), tables)]
        deque(flushed, maxlen=0)  # what failed is raised
    copied = [{"path": path.name, **_bytes(path)} for path in sorted(reference.iterdir()) if path.is_file()]
    content = manifest | {"contract_version": CONTRACT_VERSION, "files": described, "reference_files": copied}
    (folder / MANIFEST).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for path in [*(path for path in folder.rglob("*") if path not in tables), folder]:
        flush(path)
    with publishing(root):
        record_head(root)
        is_new = False
        try:
            keep_reference(root, manifest["gene_reference"], reference)
            is_new = _put_in_place(folder, release_path(root, dataset_id, release_id))
            snapshot = _name(root, dataset_id, release_id, instead_of)
        except BaseException:
            if is_new:
                _take_back(root, dataset_id, release_id)
            forget_empty_head(root)
            raise
    database.result().refresh_database(root)
    return snapshot


def name_release(root: Path, dataset_id: str, release_id: str) -> Snapshot | None:
    """Create the snapshot in which a dataset is at a release that is in its place already; None where it is not."""
    with telling_refusal(root), publishing(root):
        if not (release_path(root, dataset_id, release_id) / MANIFEST).is_file():
            return None
        snapshot = _name(root, dataset_id, release_id)
    import_module("ingest.release.database").refresh_database(root)
    return snapshot


def _name(root: Path, dataset_id: str, release_id: str, instead_of: tuple[str, str] | None = None) -> Snapshot:
    checksum = file_sha256(release_path(root, dataset_id, release_id) / MANIFEST)

    def named(latest: Snapshot, previous: str | None) -> Snapshot | None:
        if latest.datasets.get(dataset_id) == release_id and latest.manifests.get(dataset_id, checksum) == checksum:
            return None
        if instead_of is None:
            return following(latest, dataset_id, release_id, checksum, previous)
        others = _without(latest, instead_of, dataset_id)
        note = f"rename {instead_of[0]} to {dataset_id}"
        return replace(following(others, dataset_id, release_id, checksum, previous), note=note)

    return publish_next(root, named)


def publish_next(root: Path, change: Callable[[Snapshot, str | None], Snapshot | None]) -> Snapshot:
    """Create the snapshot after the latest, as often as somebody else is faster.

    Parameters
    ----------
    root
        The warehouse.
    change
        Makes the next snapshot of the latest one and of its file's checksum; None where it is as it should be.

    Returns
    -------
    The newest snapshot.
    """
    while True:
        latest = read_snapshot(root)
        snapshot = change(latest, file_sha256(snapshot_path(root, latest.number)) if latest.number else None)
        if snapshot is None:
            return latest
        if _create_exclusively(root, snapshot):
            with suppress(WarehouseError):  # it is published: the next to publish or collect records it
                record_head(root)
            return snapshot


def following(latest: Snapshot, dataset_id: str, release_id: str, checksum: str, previous: str | None) -> Snapshot:
    """Return the snapshot after the latest, in which a dataset is at a release.

    ``checksum`` is of the release's manifest, ``previous`` of the latest snapshot's file.
    """
    return replace(
        latest,
        number=latest.number + 1,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        note=f"ingest {dataset_id}",
        datasets=dict(sorted((latest.datasets | {dataset_id: release_id}).items())),
        manifests=dict(sorted((latest.manifests | {dataset_id: checksum}).items())),
        previous=previous,
        contract_version=CONTRACT_VERSION,
    )


def _without(latest: Snapshot, renamed: tuple[str, str], new: str) -> Snapshot:
    """Leave out the name that a dataset had.

    Raises
    ------
    WarehouseError
        Another process has changed either name since it was looked at.
    """
    old, release_id = renamed
    if latest.datasets.get(old) != release_id or new in latest.datasets:
        raise WarehouseError(f"'{old}' or '{new}' has changed meanwhile.", do="look at it, and rename it again")
    return replace(
        latest,
        datasets={name: value for name, value in latest.datasets.items() if name != old},
        manifests={name: value for name, value in latest.manifests.items() if name != old},
    )


def _create_exclusively(root: Path, snapshot: Snapshot) -> bool:
    target = snapshot_path(root, snapshot.number)
    make_folder(target.parent)
    with staging(root) as folder:
        path = folder / target.name
        path.write_text(snapshot_text(snapshot), encoding="utf-8")
        flush(path)
        try:
            os.link(path, target)
        except FileExistsError:
            return False
    flush(target.parent)
    return True


def _put_in_place(folder: Path, target: Path) -> bool:
    """Move a staged folder to its place, and say whether it is there now: the same release, published before, stays."""
    make_folder(target.parent)
    is_new = True
    try:
        folder.rename(target)
    except OSError as error:
        if not (target / MANIFEST).is_file():
            raise WarehouseError(
                "A release could not be put in its place.",
                where=str(target),
                got=error.strerror or str(error),
                do="move away what is there, and try again",
            ) from error
        is_new = False
    flush(target.parent)
    return is_new


def _take_back(root: Path, dataset_id: str, release_id: str) -> None:
    """Remove a release that no snapshot came to name; nobody else can name it while this process publishes."""
    with suppress(WarehouseError, OSError):
        if read_snapshot(root).datasets.get(dataset_id) == release_id:
            return
        target = release_path(root, dataset_id, release_id)
        shutil.rmtree(target, ignore_errors=True)
        for folder in (target.parent, target.parent.parent):
            folder.rmdir()


def keep_reference(root: Path, reference_id: str, reference: Path) -> None:
    """Copy the gene tables of a folder into the warehouse, if it does not have them."""
    target = root / REFERENCES / reference_id
    if target.exists():
        return
    with staging(root) as folder:
        copy = folder / reference_id
        shutil.copytree(reference, copy)
        for path in [*copy.rglob("*"), copy]:
            flush(path)
        make_folder(target.parent)
        with suppress(FileExistsError):
            copy.rename(target)
    flush(target.parent)


def _describe(path: Path, folder: Path) -> dict[str, Any]:
    relative = path.relative_to(folder)
    table = RELEASE.get(relative.parts[0].removesuffix(".parquet"))
    if table is None:
        raise WarehouseError(f"'{relative}' is not a table of a release.", expected=", ".join(RELEASE))
    metadata = pq.read_metadata(path)
    if tuple(metadata.schema.to_arrow_schema().names) != table.columns:
        raise WarehouseError(
            f"Table '{table.name}' does not keep the contract.",
            expected=", ".join(table.columns),
            got=", ".join(metadata.schema.to_arrow_schema().names),
        )
    return {
        "table": table.name,
        "path": relative.as_posix(),
        "rows": metadata.num_rows,
        **_bytes(path),
    }


def _bytes(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "blake3": file_blake3(path)}
