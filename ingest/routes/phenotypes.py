"""Screens of phenotypes: a number for each perturbed gene and cell line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import polars as pl

from featurestore.contract import RELEASE
from featurestore.errors import SpecError
from ingest.conditions.given import gather_rows
from ingest.conditions.organism import require_organism
from ingest.progress import step
from ingest.reported.phenotypes import Screen, read_screen, write_screen
from ingest.routes.opened import Opened, OpenJournal
from ingest.routes.written import Written


@dataclass(frozen=True, slots=True)
class Phenotypes:
    """A matrix of cell lines by perturbed genes."""

    opened: Opened
    screen: Screen

    @classmethod
    def read(cls, opened: Opened) -> Self:
        """Read and harmonise the cell lines and the perturbed genes.

        Raises
        ------
        FeatureStoreError
            Spec or files are at fault.
        """
        spec, readers = opened.spec, opened.readers
        given = gather_rows(map(opened.row_tables.read, readers), spec)
        require_organism(readers, given.is_kept, spec)
        if len(readers) > 1:
            raise SpecError("A screen of phenotypes is one file.", got=f"{len(readers)} files")
        return cls(opened, read_screen(readers[0], given, spec, opened.lookups))

    def write(self, folder: Path, journal: OpenJournal) -> Written:  # noqa: ARG002, they are written as they are read
        """Write the phenotypes, and their conditions in parts."""
        spec, screen = self.opened.spec, self.screen
        n_lines, n_targets = len(screen.rows), len(screen.columns)
        with step(f"{n_lines:,} cell lines x {n_targets:,} perturbed genes", n_targets) as advance:
            n_conditions = write_screen(folder, screen, spec, advance)
        genes = pl.DataFrame(schema=RELEASE["gene"].schema)
        rejected = screen.rejected(spec.condition.where)
        compounds = screen.perturbations.compounds
        return Written(None, genes, compounds, screen.context(), screen.mapping(), rejected, n_conditions, n_conditions)

    def facts(self) -> dict[str, Any]:
        """Return what the manifest says besides: nothing."""
        return {}
