"""The one loop: a spec and its files become a release of the warehouse, or one error and nothing else.

Memory is the sums (28 bytes for each group and gene) and one block of the file; it does not grow with the number of
cells beyond a few numbers for each of them.
"""

from __future__ import annotations

import os
import platform
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.resources import as_file
from pathlib import Path
from typing import Any

import polars as pl

from featurestore.contract import CONTRACT_VERSION, RELEASE
from featurestore.errors import SourceError, SpecError, did_you_mean
from featurestore.snapshot import read_manifest, read_snapshot, release_path
from ingest import reference
from ingest.accumulate import GroupSums, accumulate
from ingest.axis import GeneAxis, read_axes
from ingest.database import refresh_database
from ingest.given import GivenRows, gather_rows
from ingest.groups import group_cells
from ingest.harmonise.online import OnlineGenes
from ingest.label import Labels, label_rows
from ingest.lookups import Lookups
from ingest.open import open_source
from ingest.progress import step
from ingest.pseudobulk import SumsOfMeans, cells_of
from ingest.publish import content_hash, file_sha256, keep_reference, name_release, publish, staging
from ingest.reader import LeavesOut, Reader
from ingest.replicates import write_moderated
from ingest.reported import write_reported, write_reported_quality
from ingest.rows import name_within, read_rows
from ingest.side_tables import SideTable, open_side_tables
from ingest.signatures import CellTables
from ingest.spec import COUNTS, DatasetSpec, read_spec
from ingest.tables import write_table
from ingest.values import ValueCheck
from ingest.wells import PlateScale, Wells

DISTRIBUTION = "perturbation-featurestore"
BYTES_PER_SUM = 28


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an ingest did: the release, the snapshot that names it, and whether anything was new."""

    dataset_id: str
    release_id: str
    snapshot: int
    is_new: bool
    manifest: dict[str, Any]


def ingest_dataset(
    spec_path: Path, root: Path, data: Path | None = None, *, online: OnlineGenes | None = None
) -> Outcome:
    """Ingest one dataset.

    Parameters
    ----------
    spec_path
        The dataset's spec.
    root
        The warehouse, made if need be.
    data
        The folder that file names in the spec are relative to; the spec's own by default.
    online
        What to ask for genes that the reference leaves open; nothing without it. Its answers are part of the release's
        identity.

    Raises
    ------
    FeatureStoreError
        Spec or files are at fault; the warehouse is as it was.
    """
    spec = read_spec(spec_path)
    folder = data or spec_path.parent
    paths = find_files(spec, folder)
    with ExitStack() as stack:
        readers: list[Reader] = []
        for path in paths:
            readers.append(open_source(path, format=spec.dataset.format, matrix=spec.dataset.matrix))
            stack.callback(readers[-1].close)
        folders = (spec_path.parent, folder)
        row_tables = open_side_tables(spec.rows, spec.rows.join, folders)
        gene_tables = open_side_tables(spec.genes, (), folders)
        lookups = Lookups.of(spec, folder, online)
        files = [file for reader in readers for file in reader.files]
        files += [path for table in (*row_tables, *gene_tables) for path in table.paths]
        files += lookups.files
        stamps = {path: _stamp(path) for path in files}
        inputs = _inputs(files, folder)
        identity = {
            "inputs": inputs,
            "spec": spec.model_dump(mode="json"),
            "gene_reference": reference.reference_id(),
            "code": {"version": version(DISTRIBUTION), "contract_version": CONTRACT_VERSION},
        }
        job = _Job(spec, folder, readers, row_tables, gene_tables, lookups)
        published = job.read() if online is not None else None
        if online is not None and (answers := online.identity()) is not None:
            identity["online"] = answers
        release_id = content_hash(identity)
        known = _known(root, spec.dataset.id, release_id)
        if known is not None:
            if online is not None:
                online.save()
            return known
        with staging(root) as workspace:
            manifest = job.write(workspace / "release", published or job.read(), identity, release_id) | {
                "spec_file": _spec_name(spec_path)
            }
            _refuse_changed(stamps)
            tables_of_reference = stack.enter_context(as_file(reference.data_dir()))
            snapshot = publish(root, workspace / "release", manifest, tables_of_reference)
    if online is not None:
        online.save()
    manifest = read_manifest(root, spec.dataset.id, release_id)
    return Outcome(spec.dataset.id, release_id, snapshot.number, is_new=True, manifest=manifest)


def find_files(spec: DatasetSpec, folder: Path) -> list[Path]:
    """Resolve the files of a spec: relative to the spec, globs in sorted order.

    Raises
    ------
    SpecError
        A name matches nothing.
    """
    found: list[Path] = []
    for pattern in spec.dataset.files:
        is_glob = any(sign in pattern for sign in "*?[")
        matches = sorted(folder.glob(pattern)) if is_glob else [folder / pattern]
        if not matches or not matches[0].exists():
            near = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
            raise SpecError(
                f"There is no file '{pattern}'.", where=str(folder), do=did_you_mean(Path(pattern).name, near)
            )
        found += matches
    return found


@dataclass(frozen=True, slots=True)
class _Published:
    """What a dataset says beside its matrix, in common identifiers: a gene axis a file, all rows, and conditions."""

    axes: list[GeneAxis]
    given: GivenRows
    labels: Labels


@dataclass(frozen=True, slots=True)
class _Job:
    """One dataset on its way into a staged release."""

    spec: DatasetSpec
    folder: Path
    readers: Sequence[Reader]
    row_tables: Sequence[SideTable]
    gene_tables: Sequence[SideTable]
    lookups: Lookups

    def read(self) -> _Published:
        """Read and harmonise the tables of genes and rows; the matrix is not touched."""
        spec = self.spec
        axes = read_axes(self.readers, self.gene_tables, spec, self.lookups.online)
        given = gather_rows((read_rows(reader, spec, self.row_tables, self.folder) for reader in self.readers), spec)
        where = ", ".join(reader.path.name for reader in self.readers)
        return _Published(axes, given, label_rows(given, spec, self.lookups, where=where))

    def write(self, folder: Path, published: _Published, identity: dict[str, Any], release_id: str) -> dict[str, Any]:
        started = time.monotonic()
        spec, axes, given, labels = self.spec, published.axes, published.given, published.labels
        folder.mkdir()
        if spec.is_relative:
            self._write_reported(folder, axes, labels, given)
        elif spec.is_replicate:
            self._write_replicates(folder, axes, labels)
        else:
            self._write_cells(folder, axes, labels, given)
        self._write_small(folder, axes[0], labels, release_id)
        return {
            "dataset_id": spec.dataset.id,
            "release_id": release_id,
            "gene_reference": identity["gene_reference"],
            **identity,
            "formats": [reader.format for reader in self.readers],
            "environment": {"python": platform.python_version()},
            "seconds": round(time.monotonic() - started, 3),
        }

    def _write_cells(self, folder: Path, axes: list[GeneAxis], labels: Labels, given: GivenRows) -> None:
        grouping = group_cells(labels, given.half)
        n_genes = axes[0].genes.height
        _refuse_too_large(grouping.n_groups * n_genes * BYTES_PER_SUM)
        has_counts = self.spec.dataset.values in COUNTS
        sums = GroupSums.zeros(grouping.n_groups, n_genes, has_counts=has_counts)
        start = 0
        for reader, axis in zip(self.readers, axes, strict=True):
            part = slice(start, start + reader.n_rows)
            start += reader.n_rows
            if (grouping.of_row[part] < 0).all():
                continue
            source = SumsOfMeans(reader, given.cells[part]) if self.spec.dataset.values == "mean_counts" else reader
            check = ValueCheck("counts" if has_counts else "log1p", reader.path)
            name = f"{reader.path.name}: {reader.n_rows:,} rows x {reader.n_genes:,} genes"
            with step(name, reader.n_rows) as advance:
                accumulate(source, grouping.of_row[part], axis.slots, sums, check, advance)
        with step(f"signatures of {labels.condition.height:,} conditions", 1):
            CellTables(folder, labels.condition, axes[0].genes, grouping, sums, cells_of(labels, given)).write()

    def _write_reported(self, folder: Path, axes: list[GeneAxis], labels: Labels, given: GivenRows) -> None:
        sources = list(zip(self.readers, axes, strict=True))
        n_kept = labels.condition.height
        with step(f"{n_kept:,} signatures x {axes[0].genes.height:,} genes", n_kept) as advance:
            write_reported(folder, sources, labels, self.spec.dataset.values, advance)
        write_reported_quality(folder, given.published, labels, axes[0].genes.height, self.spec)

    def _write_replicates(self, folder: Path, axes: list[GeneAxis], labels: Labels) -> None:
        wells = Wells(list(zip(self.readers, axes, strict=True)))
        is_expression = self.spec.dataset.values == "log2_expression"
        read = PlateScale.measure(wells, labels).read if is_expression else wells.read
        n_conditions = labels.condition.height
        with step(f"moderated z of {n_conditions:,} conditions", n_conditions) as advance:
            write_moderated(folder, labels, read, axes[0].is_landmark, advance)

    def _write_small(self, folder: Path, axis: GeneAxis, labels: Labels, release_id: str) -> None:
        write_table(folder, "condition", labels.condition)
        write_table(folder, "gene", axis.genes)
        write_table(folder, "compound", labels.compound)
        write_table(folder, "context", labels.context)
        write_table(folder, "mapping", pl.concat([axis.mapping, self._left_out(), labels.mapping]))
        write_table(folder, "rejected", labels.rejected)
        write_table(folder, "dataset", self._dataset_row(axis, labels, release_id))

    def _left_out(self) -> pl.DataFrame:
        """Ledger rows of the identifiers that readers found in the matrices, but not in the gene tables."""
        counts: Counter[str] = Counter()
        for reader in self.readers:
            if isinstance(reader, LeavesOut):
                counts.update(reader.left_out())
        rows = [
            {
                "entity": "gene",
                "original": identifier,
                "status": "unmapped",
                "method": "reader",
                "candidates": [],
                "note": f"{n:,} values left out: not in the gene table",
            }
            for identifier, n in sorted(counts.items())
        ]
        return pl.DataFrame(rows, schema=RELEASE["mapping"].schema)

    def _dataset_row(self, axis: GeneAxis, labels: Labels, release_id: str) -> pl.DataFrame:
        dataset = self.spec.dataset
        n_controls = int(labels.condition["is_control"].sum())
        return pl.DataFrame(
            {
                "dataset_id": dataset.id,
                "release_id": release_id,
                "experiment_id": self.spec.experiment,
                "title": dataset.title,
                "source": dataset.source,
                "assay": dataset.assay,
                "organism": dataset.organism,
                "value_kind": dataset.values,
                "licence": dataset.licence,
                "citation": dataset.citation,
                "url": dataset.url,
                "n_cells": None if self.spec.is_relative else labels.condition["n_cells"].sum(),
                "n_conditions": labels.condition.height - n_controls,
                "n_controls": n_controls,
                "n_genes": axis.genes.height,
                "gene_reference": reference.reference_id(),
                "ingested_at": datetime.now(UTC),
            },
            schema=RELEASE["dataset"].schema,
        )


def _known(root: Path, dataset_id: str, release_id: str) -> Outcome | None:
    """Find the same release in the warehouse: in the latest snapshot, or in an older one, to which this returns."""
    if not (release_path(root, dataset_id, release_id) / "manifest.json").is_file():
        return None
    latest = read_snapshot(root)
    is_new = latest.datasets.get(dataset_id) != release_id
    snapshot = name_release(root, dataset_id, release_id) if is_new else latest
    if snapshot is None:
        return None
    keep_reference(root, reference.reference_id(), reference.data_dir())
    refresh_database(root)
    manifest = read_manifest(root, dataset_id, release_id)
    return Outcome(dataset_id, release_id, snapshot.number, is_new=is_new, manifest=manifest)


def _spec_name(path: Path) -> str:
    """Return what to type to ingest by this spec again: its file, or the name of one that comes with featurestore."""
    return path.stem if path.parent == Path(__file__).parent / "specs" else path.name


def _stamp(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _refuse_changed(stamps: dict[Path, tuple[int, int, int]]) -> None:
    """Refuse files that were written while they were read: the release would not be of their checksums."""
    for path, stamp in stamps.items():
        if not path.exists() or _stamp(path) != stamp:
            raise SourceError(
                "A file changed while it was read.", where=str(path), do="ingest it again when it is complete"
            )


def _inputs(files: Sequence[Path], folder: Path) -> list[dict[str, Any]]:
    total = sum(path.stat().st_size for path in files)
    inputs = []
    with step("checksums", total) as advance:
        for path in dict.fromkeys(files):
            name = name_within(path, folder)
            inputs.append({"name": name, "bytes": path.stat().st_size, "sha256": file_sha256(path)})
            advance(path.stat().st_size)
    return inputs


def _refuse_too_large(needed: int) -> None:
    available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > available:
        raise SourceError(
            "The sums of the dataset do not fit in memory.",
            expected=f"at most {available / 1e9:.0f} GB",
            got=f"{needed / 1e9:.0f} GB for conditions x genes",
            do="filter cells with where under [condition], or split the dataset by context",
        )
