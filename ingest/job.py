"""One dataset on its way into a staged release: by what its values are, it takes one of four ways.

- cells, wells or samples: sums of each condition, and signatures from them;
- replicate wells of L1000: moderated z-scores;
- signatures that the source computed: as published;
- a number for each perturbed gene and cell line: phenotypes.
"""

from __future__ import annotations

import os
import platform
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from featurestore.contract import RELEASE
from featurestore.errors import SourceError, SpecError
from ingest import reference
from ingest.accumulate import GroupSums, accumulate
from ingest.axis import GeneAxis, read_axes
from ingest.given import GivenRows, gather_rows
from ingest.groups import group_cells
from ingest.label import Labels, label_rows
from ingest.lookups import Lookups
from ingest.phenotypes import Screen, read_screen, write_screen
from ingest.progress import step
from ingest.pseudobulk import SumsOfMeans, cells_of
from ingest.reader import LeavesOut, Reader
from ingest.replicates import write_moderated
from ingest.reported import write_reported, write_reported_quality
from ingest.responder import LEAST_CELLS, LEAST_REPLICATES
from ingest.rows import read_rows
from ingest.scaling import transform_of
from ingest.selection import SelectiveReader, Slice
from ingest.side_tables import SideTable
from ingest.signatures import CellTables
from ingest.spec import COUNTS, DatasetSpec
from ingest.tables import write_table
from ingest.values import ValueCheck
from ingest.wells import PlateScale, Wells

BYTES_PER_SUM = 28


@dataclass(frozen=True, slots=True)
class Published:
    """What a dataset says beside its matrix, in common identifiers: a gene axis a file, all rows, and conditions."""

    axes: list[GeneAxis]
    given: GivenRows
    labels: Labels


@dataclass(frozen=True, slots=True)
class Written:
    """The small tables of a release, and what it counts; ``condition`` is None where it is written in parts."""

    condition: pl.DataFrame | None
    genes: pl.DataFrame
    compound: pl.DataFrame
    context: pl.DataFrame
    mapping: pl.DataFrame
    rejected: pl.DataFrame
    n_conditions: int
    n_controls: int = 0
    n_cells: int | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A dataset to be written.

    Parameters
    ----------
    spec
        Its spec.
    folder
        What the files of the spec are relative to.
    readers
        Its files, open.
    row_tables, gene_tables
        The tables beside them.
    lookups
        Its own tables of compounds and cell lines, and the service to ask for genes.
    """

    spec: DatasetSpec
    folder: Path
    readers: Sequence[Reader]
    row_tables: Sequence[SideTable]
    gene_tables: Sequence[SideTable]
    lookups: Lookups

    def read(self) -> Published | Screen:
        """Read and harmonise the tables of genes and rows; the matrix is not touched.

        Raises
        ------
        FeatureStoreError
            Spec or files are at fault.
        """
        spec = self.spec
        given = gather_rows((read_rows(reader, spec, self.row_tables, self.folder) for reader in self.readers), spec)
        if spec.is_phenotype:
            if len(self.readers) > 1:
                raise SpecError("A screen of phenotypes is one file.", got=f"{len(self.readers)} files")
            return read_screen(self.readers[0], given, spec, self.lookups)
        axes = read_axes(self.readers, self.gene_tables, spec, self.lookups.online)
        where = ", ".join(reader.path.name for reader in self.readers)
        return Published(axes, given, label_rows(given, spec, self.lookups, where=where))

    def write(
        self, folder: Path, published: Published | Screen, identity: dict[str, Any], release_id: str
    ) -> dict[str, Any]:
        """Write every table of the release into a new folder, and return its manifest.

        Raises
        ------
        FeatureStoreError
            The files are at fault.
        """
        started = time.monotonic()
        folder.mkdir()
        if isinstance(published, Screen):
            written = self._write_screen(folder, published)
        else:
            written = self._write_matrix(folder, published)
        if written.condition is not None:
            write_table(folder, "condition", written.condition)
        write_table(folder, "gene", written.genes)
        for name in ("compound", "context", "mapping", "rejected"):
            write_table(folder, name, getattr(written, name))
        write_table(folder, "dataset", self._dataset_row(written, release_id))
        return {
            "dataset_id": self.spec.dataset.id,
            "release_id": release_id,
            "gene_reference": identity["gene_reference"],
            **identity,
            "formats": [reader.format for reader in self.readers],
            "environment": {"python": platform.python_version()},
            "seconds": round(time.monotonic() - started, 3),
        }

    def _write_matrix(self, folder: Path, published: Published) -> Written:
        """Write a matrix of rows by genes, in any number of files."""
        axes, given, labels = published.axes, published.given, published.labels
        if self.spec.is_relative:
            self._write_reported(folder, axes, labels, given)
        elif self.spec.is_replicate:
            self._write_replicates(folder, axes, labels)
        else:
            self._write_cells(folder, axes, labels, given)
        n_controls = int(labels.condition["is_control"].sum())
        return Written(
            labels.condition,
            axes[0].genes,
            labels.compound,
            labels.context,
            pl.concat([axes[0].mapping, self._left_out(), labels.mapping]),
            labels.rejected,
            labels.condition.height - n_controls,
            n_controls,
            None if self.spec.is_relative else int(labels.condition["n_cells"].sum()),
        )

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
            groups, slots = grouping.of_row[part], axis.slots
            if (groups < 0).all():
                continue
            source = self._source(reader, axis, given, part, np.flatnonzero(groups >= 0))
            if isinstance(source, Slice):
                groups, slots = groups[source.rows_taken], slots[source.genes_taken]
            check = ValueCheck("counts" if has_counts else "log1p", reader.path)
            name = f"{reader.path.name}: {source.n_rows:,} rows x {reader.n_genes:,} genes"
            with step(name, source.n_rows) as advance:
                accumulate(source, groups, slots, sums, check, advance)
        least_cells = LEAST_REPLICATES if self.spec.dataset.assay == "bulk_rna_seq" else LEAST_CELLS
        cells = cells_of(labels, given)
        with step(f"signatures of {labels.condition.height:,} conditions", 1):
            CellTables(folder, labels.condition, axes[0].genes, grouping, sums, cells, least_cells).write()

    def _source(
        self, reader: Reader, axis: GeneAxis, given: GivenRows, part: slice, rows: np.ndarray[Any, Any]
    ) -> Reader | Slice:
        """Give what is summed of a file: its values as they are, or brought to sums, reads or logarithms."""
        if self.spec.dataset.values == "mean_counts":
            return SumsOfMeans(reader, given.cells[part])
        transform = transform_of(self.spec, given.published[part])
        if transform is None and not isinstance(reader, SelectiveReader):
            return reader
        return Slice(reader, rows, np.flatnonzero(axis.is_counted), transform)

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

    def _write_screen(self, folder: Path, screen: Screen) -> Written:
        """Write a matrix of cell lines by perturbed genes."""
        n_lines, n_targets = len(screen.rows), len(screen.columns)
        with step(f"{n_lines:,} cell lines x {n_targets:,} perturbed genes", n_targets) as advance:
            n_conditions = write_screen(folder, screen, self.spec, advance)
        genes = pl.DataFrame(schema=RELEASE["gene"].schema)
        rejected = screen.rejected(self.spec.condition.where)
        return Written(
            None, genes, screen.perturbations.compounds, screen.context(), screen.mapping(), rejected, n_conditions
        )

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

    def _dataset_row(self, written: Written, release_id: str) -> pl.DataFrame:
        dataset = self.spec.dataset
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
                "n_cells": written.n_cells,
                "n_conditions": written.n_conditions,
                "n_controls": written.n_controls,
                "n_genes": written.genes.height,
                "gene_reference": reference.reference_id(),
                "ingested_at": datetime.now(UTC),
            },
            schema=RELEASE["dataset"].schema,
        )


def _refuse_too_large(needed: int) -> None:
    available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > available:
        raise SourceError(
            "The sums of the dataset do not fit in memory.",
            expected=f"at most {available / 1e9:.0f} GB",
            got=f"{needed / 1e9:.0f} GB for conditions x genes",
            do="filter cells with where under [condition], or split the dataset by context",
        )
