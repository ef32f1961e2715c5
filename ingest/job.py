"""One dataset on its way into a staged release: by what its values are, it takes one of five ways.

- cells, wells or samples: sums of each condition, and signatures from them;
- replicate wells of L1000: moderated z-scores;
- signatures that the source computed, as a matrix: as published;
- the same as a table with a line for each condition and gene: what it lists;
- a number for each perturbed gene and cell line: phenotypes.
"""

from __future__ import annotations

import platform
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from featurestore.contract import RELEASE
from featurestore.errors import SpecError
from ingest import reference
from ingest.conditions.axis import GeneAxis, gene_ledger, read_axes
from ingest.conditions.given import GivenRows, gather_rows
from ingest.conditions.label import Labels, label_rows
from ingest.conditions.lookups import Lookups
from ingest.conditions.organism import require_genes_of_organism, require_organism
from ingest.conditions.pooled import pooled_columns
from ingest.conditions.roles import named_rows
from ingest.conditions.rows import read_rows
from ingest.conditions.side_tables import SideTable
from ingest.progress import step
from ingest.reader import INDEX, LeavesOut, Reader
from ingest.release.publish import content_hash
from ingest.release.tables import write_table
from ingest.reported.listed import Listed, read_listed, write_listed
from ingest.reported.long_table import LongTable
from ingest.reported.matrix import write_reported, write_reported_quality
from ingest.reported.phenotypes import Screen, read_screen, write_screen
from ingest.signatures.cells import write_cells
from ingest.signatures.replicates import write_moderated
from ingest.signatures.wells import PlateScale, Wells
from ingest.spec import DatasetSpec
from ingest.sums.journal import Journal
from ingest.sums.portion import logarithm_of
from ingest.sums.pseudobulk import cells_of
from ingest.sums.summing import Summing


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
    n_data_points: int
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
    layers
        For each file, further matrices of it by statistic.
    row_tables, gene_tables
        The tables beside them.
    lookups
        Its own tables of compounds and cell lines, and the service to ask for genes.
    ceiling
        Most that sums of cells take in memory. Unit: bytes.
    cluster
        Who sums cells; this process where None.
    """

    spec: DatasetSpec
    folder: Path
    readers: Sequence[Reader]
    layers: Sequence[Mapping[str, Reader]]
    row_tables: Sequence[SideTable]
    gene_tables: Sequence[SideTable]
    lookups: Lookups
    ceiling: int
    cluster: Summing | None = None

    def read(self) -> Published | Screen | Listed:
        """Read and harmonise the tables of genes and rows; the matrix is not touched.

        Raises
        ------
        FeatureStoreError
            Spec or files are at fault.
        """
        spec = self.spec
        if spec.table is not None:
            tables = [reader for reader in self.readers if isinstance(reader, LongTable)]
            return read_listed(tables, self.row_tables, self.gene_tables, self.folder, spec, self.lookups)
        given = gather_rows((self._rows(reader) for reader in self.readers), spec)
        require_organism(self.readers, given.is_kept, spec)
        if spec.is_phenotype:
            if len(self.readers) > 1:
                raise SpecError("A screen of phenotypes is one file.", got=f"{len(self.readers)} files")
            return read_screen(self.readers[0], given, spec, self.lookups)
        axes = read_axes(self.readers, self.gene_tables, spec, self.lookups.online)
        where = ", ".join(reader.path.name for reader in self.readers)
        require_genes_of_organism(axes[0].mapping, spec)
        labels = label_rows(given, spec, self.lookups, where=where)
        if not spec.is_relative:
            pooled = pooled_columns(self.readers, labels, spec, self.row_tables, self.folder)
            labels = replace(labels, mapping=pl.concat([labels.mapping, pooled]))
        return Published(axes, given, labels)

    def _rows(self, reader: Reader) -> pl.DataFrame:
        """Read the rows of a file; signatures in a table without a key are named by what is published of them."""
        rows = read_rows(reader, self.spec, self.row_tables, self.folder)
        if getattr(reader, "has_key", True) or not self.spec.is_relative:
            return rows
        name, number = named_rows(rows, self.spec)[INDEX], rows[INDEX]
        is_repeated = name.is_duplicated()
        return rows.with_columns(pl.when(is_repeated).then(name + "/" + number).otherwise(name).alias(INDEX))

    def write(
        self,
        folder: Path,
        published: Published | Screen | Listed,
        identity: Callable[[], dict[str, Any]],
        journal: Journal,
    ) -> dict[str, Any]:
        """Write every table of the release into a new folder, and return its manifest.

        What a journal has of an ingest that was interrupted is not done again. The identity, by which the release is
        named, is asked for last: it waits for the checksums of the inputs.

        Raises
        ------
        FeatureStoreError
            The files are at fault.
        """
        started = time.monotonic()
        folder.mkdir()
        if isinstance(published, Screen):
            written = self._write_screen(folder, published)
        elif isinstance(published, Listed):
            written = self._write_listed(folder, published)
        else:
            written = self._write_matrix(folder, published, journal)
        if written.condition is not None:
            write_table(folder, "condition", written.condition)
        write_table(folder, "gene", written.genes)
        for name in ("compound", "context", "mapping", "rejected"):
            write_table(folder, name, getattr(written, name))
        made_of = identity()
        release_id = content_hash(made_of)
        write_table(folder, "dataset", self._dataset_row(written, release_id))
        return {
            "dataset_id": self.spec.dataset.id,
            "release_id": release_id,
            **made_of,
            "formats": [reader.format for reader in self.readers],
            "environment": {"python": platform.python_version()},
            **self._logarithms(published),
            "seconds": round(time.monotonic() - started, 3),
        }

    def _logarithms(self, published: Published | Screen | Listed) -> dict[str, Any]:
        """Say of each file what its values were taken as logarithms of, and which of it is assumed."""
        if not isinstance(published, Published) or self.spec.dataset.values != "log1p":
            return {}
        found = [
            (reader.path.name, logarithm_of(reader, axis, self.spec))
            for reader, axis in zip(self.readers, published.axes, strict=True)
        ]
        told = [
            {"file": name, "told": logarithm.told, "is_assumed": logarithm.is_assumed}
            for name, logarithm in found
            if logarithm is not None
        ]
        return {"logarithms": told}

    def _write_matrix(self, folder: Path, published: Published, journal: Journal) -> Written:
        """Write a matrix of rows by genes, in any number of files."""
        axes, given, labels = published.axes, published.given, published.labels
        if self.spec.is_relative:
            self._write_reported(folder, axes, labels, given)
        elif self.spec.is_replicate:
            self._write_replicates(folder, axes, labels)
        else:
            sources = list(zip(self.readers, axes, strict=True))
            left_out = write_cells(folder, sources, labels, given, self.spec, self.ceiling, journal, self.cluster)
            return self._written(labels, axes, given, left_out)
        return self._written(labels, axes)

    def _written(
        self,
        labels: Labels,
        axes: Sequence[GeneAxis],
        given: GivenRows | None = None,
        left_out: Mapping[str, int] | None = None,
    ) -> Written:
        n_controls = int(labels.condition["is_control"].sum())
        cells = cells_of(labels, given) if given is not None and not self.spec.is_relative else None
        n_cells = labels.condition["n_cells"] if cells is None else pl.Series(cells)
        is_point = ~labels.condition["is_control"] & (n_cells >= self.spec.min_cells).fill_null(value=True)
        return Written(
            labels.condition,
            axes[0].genes,
            labels.compound,
            labels.context,
            pl.concat([gene_ledger(axes), self._left_out(left_out), labels.mapping]),
            labels.rejected,
            labels.condition.height - n_controls,
            int(is_point.sum()),
            n_controls,
            None if self.spec.is_relative else int(labels.condition["n_cells"].sum()),
        )

    def _write_listed(self, folder: Path, listed: Listed) -> Written:
        """Write what a table lists."""
        spec, n_conditions = self.spec, listed.labels.condition.height
        with step(f"effects listed of {n_conditions:,} conditions", len(listed.tables)) as advance:
            axis = write_listed(folder, listed, spec.dataset.values, advance)
        write_reported_quality(folder, listed.given.published, listed.labels, axis.genes, spec)
        return self._written(listed.labels, [axis])

    def _write_reported(self, folder: Path, axes: list[GeneAxis], labels: Labels, given: GivenRows) -> None:
        sources = list(zip(self.readers, axes, self.layers, strict=True))
        n_kept = labels.condition.height
        with step(f"{n_kept:,} signatures x {axes[0].genes.height:,} genes", n_kept) as advance:
            write_reported(folder, sources, labels, self.spec.dataset.values, advance)
        write_reported_quality(folder, given.published, labels, axes[0].genes, self.spec)

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
            None,
            genes,
            screen.perturbations.compounds,
            screen.context(),
            screen.mapping(),
            rejected,
            n_conditions,
            n_conditions,
        )

    def _left_out(self, counts: Mapping[str, int] | None) -> pl.DataFrame:
        """Ledger rows of the identifiers that readers found in the matrices, but not in the gene tables."""
        if counts is None:
            found = (reader.left_out() for reader in self.readers if isinstance(reader, LeavesOut))
            counts = sum(map(Counter, found), Counter())
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

    @property
    def _has_no_cells(self) -> bool:
        return self.spec.is_relative or self.spec.is_phenotype or self.spec.is_replicate

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
                "n_data_points": written.n_data_points,
                "min_cells": None if self._has_no_cells else self.spec.min_cells,
                "n_controls": written.n_controls,
                "n_genes": written.genes.height,
                "gene_reference": reference.reference_id(),
                "ingested_at": datetime.now(UTC),
            },
            schema=RELEASE["dataset"].schema,
        )
