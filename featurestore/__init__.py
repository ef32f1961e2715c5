"""featurestore: perturbation transcriptomics in one warehouse, queried with SQL and built into model features.

>>> import featurestore as fs
>>> store = fs.open("warehouse")  # doctest: +SKIP
>>> store.sql("select dataset_id, n_conditions from dataset").pl()  # doctest: +SKIP
>>> matrix = store.build("features.toml")  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from featurestore.errors import FeatureStoreError, LeakageError
from featurestore.warehouse import Warehouse

if TYPE_CHECKING:
    from featurestore.features.perturbation_split import PerturbationSplit
    from featurestore.features.transformer import SignatureFeatures

__all__ = ["FeatureStoreError", "LeakageError", "PerturbationSplit", "SignatureFeatures", "Warehouse", "open"]


def open(  # noqa: A001
    path: str | Path = "warehouse", snapshot: int | None = None, *, datasets: Collection[str] | None = None
) -> Warehouse:
    """Open a warehouse for reading, or some datasets of it; see :class:`Warehouse`."""
    return Warehouse(path, snapshot, datasets=datasets)


def __getattr__(name: str) -> Any:
    """Import scikit-learn only for those who ask for its estimators."""
    if name == "SignatureFeatures":
        from featurestore.features.transformer import SignatureFeatures  # noqa: PLC0415

        return SignatureFeatures
    if name == "PerturbationSplit":
        from featurestore.features.perturbation_split import PerturbationSplit  # noqa: PLC0415

        return PerturbationSplit
    raise AttributeError(f"module 'featurestore' has no attribute '{name}'")
