"""Take datasets out of a warehouse: the next snapshot is without them, and every older one is as it was."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from featurestore.contract import CONTRACT_VERSION
from featurestore.storage.locks import publishing
from featurestore.storage.snapshot import Snapshot, check_warehouse
from ingest.release.database import refresh_database
from ingest.release.publish import publish_next
from ingest.release.staging import telling_refusal


def remove_datasets(root: Path, dataset_ids: Collection[str]) -> Snapshot:
    """Publish a snapshot without some datasets. Their releases stay until ``gc`` finds no snapshot that names them.

    Returns
    -------
    The new snapshot.

    Raises
    ------
    UnknownDatasetError
        The latest snapshot does not have one of them; none is removed.
    WarehouseError
        There is no warehouse, or nothing can be written to it.
    """
    check_warehouse(root)

    def without(latest: Snapshot, previous: str | None) -> Snapshot:
        for dataset_id in dataset_ids:
            latest.release_of(dataset_id)
        return replace(
            latest,
            number=latest.number + 1,
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            note=f"remove {', '.join(dataset_ids)}",
            datasets={name: release for name, release in latest.datasets.items() if name not in dataset_ids},
            manifests={name: checksum for name, checksum in latest.manifests.items() if name not in dataset_ids},
            previous=previous,
            contract_version=CONTRACT_VERSION,
        )

    with telling_refusal(root), publishing(root):
        snapshot = publish_next(root, without)
    refresh_database(root)
    return snapshot
