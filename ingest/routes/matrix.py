"""Matrices of rows by genes, in any number of files: summed, combined from replicate wells, or taken as reported."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl

from ingest.conditions.axis import GeneAxis, read_axes
from ingest.conditions.given import GivenRows, gather_rows
from ingest.conditions.label import Labels, label_rows
from ingest.conditions.organism import require_genes_of_organism, require_organism
from ingest.conditions.pooled import pooled_columns
from ingest.conditions.roles import named_rows
from ingest.conditions.rows import read_rows
from ingest.conditions.unit_columns import require_units
from ingest.conditions.unmatched import further_treatments, unmatched_batches
from ingest.progress import step
from ingest.reader import INDEX, LeavesOut, MayLackKey, Reader
from ingest.reported.matrix import write_reported, write_reported_quality
from ingest.reported.orientation import perturbed_names, require_orientation_of_rows
from ingest.routes.opened import Opened
from ingest.routes.written import Written, enough_cells, written_of
from ingest.signatures.cells import write_cells
from ingest.signatures.replicates import write_moderated
from ingest.signatures.wells import PlateScale, Wells
from ingest.sums.journal import Journal
from ingest.sums.portion import logarithm_of
from ingest.sums.pseudobulk import cells_of


@dataclass(frozen=True, slots=True)
class Matrix(ABC):
    """What a dataset says beside its matrix, in common identifiers: a gene axis a file, all rows, and conditions."""

    opened: Opened
    axes: list[GeneAxis]
    given: GivenRows
    labels: Labels

    @classmethod
    def read(cls, opened: Opened) -> Self:
        """Read and harmonise the tables of genes and rows; the matrix is not touched.

        Raises
        ------
        FeatureStoreError
            Spec or files are at fault.
        """
        spec, readers = opened.spec, opened.readers
        given = gather_rows((_rows(reader, opened) for reader in readers), spec)
        require_organism(readers, given.is_kept, spec)
        axes = read_axes(readers, opened.gene_tables, spec, opened.lookups.online)
        where = ", ".join(reader.path.name for reader in readers)
        require_genes_of_organism(axes[0].mapping, spec)
        labels = label_rows(given, spec, opened.lookups, where=where)
        ends = np.cumsum([reader.n_rows for reader in readers])[:-1]
        require_units(readers, spec, opened.row_tables, opened.folder, np.split(labels.rows.is_perturbed, ends))
        if spec.is_relative:
            named = pl.concat([given.published[INDEX], given.combos["perturbation_label"]]).drop_nulls()
            require_orientation_of_rows(named, perturbed_names(given, spec), where)
        if not spec.is_relative:
            beside = spec, opened.row_tables, opened.folder
            said = [pooled_columns(readers, labels, *beside)]
            said += [unmatched_batches(readers, labels.rows, *beside)] if spec.needs_control else []
            said += [further_treatments(readers, labels.rows, *beside)]
            labels = replace(labels, mapping=pl.concat([labels.mapping, *said]))
        return cls(opened, axes, given, labels)

    @abstractmethod
    def write(self, folder: Path, journal: Journal) -> Written:
        """Write the large tables of the release; what a journal has is not done again."""

    def facts(self) -> dict[str, Any]:
        """Return what the manifest says besides."""
        return {}

    @property
    def sources(self) -> list[tuple[Reader, GeneAxis]]:
        """The files with their genes."""
        return list(zip(self.opened.readers, self.axes, strict=True))

    def _left_out(self) -> Mapping[str, int]:
        """Count the values that readers met of identifiers beyond their gene tables."""
        found = (reader.left_out() for reader in self.opened.readers if isinstance(reader, LeavesOut))
        return sum(map(Counter, found), Counter())


class SummedMatrix(Matrix):
    """Cells, wells or samples: sums of each condition, and signatures from them."""

    def write(self, folder: Path, journal: Journal) -> Written:
        """Sum cells, and compare each condition with its controls."""
        opened, labels = self.opened, self.labels
        left_out = write_cells(
            folder, self.sources, labels, self.given, opened.spec, opened.memory_limit, journal, opened.cluster
        )
        cells = cells_of(labels.rows, self.given.cells)
        n_cells = labels.condition["n_cells"] if cells is None else pl.Series(cells)
        is_point = enough_cells(n_cells, opened.spec.min_cells)
        return written_of(labels, self.axes, left_out, is_point, int(labels.condition["n_cells"].sum()))

    def facts(self) -> dict[str, Any]:
        """Say of each file what its values were taken as logarithms of, and which of it is assumed."""
        if self.opened.spec.dataset.values != "log1p":
            return {}
        found = [(reader.path.name, logarithm_of(reader, axis, self.opened.spec)) for reader, axis in self.sources]
        told = [
            {"file": name, "told": logarithm.told, "is_assumed": logarithm.is_assumed}
            for name, logarithm in found
            if logarithm is not None
        ]
        return {"logarithms": told}


class ReplicateMatrix(Matrix):
    """Replicate wells of L1000: moderated z-scores."""

    def write(self, folder: Path, journal: Journal) -> Written:  # noqa: ARG002, wells are few
        """Average the wells of each condition by how well they agree."""
        wells, labels = Wells(self.sources), self.labels
        is_expression = self.opened.spec.dataset.values == "log2_expression"
        read = PlateScale.measure(wells, labels.rows).read if is_expression else wells.read
        n_conditions = labels.condition.height
        with step(f"moderated z of {n_conditions:,} conditions", n_conditions) as advance:
            write_moderated(folder, labels.rows, read, self.axes[0].is_landmark, advance)
        n_cells = labels.condition["n_cells"]
        is_point = enough_cells(n_cells, self.opened.spec.min_cells)
        return written_of(labels, self.axes, self._left_out(), is_point, int(n_cells.sum()))


class ReportedMatrix(Matrix):
    """Signatures that the source computed: as published."""

    def write(self, folder: Path, journal: Journal) -> Written:  # noqa: ARG002, they are written as they are read
        """Copy them into tiles."""
        spec, labels = self.opened.spec, self.labels
        sources = [(reader, axis, more) for (reader, axis), more in zip(self.sources, self.opened.layers, strict=True)]
        n_kept = labels.condition.height
        with step(f"{n_kept:,} signatures x {self.axes[0].genes.height:,} genes", n_kept) as advance:
            write_reported(folder, sources, labels, spec.dataset.values, advance)
        write_reported_quality(folder, self.given.published, labels, self.axes[0].genes, spec)
        is_point = enough_cells(labels.condition["n_cells"], spec.min_cells)
        return written_of(labels, self.axes, self._left_out(), is_point, None)


def _rows(reader: Reader, opened: Opened) -> pl.DataFrame:
    """Read the rows of a file; signatures in a table without a key are named by what is published of them."""
    spec = opened.spec
    rows = read_rows(reader, spec, opened.row_tables, opened.folder)
    has_key = reader.has_key if isinstance(reader, MayLackKey) else True
    if has_key or not spec.is_relative:
        return rows
    name, number = named_rows(rows, spec)[INDEX], rows[INDEX]
    is_repeated = name.is_duplicated()
    return rows.with_columns(pl.when(is_repeated).then(name + "/" + number).otherwise(name).alias(INDEX))
