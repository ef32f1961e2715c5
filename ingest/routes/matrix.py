"""Matrices of rows by genes, in any number of files: what is read of them before the matrix is touched."""

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
from ingest.conditions.unit_columns import require_units
from ingest.conditions.unmatched import further_treatments, unmatched_batches
from ingest.reader import INDEX, LeavesOut, MayLackKey, Reader
from ingest.reported.orientation import perturbed_names, require_orientation_of_rows
from ingest.routes.opened import Opened, OpenJournal
from ingest.routes.written import Written


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
        require_units(readers, opened.row_tables, np.split(labels.rows.is_perturbed, ends))
        if spec.is_relative:
            named = pl.concat([given.published[INDEX], given.combos["perturbation_label"]]).drop_nulls()
            require_orientation_of_rows(named, perturbed_names(given, spec), where)
        if not spec.is_relative:
            said = [pooled_columns(readers, labels, opened.row_tables)]
            said += [unmatched_batches(readers, labels.rows, opened.row_tables)] if spec.needs_control else []
            said += [further_treatments(readers, labels.rows, opened.row_tables)]
            labels = replace(labels, mapping=pl.concat([labels.mapping, *said]))
        return cls(opened, axes, given, labels)

    @abstractmethod
    def write(self, folder: Path, journal: OpenJournal) -> Written:
        """Write the large tables of the release; what a journal has is not done again."""

    def facts(self) -> dict[str, Any]:
        """Return what the manifest says besides."""
        return {}

    @property
    def sources(self) -> list[tuple[Reader, GeneAxis]]:
        """The files with their genes."""
        return list(zip(self.opened.readers, self.axes, strict=True))

    def left_out(self) -> Mapping[str, int]:
        """Count the values that readers met of identifiers beyond their gene tables."""
        found = (reader.left_out() for reader in self.opened.readers if isinstance(reader, LeavesOut))
        return sum(map(Counter, found), Counter())


def _rows(reader: Reader, opened: Opened) -> pl.DataFrame:
    """Read the rows of a file; signatures in a table without a key are named by what is published of them."""
    spec = opened.spec
    rows = opened.row_tables.read(reader)
    has_key = reader.has_key if isinstance(reader, MayLackKey) else True
    if has_key or not spec.is_relative:
        return rows
    name, number = named_rows(rows, spec)[INDEX], rows[INDEX]
    is_repeated = name.is_duplicated()
    return rows.with_columns(pl.when(is_repeated).then(name + "/" + number).otherwise(name).alias(INDEX))
