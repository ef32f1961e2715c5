"""What a file holds and may mean, as far as a bounded look at it tells."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ingest.catalogue import Entry
from ingest.inspection.beside import Beside
from ingest.inspection.gene_ids import GeneIds
from ingest.inspection.labels import Labels
from ingest.inspection.roles import SURE, Guess
from ingest.inspection.values import Values


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a file holds and may mean.

    Parameters
    ----------
    path, format, files, n_bytes, n_rows, n_genes
        What it is.
    matrix
        Which of its matrices was looked at, None where it holds one.
    matrices
        All of them.
    values, genes
        The judgement of its numbers, and of its gene identifiers.
    columns
        Names of the row table's columns.
    roles
        What they may hold, by role, the likeliest first.
    labels
        The labels of the likeliest column of perturbations.
    units
        Unit of ``dose`` and ``time``, where another column gives it.
    row_table, gene_table
        Tables beside the file that describe its rows or genes, where the file itself does not.
    entry
        The catalogued dataset that has a file of this name.
    total
        Median total of a row of the sample.
    """

    path: Path
    format: str
    files: tuple[Path, ...]
    n_bytes: int
    n_rows: int
    n_genes: int
    matrix: str | None
    matrices: tuple[str, ...]
    values: Values
    genes: GeneIds
    columns: tuple[str, ...]
    roles: dict[str, list[Guess]]
    labels: Labels | None
    units: dict[str, str] = field(default_factory=dict)
    row_table: Beside | None = None
    gene_table: Beside | None = None
    entry: Entry | None = None
    total: float | None = None

    def best(self, role: str) -> Guess | None:
        """Return the guess for a role that is sure enough to be used."""
        guesses = self.roles.get(role, [])
        return guesses[0] if guesses and guesses[0].score >= SURE else None
