"""Effects that a source lists, a row for each condition and gene: what it lists, and nothing of the rest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from ingest.progress import step
from ingest.reported.listed import Listed, read_listed, write_listed
from ingest.reported.matrix import significant_genes, write_reported_quality
from ingest.routes.opened import Opened, OpenJournal
from ingest.routes.written import Written, enough_cells, written_of


@dataclass(frozen=True, slots=True)
class ListedEffects:
    """The conditions and genes that the tables of a dataset list."""

    opened: Opened
    listed: Listed

    @classmethod
    def read(cls, opened: Opened) -> Self:
        """Harmonise the conditions and genes.

        Raises
        ------
        FeatureStoreError
            Spec or files are at fault.
        """
        return cls(opened, read_listed(opened.listings, opened.row_tables, opened.gene_tables, opened.lookups))

    def write(self, folder: Path, journal: OpenJournal) -> Written:  # noqa: ARG002, they are written as they are read
        """Write what is listed."""
        spec, listed = self.opened.spec, self.listed
        conditions = listed.labels.condition
        significant = significant_genes(listed.labels, listed.axis.genes, spec)
        with step(f"effects listed of {conditions.height:,} conditions", len(listed.tables)) as advance:
            axis = write_listed(folder, listed, spec.dataset.values, advance, significant)
        published = listed.given.published
        write_reported_quality(folder, published, listed.labels, axis.genes.height, spec, significant)
        return written_of(listed.labels, [axis], {}, enough_cells(conditions["n_cells"], spec.min_cells), None)

    def facts(self) -> dict[str, Any]:
        """Return what the manifest says besides: nothing."""
        return {}
