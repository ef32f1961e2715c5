"""The files of a release, by its manifest."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from featurestore.contract import CONTRACT_VERSION, RELEASE
from featurestore.errors import WarehouseError
from featurestore.scarcity import heed_scarcity
from featurestore.storage.checksums import file_sha256
from featurestore.storage.snapshot import MANIFEST, read_manifest, release_path

SEE_VERIFY = "see which and how to restore it: featurestore verify"


def release_files(root: Path, dataset_id: str, release_id: str) -> list[tuple[str, Path]]:
    """List a release's files, each with the table it holds.

    Raises
    ------
    WarehouseError
        The manifest is missing or damaged.
    """
    folder = release_path(root, dataset_id, release_id)
    manifest = read_manifest(root, dataset_id, release_id)
    try:
        files = [(file["table"], PurePosixPath(file["path"])) for file in manifest["files"]]
        is_whole = all(table in RELEASE and _is_inside(path) for table, path in files)
        is_whole = is_whole and _is_inside(PurePosixPath(manifest["gene_reference"]))
    except (KeyError, TypeError):
        is_whole = False
    if not is_whole:
        raise WarehouseError("A manifest is damaged.", where=str(folder), do="see: featurestore verify")
    return [(table, folder / path) for table, path in files]


def check_manifest(root: Path, dataset_id: str, release_id: str, checksum: str | None) -> None:
    """Compare a release's manifest with what its snapshot says of it; older snapshots say nothing.

    Raises
    ------
    WarehouseError
        It is another.
    """
    path = release_path(root, dataset_id, release_id) / MANIFEST
    if checksum is not None and (found := file_sha256(path)) != checksum:
        raise WarehouseError(
            "A manifest is not the one that was published.",
            where=str(path),
            expected=f"sha256 {checksum}",
            got=found,
            do=SEE_VERIFY,
        )


def why_unreadable(root: Path, releases: Iterable[tuple[str, str]], error: Exception) -> WarehouseError:
    """Find the first table that views cannot be made of: missing, damaged, or without a column of today's contract."""
    heed_scarcity(error)
    import pyarrow as pa  # noqa: PLC0415, what can be read needs no second reader
    import pyarrow.parquet as pq  # noqa: PLC0415

    for dataset_id, release_id in sorted(releases):
        for table, path in release_files(root, dataset_id, release_id):
            try:
                missing = [name for name in RELEASE[table].columns if name not in pq.read_schema(path).names]
            except (OSError, pa.ArrowException) as fault:
                heed_scarcity(fault)
                got = " ".join(str(fault).split())
                return WarehouseError("A table cannot be read.", where=str(path), got=got, do=SEE_VERIFY)
            if missing:
                return _too_old(read_manifest(root, dataset_id, release_id), path, missing)
    got = " ".join(str(error).split())
    return WarehouseError("The views cannot be made.", where=str(root), got=got, do=SEE_VERIFY)


def _too_old(manifest: dict[str, Any], path: Path, missing: list[str]) -> WarehouseError:
    written = manifest.get("contract_version", 0)
    remove = "" if written != CONTRACT_VERSION else f"move {path.parent} away, then "
    return WarehouseError(
        "A release was written by another version of featurestore, and lacks columns.",
        where=str(path),
        expected=f"contract version {CONTRACT_VERSION}: {', '.join(missing)}",
        got=f"contract version {written}, featurestore {manifest.get('code', {}).get('version', 'unknown')}",
        do=f"{remove}ingest it again: featurestore ingest {manifest.get('spec_file', 'SPEC.toml')}",
    )


def _is_inside(path: PurePosixPath) -> bool:
    return not path.is_absolute() and ".." not in path.parts
