"""Matrices that were built before: the same spec, releases, files and packages give the same matrix, so it is kept.

They lie under ``matrices/`` in the warehouse, by content, and are compared with their checksums when they are taken;
the folder may be deleted at any time. A warehouse that cannot be written to is read as it is.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from featurestore.contract import CONTRACT_VERSION
from featurestore.errors import FeatureError
from featurestore.features.matrix.feature_matrix import FeatureMatrix
from featurestore.features.matrix.manifest import PACKAGES, RECIPE_VERSION
from featurestore.storage.checksums import file_sha256
from featurestore.storage.whole import take_place

if TYPE_CHECKING:
    from featurestore.features.spec import FeatureSpec
    from featurestore.query.warehouse import Warehouse
    from featurestore.storage.snapshot import Snapshot

MATRICES = "matrices"
KEY = "key"
"""What the manifest of a kept matrix has more than that of another: the key that it was kept under."""
LAYOUT_VERSION = 3
"""Raised whenever a matrix that was kept before is not to be taken: those of 1 have no checksums, of 2 no key."""


def matrix_key(state: Snapshot, spec: FeatureSpec) -> str | None:
    """Hash everything that a matrix and its manifest follow from; None where a file of the spec cannot be read."""
    try:
        files = [file_sha256(Path(f.file)) for f in spec.embeddings]
    except OSError:
        return None
    packages = {name: version(name) for name in PACKAGES}
    snapshot = [state.number, state.datasets]
    content = [
        LAYOUT_VERSION,
        RECIPE_VERSION,
        CONTRACT_VERSION,
        packages,
        spec.model_dump(mode="json"),
        files,
        snapshot,
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def kept_matrix(warehouse: Warehouse, key: str | None) -> FeatureMatrix | None:
    """Return the matrix of a key, if it is there, whole, and not that of another key."""
    if key is None or not (warehouse.path / MATRICES / key).is_dir():
        return None
    try:
        matrix = FeatureMatrix.read(warehouse.path / MATRICES / key)
    except FeatureError:
        return None
    others = {name: value for name, value in matrix.manifest.items() if name != KEY}
    return replace(matrix, manifest=others) if matrix.manifest.get(KEY) == key else None


def keep_matrix(warehouse: Warehouse, key: str | None, matrix: FeatureMatrix) -> None:
    """Keep a matrix under its key, all of it or nothing; where that cannot be, nothing happens."""
    if key is None:
        return
    folder = warehouse.path / MATRICES
    with suppress(OSError, FeatureError):
        folder.mkdir(exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".", dir=folder))
        try:
            replace(matrix, manifest=matrix.manifest | {KEY: key}).write(work)
            take_place(work, folder / key)
        finally:
            shutil.rmtree(work, ignore_errors=True)
