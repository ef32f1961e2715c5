"""What can be wrong before any work is done: the environment, the disk, and the state of a warehouse."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal, TypeAlias

import polars as pl

from featurestore.calibration import doubt
from featurestore.contract import CONTRACT_VERSION, RELEASE
from featurestore.errors import FeatureStoreError, WarehouseError
from featurestore.query.sqlfiles import sql_files
from featurestore.storage.locks import abandoned, hold_snapshot, try_lock
from featurestore.storage.release import release_files
from featurestore.storage.snapshot import REFERENCES, Snapshot, check_warehouse, read_manifest, snapshot_numbers

DISTRIBUTION = "perturbation-featurestore"
LEAST_PYTHON = (3, 11)
LEAST_SPACE = 5e9
LEAST_MEMORY = 4e9
_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)\s*>=\s*(?P<least>[0-9.]+)\s*(?P<extra>;.*extra)?")

Status: TypeAlias = Literal["ok", "note", "problem"]


@dataclass(frozen=True, slots=True)
class Symptom:
    """One thing that was looked at: what was found, and what to do about it."""

    check: str
    status: Status
    found: str
    do: str = ""


def diagnose(root: Path) -> list[Symptom]:
    """Look at the environment and at a warehouse, changing nothing."""
    symptoms: list[Symptom] = []
    for examine in (_python, _packages, _sql, _memory, _space, _warehouse):
        symptoms += examine(root)
    return symptoms


def _python(_root: Path) -> Iterator[Symptom]:
    found = ".".join(map(str, sys.version_info[:3]))
    is_new = sys.version_info >= LEAST_PYTHON
    yield Symptom("python", "ok" if is_new else "problem", found, "" if is_new else "use Python 3.11 or newer")


def _packages(_root: Path) -> Iterator[Symptom]:
    """Compare what is installed with what the distribution requires."""
    old, absent, n_fine = [], [], 0
    for line in requires(DISTRIBUTION) or []:
        match = _REQUIREMENT.match(line)
        if match is None or match["extra"]:
            continue
        try:
            found = version(match["name"])
        except PackageNotFoundError:
            absent.append(match["name"])
            continue
        if _numbers(found) < _numbers(match["least"]):
            old.append(f"{match['name']} {found} (needs {match['least']})")
        n_fine += 1
    faults = old + [f"{name} is not installed" for name in absent]
    do = "pip install --upgrade perturbation-featurestore" if faults else ""
    yield Symptom(
        "packages", "problem" if faults else "ok", ", ".join(faults) or f"{n_fine} as required, {_own_version()}", do
    )


def _own_version() -> str:
    return f"featurestore {version(DISTRIBUTION)}, contract {CONTRACT_VERSION}"


def _numbers(text: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", text)][:3]


def _sql(_root: Path) -> Iterator[Symptom]:
    try:
        found = f"{len(sql_files('views'))} views, {len(sql_files('checks'))} checks"
    except FeatureStoreError as error:
        yield Symptom("sql files", "problem", error.what, "reinstall featurestore")
    else:
        yield Symptom("sql files", "ok", found)


def _memory(_root: Path) -> Iterator[Symptom]:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    is_enough = total >= LEAST_MEMORY
    do = "" if is_enough else "large datasets hold 56 bytes for each condition and gene: split them by context"
    yield Symptom("memory", "ok" if is_enough else "note", f"{total / 1e9:.0f} GB, {os.cpu_count()} cores", do)


def _space(root: Path) -> Iterator[Symptom]:
    existing = next(folder for folder in (root.resolve(), *root.resolve().parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    is_enough = free >= LEAST_SPACE
    do = "" if is_enough else "make room; what old snapshots take: featurestore gc --keep 3 --now --dry-run"
    yield Symptom("disk space", "ok" if is_enough else "problem", f"{free / 1e9:.1f} GB free at {existing}", do)


def _warehouse(root: Path) -> Iterator[Symptom]:
    if not root.is_dir():
        yield Symptom("warehouse", "note", f"none at {root}", "the first ingest makes it, or name another: --warehouse")
        return
    try:
        check_warehouse(root)
    except WarehouseError as error:
        yield Symptom("warehouse", "problem", f"none in {root}", error.do)
        return
    for folder in (root, *(entry for entry in root.iterdir() if entry.is_dir())):
        if not os.access(folder, os.W_OK | os.X_OK):
            yield Symptom(
                "writable", "note", f"{folder} can only be read", "reading works; to ingest, change its owner"
            )
            break
    else:
        yield Symptom("writable", "ok", str(root))
    try:
        snapshot, lock = hold_snapshot(root)
    except FeatureStoreError as error:
        yield Symptom("snapshot", "problem", error.what, error.do)
        return
    n = len(snapshot_numbers(root))
    yield Symptom("snapshot", "ok", f"{snapshot.number}, of {len(snapshot.datasets)} datasets; {n} snapshots in all")
    if lock is not None:
        has_locks = try_lock(lock, shared=True) is not None
        os.close(lock)
        do = "" if has_locks else "run gc only where the disk is, while nothing else uses the warehouse"
        yield Symptom("locks", "ok" if has_locks else "note", "kept" if has_locks else "this file system has none", do)
    yield from _datasets(root, snapshot)
    left = abandoned(root)
    do = "remove it: featurestore gc" if left else ""
    yield Symptom("staging", "problem" if left else "ok", f"{len(left)} folders of processes that were killed", do)


def _datasets(root: Path, snapshot: Snapshot) -> Iterator[Symptom]:
    """Try every release's manifest, files and reference, without reading the data."""
    faults = {
        dataset_id: _missing(root, dataset_id, release_id) for dataset_id, release_id in snapshot.datasets.items()
    }
    found = {dataset_id: fault for dataset_id, fault in faults.items() if fault}
    for dataset_id, fault in found.items():
        yield Symptom(f"dataset {dataset_id}", "problem", fault, "see: featurestore verify")
    if found:
        return
    yield Symptom("datasets", "ok", f"{len(faults)}, all files there; featurestore verify reads them")
    doubted = [sentence for name, release in snapshot.datasets.items() if (sentence := _doubt(root, name, release))]
    for sentence in doubted:
        yield Symptom("tests", "note", sentence, "see: featurestore sql 'select * from calibration'")
    if not doubted:
        yield Symptom("tests", "ok", "nothing is known against the p-values")


def _doubt(root: Path, dataset_id: str, release_id: str) -> str:
    """Say why the p-values of a release are not to be relied on, if anything is known against them."""
    name = "calibration"
    paths = [path for table, path in release_files(root, dataset_id, release_id) if table == name]
    try:
        table = pl.read_parquet(paths, glob=False) if paths else pl.DataFrame(schema=RELEASE[name].schema)
    except (OSError, pl.exceptions.PolarsError):
        return ""  # featurestore verify names what cannot be read
    return doubt(dataset_id, read_manifest(root, dataset_id, release_id), table)


def _missing(root: Path, dataset_id: str, release_id: str) -> str:
    try:
        files = [path for _, path in release_files(root, dataset_id, release_id)]
        reference = read_manifest(root, dataset_id, release_id)["gene_reference"]
    except FeatureStoreError as error:
        return f"{error.what} {error.got}".strip()
    except OSError as error:
        return str(error)
    absent = [str(p) for p in (*files, root / REFERENCES / reference / "gene.parquet") if not p.is_file()]
    return f"missing: {', '.join(absent)}" if absent else ""
