"""Give a dataset another name: the next snapshot has it under the new one, and every older one as it was."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

import polars as pl

from featurestore.contract import CONTRACT_VERSION
from featurestore.errors import WarehouseError
from featurestore.storage.release import release_files
from featurestore.storage.snapshot import (
    REFERENCES,
    Snapshot,
    check_warehouse,
    read_manifest,
    read_snapshot,
    release_path,
)
from ingest.release.publish import content_hash, publish
from ingest.release.staging import staging
from ingest.release.tables import write_table

_SLUG = re.compile(r"[a-z0-9_]{1,100}")
_NAMED = {"dataset": ("dataset_id", "release_id"), "condition": ("perturbation_id",), "mapping": ("target_id",)}
"""Tables that say their dataset, and in which columns; of no other table a byte is changed."""


def rename_dataset(root: Path, old: str, new: str) -> Snapshot:
    """Publish a snapshot in which a dataset has another name; its experiments and conditions keep theirs.

    Raises
    ------
    UnknownDatasetError
        The latest snapshot has no dataset of the old name.
    WarehouseError
        The new name is no slug or is taken, or the release is of an older contract.
    """
    check_warehouse(root)
    latest = read_snapshot(root)
    release_id = latest.release_of(old)
    manifest = read_manifest(root, old, release_id)
    _check(new, latest, manifest)
    named = {"dataset_id": new, "release_id": content_hash({"dataset": old, "release": release_id, "renamed": new})}
    was = {"dataset_id": old, "release_id": release_id}
    with staging(root) as workspace:
        folder = workspace / "release"
        for table, path in release_files(root, old, release_id):
            target = folder / path.relative_to(release_path(root, old, release_id))
            target.parent.mkdir(parents=True, exist_ok=True)
            if table in _NAMED:
                write_table(
                    folder,
                    table,
                    _renamed(pl.read_parquet(path, hive_partitioning=False, glob=False), table, old, named),
                )
            else:
                _same(path, target)
        return publish(
            root,
            folder,
            manifest | named | {"renamed_from": manifest.get("renamed_from", was)},
            root / REFERENCES / manifest["gene_reference"],
            instead_of=(old, release_id),
        )


def _check(new: str, latest: Snapshot, manifest: dict[str, Any]) -> None:
    if not _SLUG.fullmatch(new):
        raise WarehouseError(
            f"'{new}' cannot be the name of a dataset.", expected="small letters, digits and underscores, 100 at most"
        )
    if new in latest.datasets:
        raise WarehouseError(
            f"There is a dataset '{new}' already.",
            where=f"snapshot {latest.number}",
            do="remove it, or take another name",
        )
    version = manifest.get("contract_version", 0)
    if version != CONTRACT_VERSION:
        raise WarehouseError(
            "The release is of an older contract.",
            expected=f"version {CONTRACT_VERSION}",
            got=f"version {version}",
            do="ingest the dataset again, under the new name",
        )


def _renamed(frame: pl.DataFrame, table: str, old: str, named: dict[str, str]) -> pl.DataFrame:
    """Say the new name in the columns that said the old one; a label that is no gene is of one dataset alone."""
    if table == "dataset":
        return frame.with_columns(pl.lit(value).alias(column) for column, value in named.items())
    own, other = f"label:{old}:", f"label:{named['dataset_id']}:"
    return frame.with_columns(pl.col(_NAMED[table]).str.replace_all(own, other, literal=True))


def _same(path: Path, target: Path) -> None:
    """Have a file in a second place: a published file never changes, so one copy on the disk is enough."""
    try:
        os.link(path, target)
    except OSError:
        shutil.copyfile(path, target)
