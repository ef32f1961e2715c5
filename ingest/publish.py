"""Publish a release: all of it or nothing, and never over something that was there.

Work happens in a folder of its own under ``staging/``. When it is whole, every file is checksummed and flushed to
disk, the folder is renamed into ``releases/``, and the next snapshot file is created exclusively; whoever loses that
race re-reads the latest snapshot and tries again. A process killed anywhere leaves the last snapshot as it was.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from featurestore.contract import CONTRACT_VERSION, RELEASE
from featurestore.errors import WarehouseError
from featurestore.snapshot import (
    MANIFEST,
    REFERENCES,
    STAGING,
    Snapshot,
    read_snapshot,
    release_path,
    snapshot_path,
)
from featurestore.warehouse import attach_views

DATABASE = "featurestore.duckdb"


def content_hash(content: Any) -> str:
    """Hash a JSON-like value, whatever the order of its keys: 16 hexadecimal digits."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_sha256(path: Path) -> str:
    """Hash a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def staging(root: Path) -> Iterator[Path]:
    """Give a folder to work in; whatever it still holds at the end is removed, and the folders made for it too."""
    made = [folder for folder in (root / STAGING, root, *root.parents) if not folder.exists()]
    folder = root / STAGING / uuid.uuid4().hex
    while not folder.exists():
        with suppress(FileNotFoundError):  # another process removed the empty staging folder in between
            folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            (root / STAGING).rmdir()
        for parent in made:
            with suppress(OSError):
                parent.rmdir()


def publish(root: Path, folder: Path, manifest: dict[str, Any], reference: Path) -> Snapshot:
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

    Returns
    -------
    The snapshot that names the release.

    Raises
    ------
    WarehouseError
        A staged table is missing or does not have the contract's columns.
    """
    dataset_id, release_id = manifest["dataset_id"], manifest["release_id"]
    _keep_reference(root, folder, manifest["gene_reference"], reference)
    files = [_describe(path, folder) for path in sorted(folder.rglob("*.parquet"))]
    content = manifest | {"contract_version": CONTRACT_VERSION, "files": files}
    (folder / MANIFEST).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for path in [*folder.rglob("*"), folder]:
        _flush(path)
    target = release_path(root, dataset_id, release_id)
    target.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError, OSError):  # the same release, published before or by another process, stays
        folder.rename(target)
    if not (target / MANIFEST).is_file():
        raise WarehouseError("A release could not be put in its place.", where=str(target))
    _flush(target.parent)
    return name_release(root, dataset_id, release_id)


def name_release(root: Path, dataset_id: str, release_id: str) -> Snapshot:
    """Create the snapshot in which a dataset is at a release that is in its place already."""
    while True:
        latest = read_snapshot(root)
        if latest.datasets.get(dataset_id) == release_id:
            return latest
        following = Snapshot(
            number=latest.number + 1,
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            note=f"ingest {dataset_id}",
            datasets=dict(sorted((latest.datasets | {dataset_id: release_id}).items())),
        )
        if _create_exclusively(root, following):
            write_database(root, following)
            return following


def write_database(root: Path, snapshot: Snapshot) -> None:
    """Write ``featurestore.duckdb``: the snapshot's views and nothing else, for any DuckDB client."""
    with staging(root) as folder:
        path = folder / DATABASE
        with duckdb.connect(str(path)) as connection:
            attach_views(connection, root, snapshot)
        if read_snapshot(root).number == snapshot.number:
            path.replace(root / DATABASE)


def _create_exclusively(root: Path, snapshot: Snapshot) -> bool:
    content = {
        "contract_version": CONTRACT_VERSION,
        "created_at": snapshot.created_at,
        "note": snapshot.note,
        "datasets": snapshot.datasets,
    }
    target = snapshot_path(root, snapshot.number)
    target.parent.mkdir(parents=True, exist_ok=True)
    with staging(root) as folder:
        path = folder / target.name
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        _flush(path)
        try:
            os.link(path, target)
        except FileExistsError:
            return False
    _flush(target.parent)
    return True


def _keep_reference(root: Path, folder: Path, reference_id: str, reference: Path) -> None:
    target = root / REFERENCES / reference_id
    if target.exists():
        return
    copy = folder.with_name(f"{folder.name}-reference")
    shutil.copytree(reference, copy)
    for path in [*copy.rglob("*"), copy]:
        _flush(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        copy.rename(target)
    except OSError:  # another process was first
        shutil.rmtree(copy, ignore_errors=True)


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
        "bytes": path.stat().st_size,
        "sha256": file_sha256(path),
    }


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
