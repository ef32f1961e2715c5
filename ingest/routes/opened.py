"""The files of a dataset, open: what every route reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ingest.conditions.lookups import Lookups
from ingest.conditions.rows import RowTables
from ingest.conditions.side_tables import SideTable
from ingest.reader import Reader, Tables
from ingest.spec import DatasetSpec

if TYPE_CHECKING:  # sums need the compiler of their kernels, and listings an SQL engine
    from ingest.reported.long_table import LongTable
    from ingest.sums.journal import Journal
    from ingest.sums.summing import Summing

OpenJournal: TypeAlias = "Callable[[], Journal]"
"""Opens what an ingest that is interrupted goes on from."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A dataset to be written.

    Parameters
    ----------
    spec
        Its spec.
    folder
        What the files of the spec are relative to.
    readers
        Its matrices, open.
    listings
        Its tables with a row for each condition and gene, where it has no matrix.
    layers
        For each matrix, further ones of its file by statistic.
    row_tables
        What is said of their rows, in them and beside them.
    gene_tables
        The tables of genes beside them.
    lookups
        Its own tables of compounds and cell lines, and the service to ask for genes.
    memory_limit
        Most that sums of cells take in memory; a quarter of the machine's where None. Unit: bytes.
    cluster
        Who sums cells; this process where None.
    """

    spec: DatasetSpec
    folder: Path
    readers: Sequence[Reader]
    listings: Sequence[LongTable]
    layers: Sequence[Mapping[str, Reader]]
    row_tables: RowTables
    gene_tables: Sequence[SideTable]
    lookups: Lookups
    memory_limit: int | None
    cluster: Summing | None = None

    @property
    def sources(self) -> list[Tables]:
        """The files that the spec names."""
        return [*self.readers, *self.listings]

    @property
    def paths(self) -> list[Path]:
        """Every file that was opened, the tables beside the matrix among them: what a release records and checks."""
        own = [path for source in self.sources for path in source.files]
        beside = [path for table in (*self.row_tables.beside, *self.gene_tables) for path in table.paths]
        return [*own, *beside, *self.lookups.files]
