"""featurestore: perturbation transcriptomics in one warehouse, queried with SQL and built into model features.

>>> import featurestore as fs
>>> store = fs.open("warehouse")  # doctest: +SKIP
>>> store.sql("select dataset_id, n_conditions from dataset").pl()  # doctest: +SKIP
>>> matrix = store.build("features.toml")  # doctest: +SKIP
"""

from __future__ import annotations

TYPE_CHECKING = False
"""As of ``typing``, which is long to load: until the command hears Ctrl-C, it should load nothing."""
if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path
    from typing import Any

    from featurestore.errors import FeatureStoreError, LeakageError
    from featurestore.evaluation.own import evaluate
    from featurestore.features.perturbation_split import PerturbationSplit
    from featurestore.features.transformer import SignatureFeatures
    from featurestore.query.warehouse import Warehouse
    from featurestore.store import Store

__all__ = [
    "FeatureStoreError",
    "LeakageError",
    "PerturbationSplit",
    "SignatureFeatures",
    "Store",
    "Warehouse",
    "evaluate",
    "open",
]

_LOADED_WHEN_ASKED = {
    "FeatureStoreError": "featurestore.errors",
    "LeakageError": "featurestore.errors",
    "PerturbationSplit": "featurestore.features.perturbation_split",
    "SignatureFeatures": "featurestore.features.transformer",
    "Store": "featurestore.store",
    "Warehouse": "featurestore.query.warehouse",
    "evaluate": "featurestore.evaluation.own",
}
"""Who ingests needs no scikit-learn, and who reads a file no database."""


def open(  # noqa: A001
    path: str | Path = "warehouse", snapshot: int | None = None, *, datasets: Collection[str] | None = None
) -> Store:
    """Open a warehouse for reading, or some datasets of it.

    Parameters
    ----------
    path
        The warehouse folder, or its address on an object store: ``s3://bucket/warehouse``.
    snapshot
        Number of the snapshot; the latest by default.
    datasets
        The datasets to show; all by default.

    Raises
    ------
    WarehouseError
        There is no warehouse, or no such snapshot, or one that is damaged or too old.
    UnknownDatasetError
        The snapshot lacks one of ``datasets``.
    """
    from featurestore.store import Store  # noqa: PLC0415

    return Store(path, snapshot, datasets=datasets)


def __dir__() -> list[str]:
    return sorted(__all__)


def __getattr__(name: str) -> Any:
    """Import what the package offers when it is first asked for."""
    if name in _LOADED_WHEN_ASKED:
        from importlib import import_module  # noqa: PLC0415

        return getattr(import_module(_LOADED_WHEN_ASKED[name]), name)
    raise AttributeError(f"module 'featurestore' has no attribute '{name}'")
