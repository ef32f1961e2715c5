"""The gene reference: current genes, every label they have had, retired ids, and mouse orthologs.

Five small Parquet tables and a manifest, built from published tables by ``python -m ingest.reference.build`` and read
from here without any network. ``reference_id`` names their content; a release records the one it was mapped with.

============================  ==========================================================================
gene                          one current gene: ids, symbol, biotype, chromosome
gene_label                    one label of one gene, its kind, and the annotation releases that used it
gene_retired                  one id that is not current, and its successor where one is known
gene_release                  one Ensembl id, and the annotation releases that hold it
ortholog_human_mouse          one human-mouse pair of Ensembl, and its homology
============================  ==========================================================================
"""

from __future__ import annotations

import functools
import importlib.resources
import json
from importlib.resources.abc import Traversable
from typing import Any

import polars as pl

from featurestore.errors import WarehouseError, did_you_mean

__all__ = ["data_dir", "manifest", "reference_id", "table"]


def data_dir() -> Traversable:
    """Return the folder of the Parquet tables and ``manifest.json``."""
    return importlib.resources.files(__name__) / "data"


@functools.cache
def manifest() -> dict[str, Any]:
    """Return sources, licences, row counts and checksums of the tables, as written by the build."""
    content: dict[str, Any] = json.loads((data_dir() / "manifest.json").read_text(encoding="utf-8"))
    return content


def reference_id() -> str:
    """Hash of the tables' content: 12 hexadecimal digits."""
    return str(manifest()["reference_id"])


@functools.cache
def table(name: str) -> pl.DataFrame:
    """Read one table of the reference.

    Raises
    ------
    WarehouseError
        There is no such table.
    """
    tables = manifest()["tables"]
    if name not in tables:
        raise WarehouseError(f"The gene reference has no table '{name}'.", do=did_you_mean(name, tables))
    return pl.read_parquet((data_dir() / f"{name}.parquet").read_bytes())
