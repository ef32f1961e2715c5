"""Examine one release: every byte against its manifest, every page decoded, every row against the contract."""

from __future__ import annotations

import shlex
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from featurestore.contract import CONTRACT_VERSION, RELEASE
from featurestore.errors import WarehouseError
from featurestore.query.sqlfiles import heading, sql_files
from featurestore.query.views import attach_tables
from featurestore.scarcity import heed_scarcity
from featurestore.storage.checksums import checksum_of, file_blake3, file_sha256
from featurestore.storage.folders import permission
from featurestore.storage.release import release_files
from featurestore.storage.snapshot import MANIFEST, REFERENCES, Snapshot, read_json, read_manifest, release_path

MOST_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not as it was published: what, where, and how to restore it."""

    what: str
    where: str
    dataset_id: str = ""
    release_id: str = ""
    expected: str = ""
    got: str = ""
    do: str = ""


@dataclass(slots=True)
class Report:
    """What was examined, and what was found."""

    n_snapshots: int = 0
    n_releases: int = 0
    n_files: int = 0
    n_bytes: int = 0
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seen: set[Path] = field(default_factory=set)
    """What was looked at, files and whole folders: of the rest it is said that it was not."""


def restoration(root: Path, dataset_id: str, release_id: str) -> str:
    """Say how to bring a damaged release back: set it aside, and ingest the same files again."""
    folder = release_path(root, dataset_id, release_id)
    manifest: dict[str, Any] = {}
    try:
        manifest = read_json(folder / MANIFEST)
        listed = manifest.get("inputs", [])
        inputs = ", ".join(f"{each['name']} ({' '.join(checksum_of(each))[:19]}...)" for each in listed)
    except (WarehouseError, KeyError, TypeError):
        inputs = ""
    return _replace(root, folder, dataset_id, manifest) + (f"  # from {inputs}" if inputs else "")


def _replace(root: Path, folder: Path, dataset_id: str, manifest: dict[str, Any]) -> str:
    """Say how to have a folder made again; what is in it stays, until gc finds that nobody needs it."""
    old, aside, warehouse = (shlex.quote(str(path)) for path in (folder, f"{folder}.damaged", root))
    spec = shlex.quote(str(manifest.get("spec_file", f"{dataset_id}.toml")))
    renamed = manifest.get("renamed_from", {}).get("dataset_id")
    again = f" && featurestore --warehouse {warehouse} rename {renamed} {dataset_id}" if renamed else ""
    return f"mv {old} {aside} && featurestore --warehouse {warehouse} ingest {spec}{again}"


@dataclass(frozen=True, slots=True)
class Examination:
    """One release under examination; what is found goes to the report."""

    root: Path
    dataset_id: str
    release_id: str
    report: Report

    @property
    def folder(self) -> Path:
        """The release."""
        return release_path(self.root, self.dataset_id, self.release_id)

    def run(self, checksum: str | None) -> bool:
        """Examine the release, whose manifest should have this SHA-256, and say whether it is whole."""
        self.report.n_releases += 1
        self.report.seen.add(self.folder)
        n_before = len(self.report.faults)
        manifest = self._manifest(checksum)
        if manifest is None:
            return False
        is_current = manifest.get("contract_version") == CONTRACT_VERSION
        self._tables(manifest, is_current=is_current)
        self._reference(manifest)
        if not is_current:
            self.report.notes.append(
                f"release {self.release_id} of {self.dataset_id} is of contract version "
                f"{manifest.get('contract_version', 0)}; to bring it to {CONTRACT_VERSION}: "
                f"featurestore ingest {manifest.get('spec_file', 'SPEC.toml')}"
            )
            return False
        if len(self.report.faults) == n_before:
            self._ask()
        return len(self.report.faults) == n_before

    def _manifest(self, checksum: str | None) -> dict[str, Any] | None:
        path = self.folder / MANIFEST
        try:
            if not self.folder.is_dir():
                self._fault("A release is missing.", self.folder)
                return None
            self._count(path)
            found = file_sha256(path)
            if checksum not in {None, found}:
                self._fault("A manifest is not the one that was published.", path, f"sha256 {checksum}", found)
                return None
            manifest = read_manifest(self.root, self.dataset_id, self.release_id)
            release_files(self.root, self.dataset_id, self.release_id)
        except WarehouseError as error:
            self._fault(error.what, Path(error.where), error.expected, error.got, error.do)
            return None
        except PermissionError as error:
            self._fault("A release may not be read.", path, got=error.strerror or "", do=permission(path.parent))
            return None
        except (OSError, pa.ArrowException) as error:
            heed_scarcity(error)
            self._fault("A release cannot be read.", path, got=" ".join(str(error).split()))
            return None
        identity = f"{manifest.get('dataset_id')} {manifest.get('release_id')}"
        if identity != f"{self.dataset_id} {self.release_id}":
            self._fault("A manifest is of another release.", path, f"{self.dataset_id} {self.release_id}", identity)
        return manifest

    def _tables(self, manifest: dict[str, Any], *, is_current: bool) -> None:
        known = {self.folder / file["path"]: file for file in manifest["files"]}
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and path not in known and path != self.folder / MANIFEST:
                self._fault("A file is not of this release.", path, do=f"move it away: mv {shlex.quote(str(path))} .")
        for path, file in known.items():
            if self._is_same(path, file):
                self._decode(path, file, is_current=is_current)

    def _reference(self, manifest: dict[str, Any]) -> None:
        folder = self.root / REFERENCES / manifest["gene_reference"]
        do = _replace(self.root, folder, self.dataset_id, manifest)
        if "reference_files" not in manifest and not (folder / "gene.parquet").is_file():
            self._fault("A gene reference is missing.", folder, do=do)
        for file in manifest.get("reference_files", []):
            self._is_same(folder / file["path"], file, do=do)

    def _count(self, path: Path) -> int:
        self.report.seen.add(path)
        size = path.stat().st_size
        self.report.n_files += 1
        self.report.n_bytes += size
        return size

    def _is_same(self, path: Path, file: dict[str, Any], *, do: str = "") -> bool:
        try:
            size = self._count(path)
            if size != file["bytes"]:
                self._fault("A file has another size.", path, f"{file['bytes']:,} bytes", f"{size:,} bytes", do)
                return False
            name, expected = checksum_of(file)
            if (found := file_blake3(path) if name == "blake3" else file_sha256(path)) == expected:
                return True
            self._fault("A file has other bytes.", path, f"{name} {expected}", f"{name} {found}", do)
        except FileNotFoundError:
            self._fault("A file is missing.", path, do=do)
        except PermissionError as error:
            self._fault("A file may not be read.", path, got=error.strerror or "", do=permission(path.parent))
        except OSError as error:
            heed_scarcity(error)
            self._fault("A file cannot be read.", path, got=str(error), do=do)
        return False

    def _decode(self, path: Path, file: dict[str, Any], *, is_current: bool) -> None:
        """Decode every page, and compare rows and columns with manifest and contract."""
        try:
            with pq.ParquetFile(path, page_checksum_verification=True) as parquet:
                stored = pl.DataFrame(pl.from_arrow(parquet.schema_arrow.empty_table())).schema
                n_rows = sum(batch.num_rows for batch in parquet.iter_batches())
        except (OSError, pa.ArrowException) as error:
            heed_scarcity(error)
            self._fault("A table cannot be decoded.", path, got=" ".join(str(error).split()))
            return
        if n_rows != file["rows"]:
            self._fault("A table has another number of rows.", path, f"{file['rows']:,}", f"{n_rows:,}")
        declared = RELEASE[file["table"]].schema
        expected, got = ([f"{name} {kind}" for name, kind in each.items()] for each in (declared, stored))
        if is_current and expected != got:
            lacking, other = (sorted(set(a).difference(b)) for a, b in ((expected, got), (got, expected)))
            self._fault(
                "A table does not keep the contract.", path, ", ".join(lacking), ", ".join(other) or "not there"
            )

    def _ask(self) -> None:
        """Run the checks of ``sql/checks`` on the release alone."""
        only = Snapshot(0, "", "", {self.dataset_id: self.release_id})
        with tempfile.TemporaryDirectory() as spill, duckdb.connect(":memory:") as connection:
            connection.execute("set temp_directory = ?", [spill])
            connection.execute("set global parquet_metadata_cache = true")  # the checksums were those of the manifest
            attach_tables(connection, self.root, only)
            for name, text in sql_files("checks").items():
                result = connection.execute(f"select * from (\n{text}\n) limit {MOST_SHOWN + 1}")  # noqa: S608
                columns = [column for column, *_ in result.description or ()]
                rows = [", ".join(map("{} {}".format, columns, row)) for row in result.fetchall()]
                if rows:
                    shown = "; ".join(rows[:MOST_SHOWN]) + ("; and more" if len(rows) > MOST_SHOWN else "")
                    self._fault(f"Check '{name}' finds rows.", self.folder, heading(text), shown)

    def _fault(self, what: str, path: Path, expected: str = "", got: str = "", do: str = "") -> None:
        do = do or restoration(self.root, self.dataset_id, self.release_id)
        self.report.faults.append(Fault(what, str(path), self.dataset_id, self.release_id, expected, got, do))
