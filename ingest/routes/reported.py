"""Matrices of signatures that their source computed, which are taken as reported."""

from __future__ import annotations

from pathlib import Path

from ingest.progress import step
from ingest.reported.matrix import significant_genes, write_reported, write_reported_quality
from ingest.routes.matrix import Matrix
from ingest.routes.opened import OpenJournal
from ingest.routes.written import Written, enough_cells, written_of


class ReportedMatrix(Matrix):
    """Signatures that the source computed: as published."""

    def write(self, folder: Path, journal: OpenJournal) -> Written:  # noqa: ARG002, they are written as they are read
        """Copy them into tiles."""
        spec, labels = self.opened.spec, self.labels
        sources = [(reader, axis, more) for (reader, axis), more in zip(self.sources, self.opened.layers, strict=True)]
        n_kept = labels.condition.height
        genes = self.axes[0].genes
        significant = significant_genes(labels, genes, spec)
        with step(f"{n_kept:,} signatures x {genes.height:,} genes", n_kept) as advance:
            write_reported(folder, sources, labels, spec.dataset.values, advance, significant)
        write_reported_quality(folder, self.given.published, labels, genes.height, spec, significant)
        is_point = enough_cells(labels.condition["n_cells"], spec.min_cells)
        return written_of(labels, self.axes, self.left_out(), is_point, None)
