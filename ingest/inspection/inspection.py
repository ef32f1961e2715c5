"""What a file holds and may mean, as far as a bounded look at it tells."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ingest.catalogue.catalogue import Entry
from ingest.conditions.feature_types import FeatureTypes
from ingest.inspection.beside import Beside
from ingest.inspection.gene_ids import GeneIds
from ingest.inspection.known import PSEUDOBULK, plain
from ingest.inspection.known_responses import ResponseTable
from ingest.inspection.labels import PerturbationLabels
from ingest.inspection.result_columns import Remark
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
    modalities
        Of a file of several kinds of matrices, the size of each, by name.
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
    is_measured
        Whether doses are measured ones, to be taken as those that were meant.
    has_doses
        Whether rows of one label differ by dose.
    n_undosed
        Rows that have a dose of 0 under a label that is no control's.
    extract
        Patterns that read further columns out of columns, where labels are part of a name.
    genes_in
        Of a table, ``lines`` where its lines are genes.
    is_orientation_doubtful
        Whether both its lines and its columns are named like genes, and nothing tells which are.
    described_by
        Of a table whose columns are genes, the columns of numbers that are called like none.
    phenotype_row
        Of a table of several numbers for each perturbed gene, the one that is the phenotype.
    row_table, gene_table
        Tables beside the file that describe its rows or genes, where the file itself does not.
    unjoined
        A table beside the file that has several lines for a row, so that nothing is read of it.
    is_of_transcripts, transcripts
        Whether what was measured is transcripts, and the table beside the file that tells their genes, if any.
    table
        Of a table with a row for each condition and gene, its columns by what ``[table]`` calls them.
    remarks
        Of such a table, what is to be said of a key, also of one that it lacks.
    samples
        Of such a table, columns that look like counts of samples, which are not read.
    family
        Names of the files that are named alike and have a contrast each; none where this file is by itself.
    tokens, unnamed_labels
        Of lists of tokens, the columns that hold them where they are no publisher's own; and those of labels that are
        stored as numbers, without their names.
    sheet, header, sheets
        Of a workbook, the sheet that was looked at, the row of its header, and all sheets.
    responses, joins
        Of a known table of drug responses, what it has; and the tables to join that are beside it, with their keys.
    passed_over
        Of a folder, the other matrices in it.
    entry
        The catalogued dataset that has a file of this name.
    types
        Which of its genes are RNA, where the gene table tells.
    guides
        What calling guides from their own counts gives, where nothing else tells what was perturbed.
    total
        Median total of a row of the sample.
    has_empty_rows
        Whether some row is the population of no cell, as the first column of their numbers says.
    organism
        The species that the file says, None where it says none, several or one that is not known; with where.
    n_silent
        Genes that are 0 in all rows of the sample, where it has whole rows.
    strands
        Of STAR's three counts of each sample, what tells which to take.
    lacks
        The matrix that has the other part of the counts, such as those of unspliced transcripts, which this one lacks.
    n_unfiltered
        Probes, of a matrix of probes, that Cell Ranger leaves out of its matrix of genes.
    treated_alike
        What all rows were treated with besides, by its column.
    is_sparse
        Whether the matrix leaves zeros out.
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
    labels: PerturbationLabels | None
    modalities: dict[str, str] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    is_measured: bool = False
    has_doses: bool = False
    n_undosed: int = 0
    extract: dict[str, str] = field(default_factory=dict)
    genes_in: str | None = None
    is_orientation_doubtful: bool = False
    described_by: tuple[str, ...] = ()
    phenotype_row: str | None = None
    row_table: Beside | None = None
    gene_table: Beside | None = None
    unjoined: Beside | None = None
    table: dict[str, str] | None = None
    remarks: dict[str, Remark] = field(default_factory=dict)
    samples: tuple[str, ...] = ()
    family: tuple[str, ...] = ()
    is_of_transcripts: bool = False
    transcripts: Path | None = None
    tokens: dict[str, str] = field(default_factory=dict)
    unnamed_labels: tuple[str, ...] = ()
    sheet: str | None = None
    header: int | None = None
    sheets: tuple[str, ...] = ()
    responses: ResponseTable | None = None
    joins: tuple[tuple[str, str], ...] = ()
    passed_over: tuple[str, ...] = ()
    entry: Entry | None = None
    types: FeatureTypes | None = None
    guides: str | None = None
    total: float | None = None
    organism: tuple[str, str] | None = None
    n_silent: int = 0
    has_empty_rows: bool = False
    strands: str = ""
    lacks: str | None = None
    n_unfiltered: int = 0
    is_sparse: bool = False
    treated_alike: dict[str, str] = field(default_factory=dict)

    @property
    def cells(self) -> list[str]:
        """Columns that say of how many cells a row is the population, the surest first; none where it is none."""
        named = [guess.column for guess in self.roles["n_cells"] if guess.column is not None]
        if self.values.kind == "counts":
            return [name for name in named if plain(name) in PSEUDOBULK]
        return named if self.values.kind in {"mean_counts", "zscore"} else []

    @property
    def is_mouse(self) -> bool:
        """Whether the cells are of the mouse, by what the file says or by its genes."""
        return self.organism[0] == "mouse" if self.organism is not None else self.genes.is_mouse

    @property
    def is_phenotype(self) -> bool:
        """Whether a column of the matrix is a perturbed gene, and a value one number of it."""
        return self.values.route == "phenotypes"

    @property
    def is_relative(self) -> bool:
        """Whether the values are differences from control already."""
        return (
            self.table is not None
            or self.values.route == "reported"
            or (self.values.kind == "zscore" and bool(self.cells))
        )

    @property
    def needs_control(self) -> bool:
        """Whether there have to be rows of controls."""
        return not (self.is_relative or self.is_phenotype) and self.values.kind not in {"zscore", "log2tpm1"}

    def best(self, role: str) -> Guess | None:
        """Return the guess for a role that is sure enough to be used."""
        guesses = self.roles.get(role, [])
        return guesses[0] if guesses and guesses[0].score >= SURE else None
