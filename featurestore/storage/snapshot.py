"""Snapshots and releases on disk: which release each dataset is at, and what every release holds.

::

    releases/dataset_id=<id>/release_id=<hash>/   manifest.json and the Parquet tables of contract.RELEASE
    reference/<reference_id>/                     the gene tables that releases were mapped with
    snapshots/00000042.json                       dataset_id -> release_id; created once, never rewritten
    heads/00000042.json                           the newest snapshot again: that one was lost is noticed, and mended
    staging/                                      work in progress of live processes
    trash/                                        what gc has set aside, and deletes after a week

A snapshot holds the checksum of each release's manifest, of the snapshot before it, and of itself; a manifest those of
its tables: one chain, from the latest snapshot to every byte.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from featurestore.contract import CONTRACT_VERSION
from featurestore.errors import UnknownDatasetError, WarehouseError, did_you_mean, first_of
from featurestore.scarcity import heed_scarcity
from featurestore.storage.folders import is_there, listed, permission

SNAPSHOTS = "snapshots"
RELEASES = "releases"
REFERENCES = "reference"
STAGING = "staging"
HEADS = "heads"
TRASH = "trash"
MANIFEST = "manifest.json"
CHECKSUM = "sha256"
NUMBER = "snapshot"
_MARKS = (SNAPSHOTS, RELEASES, REFERENCES, STAGING, HEADS)
"""Folders that tell a warehouse, even where its first ingest was interrupted."""
_BESIDE = {"cache", "features", "matrices", "reports", "search", "README.md"}
"""What else a warehouse without a snapshot may hold."""
_NAME = re.compile(r"[A-Za-z0-9_]+")
LOST = f"finish the copy that stopped, or take {SNAPSHOTS}/ from a backup"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One state of the warehouse: a release for each dataset. Number 0 is the empty warehouse.

    ``manifests`` has the SHA-256 of each dataset's manifest and ``previous`` that of the snapshot file before; both are
    missing in snapshots written before there were checksums.
    """

    number: int
    created_at: str
    note: str
    datasets: dict[str, str]
    manifests: dict[str, str] = field(default_factory=dict)
    previous: str | None = None
    contract_version: int = CONTRACT_VERSION

    def release_of(self, dataset_id: str) -> str:
        """Return the release id of a dataset.

        Raises
        ------
        UnknownDatasetError
            The snapshot has no such dataset.
        """
        if dataset_id not in self.datasets:
            raise UnknownDatasetError(
                f"There is no dataset '{dataset_id}' in snapshot {self.number}.",
                do=did_you_mean(dataset_id, sorted(self.datasets)),
            )
        return self.datasets[dataset_id]


EMPTY = Snapshot(0, "", "empty warehouse", {})


def check_warehouse(root: Path) -> None:
    """Refuse to read what is no warehouse; an empty folder is one without datasets.

    Raises
    ------
    WarehouseError
        The folder does not exist, or holds other things.
    """
    if (root / SNAPSHOTS).is_dir():
        return
    do = "ingest a dataset first: featurestore ingest SPEC.toml, or name another folder with --warehouse"
    if not root.is_dir():
        raise WarehouseError("There is no warehouse.", where=str(root), do=do)
    names = {entry.name for entry in root.iterdir() if not entry.name.startswith(".")}
    others = sorted(names - _BESIDE)
    if others and names.isdisjoint(_MARKS):
        near = sorted(folder.parent for folder in root.glob(f"*/{SNAPSHOTS}") if folder.is_dir())
        raise WarehouseError(
            "There is no warehouse in this folder.",
            where=str(root),
            expected=f"a folder {SNAPSHOTS}",
            got=first_of(others),
            do=" or ".join(f"a warehouse is in it: --warehouse {shlex.quote(str(path))}" for path in near[:2]) or do,
        )


def snapshot_path(root: Path, number: int) -> Path:
    """Return where a snapshot's file is."""
    return root / SNAPSHOTS / f"{number:08d}.json"


def head_path(root: Path, number: int) -> Path:
    """Return where a snapshot is recorded again while it is the newest."""
    return root / HEADS / snapshot_path(root, number).name


def release_path(root: Path, dataset_id: str, release_id: str) -> Path:
    """Return a release's folder."""
    return root / RELEASES / f"dataset_id={dataset_id}" / f"release_id={release_id}"


def snapshot_numbers(root: Path) -> list[int]:
    """List the snapshots, oldest first."""
    return _numbers(root / SNAPSHOTS)


def recorded_heads(root: Path) -> list[int]:
    """List what was recorded as the newest snapshot: one number, two while it changes, none by older programs."""
    return _numbers(root / HEADS)


def _numbers(folder: Path) -> list[int]:
    found = ((path, path.stem) for path in listed(folder, "[0-9]*.json"))
    numbers = [(path, int(stem)) for path, stem in found if stem.isascii() and stem.isdigit()]
    return sorted(number for path, number in numbers if path.name == snapshot_path(folder, number).name)


def newest_number(root: Path) -> int:
    """Return the number of the newest snapshot; 0 where nothing was ever published.

    Raises
    ------
    WarehouseError
        It was lost: another was recorded as the newest, or there are releases and none.
    """
    recorded = recorded_heads(root)  # before the snapshots: it is written after them
    numbers = snapshot_numbers(root)
    newest = numbers[-1] if numbers else 0
    if recorded and recorded[-1] > newest:
        path, copy = snapshot_path(root, recorded[-1]), head_path(root, recorded[-1])
        raise WarehouseError(
            "The newest snapshot is missing.",
            where=str(path),
            expected=f"snapshot {recorded[-1]}, as {HEADS}/ has it",
            got=f"snapshots up to {newest}" if numbers else "no snapshot",
            do=f"{LOST}; or the newest alone: {copy_command(copy, path)}",
        )
    if not recorded and not numbers and listed(root / RELEASES, "dataset_id=*", "release_id=*"):
        raise WarehouseError(
            "No snapshot names the releases of this warehouse.",
            where=str(root / SNAPSHOTS),
            expected="the snapshots that they were published with",
            got="none",
            do=f"{LOST}; or ingest into another folder",
        )
    return newest


def copy_command(source: Path, target: Path) -> str:
    """Return the command that copies a file, the folder made if need be."""
    return f"mkdir -p {shlex.quote(str(target.parent))} && cp {shlex.quote(str(source))} {shlex.quote(str(target))}"


def read_snapshot(root: Path, number: int | None = None) -> Snapshot:
    """Read one snapshot, the latest by default; a warehouse without any is :data:`EMPTY`.

    Raises
    ------
    WarehouseError
        There is no snapshot of that number, its file is damaged, a newer program wrote it, or the newest was lost.
    """
    if number is None:
        number = newest_number(root)
        if number == 0:
            return EMPTY
    path = snapshot_path(root, number)
    if number < 1 or not is_there(path):
        numbers = snapshot_numbers(root)
        known = f"{numbers[0]} to {numbers[-1]}" if numbers else "none"
        raise WarehouseError(f"There is no snapshot {number}.", where=str(root), expected=f"one of {known}")
    content = read_json(path)
    version = content.get("contract_version", 0)
    if isinstance(version, int) and version > CONTRACT_VERSION:
        raise WarehouseError(
            "The warehouse was written by a newer featurestore.",
            where=str(path),
            expected=f"contract version {CONTRACT_VERSION} or older",
            got=f"contract version {version}",
            do="upgrade featurestore, or read an older snapshot",
        )
    datasets = content.get("datasets")
    is_whole = CHECKSUM not in content or content[CHECKSUM] == _checksum(content)
    if is_whole and content.get(NUMBER, number) != number:
        raise WarehouseError(
            "A snapshot is another than its name says.",
            where=str(path),
            expected=f"snapshot {number}",
            got=f"snapshot {content[NUMBER]}",
            do="see how to mend it: featurestore verify",
        )
    if not is_whole or not isinstance(datasets, dict) or not all(map(_is_name, (*datasets, *datasets.values()))):
        raise WarehouseError(
            "A snapshot is damaged.",
            where=str(path),
            do="read another snapshot (--snapshot), and see how to mend it: featurestore verify",
        )
    return Snapshot(
        number,
        str(content.get("created_at", "")),
        str(content.get("note", "")),
        datasets,
        content.get("manifests") or {},
        content.get("previous"),
        version if isinstance(version, int) else 0,
    )


def snapshot_text(snapshot: Snapshot, *, is_numbered: bool = True) -> str:
    """Return what a snapshot's file holds; the number is missing in those of older programs."""
    content = {
        **({NUMBER: snapshot.number} if is_numbered else {}),
        "contract_version": snapshot.contract_version,
        "created_at": snapshot.created_at,
        "note": snapshot.note,
        "datasets": snapshot.datasets,
        "manifests": snapshot.manifests,
        "previous": snapshot.previous,
    }
    return json.dumps(content | {CHECKSUM: _checksum(content)}, indent=1) + "\n"


def _checksum(content: dict[str, Any]) -> str:
    others = {key: value for key, value in content.items() if key != CHECKSUM}
    return hashlib.sha256(json.dumps(others, indent=1).encode()).hexdigest()


def _is_name(text: object) -> bool:
    """Say whether a dataset or release id is one: it becomes part of a path."""
    return isinstance(text, str) and _NAME.fullmatch(text) is not None


def read_manifest(root: Path, dataset_id: str, release_id: str) -> dict[str, Any]:
    """Read a release's manifest: inputs, spec, reference, row counts, checksums, timings."""
    return read_json(release_path(root, dataset_id, release_id) / MANIFEST)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object that the warehouse wrote.

    Raises
    ------
    WarehouseError
        The file is missing or not a JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WarehouseError("A file of the warehouse is missing.", where=str(path)) from None
    except OSError as error:
        heed_scarcity(error)
        do = permission(path) if isinstance(error, PermissionError) else ""
        got = error.strerror or str(error)
        raise WarehouseError("A file of the warehouse cannot be read.", where=str(path), got=got, do=do) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise WarehouseError("A file of the warehouse is damaged.", where=str(path), got=str(error)) from None
    if not isinstance(content, dict):
        raise WarehouseError("A file of the warehouse is damaged.", where=str(path), expected="a JSON object")
    return content
