"""The prepared signatures of a release, kept beside the releases so that a question reads nothing else.

::

    search/<dataset_id>.<release_id>/   rows.npy      scaled, without background and own targets: float32
                                        ranks.npy     each gene's place in its row: uint16, or uint32 of many genes
                                        crowding.npy  mean cosine with the nearest
                                        norms.npy     Euclidean norm of each row
                                        genes.parquet, conditions.parquet
                                        manifest.json layout, sizes and checksums; written last

An index holds nothing that the release does not: it may be deleted at any time, is made again at the next question, and
goes with its release in ``gc``. It is written some rows at a time. Opening one compares the sizes of the two large
files, and the checksums of the others; ``verify`` reads all of it. A warehouse that cannot be written to, or lies on an
object store, is searched without: the answer is the same.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.contract import CONTRACT_VERSION
from featurestore.errors import WarehouseError
from featurestore.scarcity import heed_scarcity
from featurestore.search.block import Preparation, SignatureBlock, crowding, norms, prepare
from featurestore.search.enrichment import ranked
from featurestore.storage.checksums import file_sha256
from featurestore.storage.sealed import file_sums, sealed, unsealed
from featurestore.storage.snapshot import MANIFEST, read_json
from featurestore.storage.whole import flush, system_errors, take_place

if TYPE_CHECKING:
    from featurestore.query.warehouse import Warehouse

INDEXES = "search"
LAYOUT_VERSION = 2
"""Raised whenever an index that was kept before is not to be taken."""
_LARGE = ("rows.npy", "ranks.npy")


def index_path(root: Path, dataset_id: str, release_id: str) -> Path:
    """Return where the index of a release is."""
    return root / INDEXES / f"{dataset_id}.{release_id}"


def indexed_block(warehouse: Warehouse, dataset_id: str) -> SignatureBlock | None:
    """Return the signatures of a dataset from its index, made first where that can be; None where it cannot."""
    if warehouse.url is not None:
        return None
    folder = index_path(warehouse.path, dataset_id, warehouse.snapshot.release_of(dataset_id))
    found = open_index(folder)
    if found is not None or not os.access(warehouse.path, os.W_OK):
        return found
    how = prepare(warehouse, dataset_id)
    if how is None:
        return None
    with suppress(OSError):
        write_index(folder, how)
    return open_index(folder)


def is_indexed(warehouse: Warehouse, dataset_id: str) -> bool:
    """Say whether a dataset has an index, or no signature to keep in one."""
    if warehouse.url is not None:
        return False
    folder = index_path(warehouse.path, dataset_id, warehouse.snapshot.release_of(dataset_id))
    return (folder / MANIFEST).is_file() or prepare(warehouse, dataset_id, keep_background=True) is None


def open_index(folder: Path) -> SignatureBlock | None:
    """Open an index, its rows mapped into memory; None where there is none that is whole and of this layout.

    Raises
    ------
    FeatureStoreError
        Memory, threads or open files were wanting to read it.
    """
    try:
        record = unsealed(read_json(folder / MANIFEST), folder / MANIFEST, is_older=False)
        if record["layout_version"] != LAYOUT_VERSION or record["contract_version"] != CONTRACT_VERSION:
            return None
        if record["index"] != folder.name:  # put there from elsewhere: of another release
            return None
        if any((folder / name).stat().st_size != size for name, size in record["sizes"].items()):
            return None
        small = {name: sums for name, sums in record["files"].items() if name not in _LARGE}
        if any(file_sha256(folder / name) != expected for name, expected in small.items()):
            return None
        conditions = pl.read_parquet(folder / "conditions.parquet", glob=False)
        genes = pl.read_parquet(folder / "genes.parquet", glob=False)["gene_id"].to_numpy().astype(np.str_)
        kept = {name: _mapped(folder / f"{name}.npy") for name in ("ranks", "crowding", "norms")}
        rows = _mapped(folder / "rows.npy")
    except (WarehouseError, OSError, KeyError, ValueError, pl.exceptions.PolarsError) as error:
        heed_scarcity(error)
        return None
    return SignatureBlock(record["dataset_id"], record["effect_kind"], conditions, genes, rows, kept)


def index_faults(folder: Path) -> tuple[list[str], list[str]]:
    """Name the files of an index with other bytes than were written, and those that are missing.

    One with missing files is none, is being deleted perhaps, and is made again at the next question.
    """
    changed, missing = [], []
    try:
        record = unsealed(read_json(folder / MANIFEST), folder / MANIFEST, is_older=False)
        sums, name = dict(record["files"]), record.get("index", folder.name)
    except (WarehouseError, KeyError, TypeError):
        return ([MANIFEST], []) if (folder / MANIFEST).exists() else ([], [MANIFEST])
    if name != folder.name:
        changed.append(f"{MANIFEST}, which is of {name}")
    for name, expected in sums.items():
        try:
            if file_sha256(folder / name) != expected:
                changed.append(name)
        except FileNotFoundError:
            missing.append(name)
        except OSError as error:
            heed_scarcity(error)
            changed.append(name)
    return changed, missing


def write_index(folder: Path, how: Preparation) -> None:
    """Write the index of a release, all of it or nothing.

    Raises
    ------
    OSError
        The disk is full, or it cannot be written; there is no index.
    """
    folder.parent.mkdir(exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".", dir=folder.parent))
    try:
        shape = (how.conditions.height, len(how.genes))
        small = shape[1] <= np.iinfo(np.uint16).max
        with (
            _growing(work / "rows.npy", np.float32, shape) as add_rows,
            _growing(work / "ranks.npy", np.uint16 if small else np.uint32, shape) as add_ranks,
        ):
            for _, values in how.prepared():
                add_rows(values)
                add_ranks(ranked(values))
        rows = _mapped(work / "rows.npy")
        np.save(work / "crowding.npy", crowding(rows))
        np.save(work / "norms.npy", norms(rows))
        with system_errors():
            how.conditions.write_parquet(work / "conditions.parquet")
            pl.DataFrame({"gene_id": how.genes}).write_parquet(work / "genes.parquet")
        record = {
            "layout_version": LAYOUT_VERSION,
            "contract_version": CONTRACT_VERSION,
            "index": folder.name,
            "dataset_id": how.dataset_id,
            "effect_kind": how.effect_kind,
            "sizes": {path.name: path.stat().st_size for path in sorted(work.iterdir())},
            "files": file_sums(work),
        }
        (work / MANIFEST).write_text(json.dumps(sealed(record), indent=1), encoding="utf-8")
        for path in work.iterdir():
            flush(path)
        take_place(work, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextmanager
def _growing(
    path: Path, dtype: type[np.generic], shape: tuple[int, int]
) -> Iterator[Callable[[npt.NDArray[np.generic]], None]]:
    """Write an array, some rows after the others: a disk that is full refuses that, and kills who maps a file there."""
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
        )
        yield lambda values: np.ascontiguousarray(values, dtype).tofile(file)


def _mapped(path: Path) -> npt.NDArray[Any]:
    """Map an array into memory, writes to which would go nowhere: kernels are compiled for one kind of array."""
    return np.asarray(np.load(path, mmap_mode="c"))
