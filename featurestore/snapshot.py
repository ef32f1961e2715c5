"""Snapshots and releases on disk: which release each dataset is at, and what every release holds.

::

    releases/dataset_id=<id>/release_id=<hash>/   manifest.json and the Parquet tables of contract.RELEASE
    reference/<reference_id>/                     the gene tables that releases were mapped with
    snapshots/00000042.json                       dataset_id -> release_id; created once, never rewritten
    staging/                                      work in progress; safe to delete
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from featurestore.contract import CONTRACT_VERSION
from featurestore.errors import UnknownDatasetError, WarehouseError, did_you_mean

SNAPSHOTS = "snapshots"
RELEASES = "releases"
REFERENCES = "reference"
STAGING = "staging"
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One state of the warehouse: a release for each dataset. Number 0 is the empty warehouse."""

    number: int
    created_at: str
    note: str
    datasets: dict[str, str]

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


def snapshot_path(root: Path, number: int) -> Path:
    """Return where a snapshot's file is."""
    return root / SNAPSHOTS / f"{number:08d}.json"


def release_path(root: Path, dataset_id: str, release_id: str) -> Path:
    """Return a release's folder."""
    return root / RELEASES / f"dataset_id={dataset_id}" / f"release_id={release_id}"


def snapshot_numbers(root: Path) -> list[int]:
    """List the snapshots, oldest first."""
    return sorted(int(path.stem) for path in (root / SNAPSHOTS).glob("[0-9]*.json") if path.stem.isdigit())


def read_snapshot(root: Path, number: int | None = None) -> Snapshot:
    """Read one snapshot, the latest by default; a warehouse without any is :data:`EMPTY`.

    Raises
    ------
    WarehouseError
        There is no snapshot of that number, its file is damaged, or a newer program wrote it.
    """
    numbers = snapshot_numbers(root)
    if number is None:
        if not numbers:
            return EMPTY
        number = numbers[-1]
    if number not in numbers:
        known = f"{numbers[0]} to {numbers[-1]}" if numbers else "none"
        raise WarehouseError(f"There is no snapshot {number}.", where=str(root), expected=f"one of {known}")
    content = read_json(snapshot_path(root, number))
    if content.get("contract_version", 0) > CONTRACT_VERSION:
        raise WarehouseError(
            "The warehouse was written by a newer featurestore.",
            where=str(snapshot_path(root, number)),
            expected=f"contract version {CONTRACT_VERSION} or older",
            got=f"contract version {content['contract_version']}",
            do="upgrade featurestore, or read an older snapshot",
        )
    return Snapshot(number, content["created_at"], content.get("note", ""), dict(content["datasets"]))


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
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise WarehouseError("A file of the warehouse is damaged.", where=str(path), got=str(error)) from None
    if not isinstance(content, dict):
        raise WarehouseError("A file of the warehouse is damaged.", where=str(path), expected="a JSON object")
    return content
