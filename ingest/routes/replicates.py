"""Matrices of replicate wells, which are combined."""

from __future__ import annotations

from pathlib import Path

from ingest.progress import step
from ingest.routes.matrix import Matrix
from ingest.routes.opened import OpenJournal
from ingest.routes.written import Written, enough_cells, written_of
from ingest.signatures.replicates import write_moderated
from ingest.signatures.wells import PlateScale, Wells


class ReplicateMatrix(Matrix):
    """Replicate wells of L1000: moderated z-scores."""

    def write(self, folder: Path, journal: OpenJournal) -> Written:  # noqa: ARG002, wells are few
        """Average the wells of each condition by how well they agree."""
        wells, labels = Wells(self.sources), self.labels
        is_expression = self.opened.spec.dataset.values == "log2_expression"
        read = PlateScale.measure(wells, labels.rows).read if is_expression else wells.read
        n_conditions = labels.condition.height
        with step(f"moderated z of {n_conditions:,} conditions", n_conditions) as advance:
            write_moderated(folder, labels.rows, read, self.axes[0].is_landmark, advance)
        n_cells = labels.condition["n_cells"]
        is_point = enough_cells(n_cells, self.opened.spec.min_cells)
        return written_of(labels, self.axes, self.left_out(), is_point, int(n_cells.sum()))
