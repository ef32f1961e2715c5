"""The gene reference: current genes, every label they have had, retired ids, and mouse orthologs.

Five small Parquet tables and a manifest, built from published tables by ``featurestore reference build`` and read
from here without any network. ``reference_id`` names their content; a release records the one it was mapped with.
Another folder of such tables is used where ``FEATURESTORE_REFERENCE`` names one.

============================  ==========================================================================
gene                          one current gene: ids, symbol, biotype, chromosome
gene_label                    one label of one gene, its kind, and the annotation releases that used it
gene_retired                  one id that is not current, and its successor where one is known
gene_release                  one Ensembl id, and the annotation releases that hold it
ortholog_human_mouse          one human-mouse pair of Ensembl or HCOP, and its homology
============================  ==========================================================================
"""

from __future__ import annotations

import functools
import hashlib
import importlib.resources
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Generic, TypeVar

import polars as pl

from featurestore.errors import SourceError, WarehouseError, did_you_mean

__all__ = ["FOLDER_VARIABLE", "cached", "data_dir", "manifest", "reference_id", "table", "using"]

FOLDER_VARIABLE = "FEATURESTORE_REFERENCE"

Made = TypeVar("Made")

_in_use: ContextVar[Path | None] = ContextVar("reference", default=None)
_shipped = Path(str(importlib.resources.files(__name__))) / "data"


def data_dir() -> Path:
    """Return the folder of the Parquet tables and ``manifest.json``: chosen, else of the environment, else shipped."""
    return _in_use.get() or Path(os.environ.get(FOLDER_VARIABLE) or _shipped)


@contextmanager
def using(folder: Path) -> Iterator[None]:
    """Map with the reference of another folder for a while."""
    token = _in_use.set(folder)
    try:
        yield
    finally:
        _in_use.reset(token)


class cached(Generic[Made]):  # noqa: N801, a decorator
    """Keep what a function makes of the reference, for each reference."""

    def __init__(self, make: Callable[[], Made]) -> None:
        functools.update_wrapper(self, make)
        self._of = functools.cache(lambda _folder: make())
        self.cache_clear = self._of.cache_clear

    def __call__(self) -> Made:
        """Make it, or return what was made."""
        return self._of(data_dir())


@cached
def manifest() -> dict[str, Any]:
    """Return sources, licences, row counts and checksums of the tables, as written by the build.

    Raises
    ------
    SourceError
        The folder holds no gene reference.
    """
    path = data_dir() / "manifest.json"
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SourceError(
            "There is no gene reference.",
            where=str(path),
            got=error.strerror or str(error) if isinstance(error, OSError) else "not JSON",
            do=f"unset {FOLDER_VARIABLE}, or name a folder that featurestore reference build wrote",
        ) from None
    return content


def reference_id() -> str:
    """Hash of the tables' content: 12 hexadecimal digits."""
    return str(manifest()["reference_id"])


def table(name: str) -> pl.DataFrame:
    """Read one table of the reference.

    Raises
    ------
    WarehouseError
        There is no such table.
    SourceError
        Its file is missing, or is not the one that was built.
    """
    tables = manifest()["tables"]
    if name not in tables:
        raise WarehouseError(f"The gene reference has no table '{name}'.", do=did_you_mean(name, tables))
    return _read(data_dir() / f"{name}.parquet", tables[name]["sha256"])


@functools.cache
def _read(path: Path, sha256: str) -> pl.DataFrame:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SourceError("A table of the gene reference is missing.", where=str(path), got=str(error)) from None
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256:
        raise SourceError(
            "A table of the gene reference is not the one that was built.",
            where=str(path),
            expected=f"sha256 {sha256}",
            got=f"sha256 {digest}",
            do="build it again: featurestore reference build",
        )
    return pl.read_parquet(content, glob=False)
