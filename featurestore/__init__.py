"""featurestore: perturbation transcriptomics in one warehouse, queried with SQL and built into model features.

>>> import featurestore as fs
>>> store = fs.open("warehouse")  # doctest: +SKIP
>>> store.sql("select dataset_id, n_conditions from dataset").pl()  # doctest: +SKIP
>>> matrix = store.build("features.toml")  # doctest: +SKIP
"""

from __future__ import annotations

from pathlib import Path

from featurestore.errors import FeatureStoreError, LeakageError
from featurestore.warehouse import Warehouse

__all__ = ["FeatureStoreError", "LeakageError", "Warehouse", "open"]


def open(path: str | Path = "warehouse", snapshot: int | None = None) -> Warehouse:  # noqa: A001
    """Open a warehouse for reading; see :class:`Warehouse`."""
    return Warehouse(path, snapshot)
