"""Reader of Zarr stores that hold AnnData or MuData: versions 2 and 3, sharded or not, a folder or a zip archive."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from featurestore.errors import SourceFormatError
from ingest.readers.anndata_tree import AnnDataReader, is_anndata
from ingest.readers.damage import telling_damage
from ingest.readers.feature_words import are_few, is_rna
from ingest.readers.mudata_tree import MODALITIES, MuDataReader, is_mudata
from ingest.readers.zarr_metadata import V2_GROUP, V3
from ingest.readers.zarr_nodes import ZarrArray, ZarrGroup, open_node
from ingest.readers.zarr_storage import SERVED, ZIP, Folder, Storage, Zip

TABLES = frozenset({"obs", "var"})
MATRICES = frozenset({"X", "layers", "raw"})
NOTES = ("uns/log1p", "uns/organism", "uns/species")
"""What is read of ``uns``."""
CONSOLIDATED = ".zmetadata"
ROOTS = frozenset({V3, V2_GROUP})
"""What makes a folder a store."""


class ZarrFormat:
    """AnnData and MuData as Zarr."""

    name: ClassVar[str] = "zarr"

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Say whether this is a store whose root holds AnnData or MuData."""
        storage = open_storage(path)
        if storage is None:
            return False
        try:
            root = open_node(storage, "")
            return isinstance(root, ZarrGroup) and (is_anndata(root) or is_mudata(root))
        finally:
            storage.close()

    @classmethod
    def open(cls, path: Path, *, matrix: str | None = None) -> AnnDataReader | MuDataReader:
        """Open a store; ``matrix`` names one of its matrices, ``X`` or the only one where it is None.

        Raises
        ------
        SourceFormatError
            It is no store, is damaged, or has no such matrix.
        """
        storage = open_storage(path)
        if storage is None:
            raise SourceFormatError("the path is no Zarr store", where=str(path))
        return open_store(storage, matrix)


def open_store(storage: Storage, matrix: str | None = None) -> AnnDataReader | MuDataReader:
    """Open the AnnData or MuData of a store.

    Raises
    ------
    SourceFormatError
        It holds neither, is damaged, or has no such matrix.
    """
    path, name = storage.path, ZarrFormat.name
    root = open_node(storage, "")
    if not isinstance(root, ZarrGroup):
        storage.close()
        raise SourceFormatError("the root of the store is no group", where=str(path))
    kind = MuDataReader if is_mudata(root) else AnnDataReader
    reader = kind(path, (), root, storage.close, name, matrix)
    with telling_damage(path, "the whole"):
        absent = _n_absent(root, reader)
        reader.files = storage.files(lambda key: is_read(key, reader.matrix))
    told = f"; {absent:,} parts of it are not stored and read as 0" if absent else ""
    reader.format = f"{name} (v{root.version}, {reader.format.removeprefix(f'{name} (').removesuffix(')')}{told})"
    return reader


def open_storage(path: Path) -> Storage | None:
    """Open a store, None where the path is none: a folder with metadata of its own, or a zip archive of one."""
    if path in SERVED.get():
        return SERVED.get()[path]
    if path.is_dir():
        return Folder(path) if any((path / key).is_file() for key in ROOTS) else None
    if not path.is_file():
        return None
    with path.open("rb") as file:
        if file.read(len(ZIP)) != ZIP:
            return None
    with telling_damage(path, "the archive"):
        storage = Zip(path)
    if any(storage.size(key) is not None for key in ROOTS):
        return storage
    storage.close()
    return None


def is_read(key: str, matrix: str) -> bool:
    """Say whether a release of a matrix depends on an object: not on other matrices, nor on embeddings.

    Examples
    --------
    >>> [is_read(key, "layers/counts") for key in ("obs/x/c/0", "layers/counts/data/c/0", "X/data/c/0", "obsm/X_pca")]
    [True, True, False, False]
    """
    parts = key.split("/")
    if parts[0] == MODALITIES and len(parts) > 2:  # noqa: PLR2004, mod/NAME/...
        modality, key = parts[1], "/".join(parts[2:])
        is_counted = matrix.startswith(f"{MODALITIES}/{modality}/") or are_few(modality)
        return is_read(key, matrix.removeprefix(f"{MODALITIES}/{modality}/") if is_counted else "")
    top = parts[0]
    if len(parts) == 1 or top in TABLES or key.startswith(NOTES):
        return key != CONSOLIDATED
    is_matrix = (bool(matrix) and key.startswith(f"{matrix}/")) or (matrix.startswith("raw") and top == "raw")
    return top in MATRICES and (is_matrix or len(parts) == 2)  # noqa: PLR2004, X/zarr.json


def wanted_of(sizes: Mapping[str, int], matrix: str | None) -> dict[str, int]:
    """Choose the objects of a store that a release depends on, of which only the names are known.

    Parameters
    ----------
    sizes
        The objects, by key. Unit: bytes.
    matrix
        The matrix that is read; where None that of RNA, ``X``, or, without it, whatever there is.
    """
    modalities = {key.split("/")[1] for key in sizes if key.startswith(f"{MODALITIES}/") and key.count("/") > 1}
    prefixes = [f"{MODALITIES}/{name}/" for name in modalities if is_rna(name) or len(modalities) == 1] or [""]
    default = [f"{prefix}X" for prefix in prefixes if any(key.startswith(f"{prefix}X/") for key in sizes)]
    asked = [matrix] if matrix is not None else default
    return {key: size for key, size in sizes.items() if not asked or any(is_read(key, each) for each in asked)}


def _n_absent(root: ZarrGroup, reader: AnnDataReader | MuDataReader) -> int:
    """Count the parts of a matrix stored in full that are not there: zeros, or lost, Zarr does not say."""
    node = root.member(reader.matrix)
    return node.n_absent() if isinstance(node, ZarrArray) else 0
