"""Matrices of cells, wells or samples, which are summed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from ingest.routes.matrix import Matrix
from ingest.routes.opened import OpenJournal
from ingest.routes.written import Written, enough_cells, written_of
from ingest.signatures.cells import write_cells
from ingest.sums.capped import default_memory_limit
from ingest.sums.pseudobulk import cells_of


class SummedMatrix(Matrix):
    """Cells, wells or samples: sums of each condition, and signatures from them."""

    def write(self, folder: Path, journal: OpenJournal) -> Written:
        """Sum cells, and compare each condition with its controls."""
        opened, labels = self.opened, self.labels
        memory_limit = opened.memory_limit or default_memory_limit()
        left_out = write_cells(
            folder, self.sources, labels, self.given, opened.spec, memory_limit, journal(), opened.cluster
        )
        cells = cells_of(labels.rows, self.given.cells)
        n_cells = labels.condition["n_cells"] if cells is None else pl.Series(cells)
        is_point = enough_cells(n_cells, opened.spec.min_cells)
        return written_of(labels, self.axes, left_out, is_point, int(labels.condition["n_cells"].sum()))

    def facts(self) -> dict[str, Any]:
        """Say of each file what its values were taken as logarithms of, and which of it is assumed."""
        if self.opened.spec.dataset.values != "log1p":
            return {}
        from ingest.sums.portion import logarithm_of  # noqa: PLC0415, loads a compiler, by now there

        found = [(reader.path.name, logarithm_of(reader, axis, self.opened.spec)) for reader, axis in self.sources]
        told = [
            {"file": name, "told": logarithm.told, "is_assumed": logarithm.is_assumed}
            for name, logarithm in found
            if logarithm is not None
        ]
        return {"logarithms": told}
