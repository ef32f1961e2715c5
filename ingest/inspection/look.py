"""An open file looked at: its genes, its columns, what its labels are, and tables and calls beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from ingest.conditions.counted_beside import (
    BETWEEN,
    GUIDE_CALL,
    LEAST_COUNT,
    call_guides,
    counted,
    entries_of,
    joined_calls,
)
from ingest.conditions.feature_types import feature_types
from ingest.conditions.organism import organism_of, organism_words
from ingest.harmonise.genes import map_genes
from ingest.inspection.beside import CALLED, Beside, find_calls, find_table, read_joined
from ingest.inspection.catalogued import catalogued
from ingest.inspection.columns import MOST_LABELS, summarise
from ingest.inspection.doublets import guess_doublets, guess_several, tell_apart
from ingest.inspection.gene_ids import GeneIds, are_of_mouse, judge_genes
from ingest.inspection.guesses import find_units, guess_contexts, guess_kinds, weigh_by_controls, where_control
from ingest.inspection.inspection import Inspection
from ingest.inspection.knockdown import OwnExpression, own_expression
from ingest.inspection.known import POPULATION, PROBES, WELLS, plain
from ingest.inspection.label_parts import find_parts
from ingest.inspection.labels import PerturbationLabels, judge_labels
from ingest.inspection.roles import SURE, Guess, guess_keys, guess_roles, treated_alike
from ingest.inspection.sample import take_sample
from ingest.inspection.scales import of_named_scale, of_one_scale
from ingest.inspection.screens import judge_contrasts
from ingest.inspection.values import Values, judge_values
from ingest.reader import INDEX, CsrBlock, HasModalities, Reader, described_columns
from ingest.readers.feature_words import is_guides

SAID_BY_NAME = 0.8
"""How sure a kind of values is that the name of the file says."""
MODEL = "model_id"
"""The column that DepMap's reader gives the cell lines in."""
MOST_KEYS = 5_000_000
"""Row keys are looked at in files of up to so many rows."""


class Look:
    """An open file being looked at."""

    def __init__(self, reader: Reader, matrix: str | None, genes_in: str | None, within: Path | None = None) -> None:
        self.reader, self.matrix, self.genes_in, self.within = reader, matrix, genes_in, within
        self.entry = catalogued(reader.path)
        self.sample = take_sample(reader)
        self.types = feature_types(self.sample.genes)
        self.guides: str | None = None
        self.with_guides = self.sample
        if self.types is not None and self.types.is_rna.any():
            self.sample = self.sample.of(self.types.is_rna)
        self.row_table: Beside | None = None
        self.unjoined: Beside | None = None
        self.extract: dict[str, str] = {}
        self.added = pl.DataFrame()
        self.organism = self._organism()
        self.of_mouse = are_of_mouse(self.sample.genes) or (self.organism or ("",))[0] == "mouse"
        names = [name for name in reader.row_columns() if name != INDEX or reader.n_rows <= MOST_KEYS]
        self.columns = {name: summarise(reader.rows([name])[name], of_mouse=self.of_mouse) for name in names}
        self.roles = guess_roles(list(self.columns.values()))
        for look_further in (self._look_beside, self._look_into_keys, self._look_at_guides):
            if not any(guess.score >= SURE for guess in self.roles["perturbation"]):
                look_further()
        self._take_labels_apart()

    def inspection(self) -> Inspection:
        """Judge all there is."""
        genes, gene_table, gene_of_column = self._genes()
        cells = self._cells_of_rows()
        values = self._values(cells)
        if values.route == "reported" and INDEX in self.columns and not self.roles["perturbation"]:
            self.roles["perturbation"] = guess_keys(self.columns[INDEX])
        self.roles["context"] = guess_contexts(self.roles, self.columns, self.reader.path, self.entry)
        totals = np.asarray(np.nan_to_num(self.sample.matrix.sum(axis=1))).ravel()
        labels = self._labels(values, gene_of_column)
        self._tell_combinations(labels)
        beside = {name: column for name, column in self.columns.items() if labels is None or name != labels.column}
        calls = guess_doublets(beside)
        if labels is not None:
            calls += guess_several(beside.values(), self._read(labels.column).cast(pl.String), self._read)
        self.roles["doublets"] = tell_apart(calls, self._read)
        labelled = labels.column if labels is not None else None
        dose = next((guess.column for guess in self.roles["dose"] if guess.column is not None), None)
        return Inspection(
            path=self.reader.path,
            format=self.reader.format,
            files=self.reader.files,
            n_bytes=sum(file.stat().st_size for file in self.reader.files),
            n_rows=self.reader.n_rows,
            n_genes=self.reader.n_genes,
            types=self.types,
            guides=self.guides,
            matrix=self.matrix,
            matrices=getattr(self.reader, "matrices", ()),
            modalities=self.reader.modalities if isinstance(self.reader, HasModalities) else {},
            values=values,
            genes=genes,
            columns=tuple(self.columns),
            labels=labels,
            roles=self.roles,
            units=find_units(self.roles, self.columns),
            is_measured=dose is not None and self.columns[dose].are_measured,
            has_doses=labels is not None and dose is not None and self._differs_within(labels.column, dose),
            n_undosed=0 if dose is None else self._n_undosed(labels, dose),
            extract=self.extract,
            genes_in=self.genes_in,
            described_by=tuple(described_columns(self.reader)),
            row_table=self.row_table,
            unjoined=self.unjoined,
            gene_table=gene_table,
            tokens=getattr(self.reader, "tokens", {}),
            unnamed_labels=tuple(getattr(self.reader, "unnamed_labels", ())),
            transcripts=getattr(self.reader, "transcripts", None),
            entry=self.entry,
            total=float(np.median(totals)) if totals.size and self.sample.has_whole_rows else None,
            has_empty_rows=cells is not None and not (cells > 0).all(),
            organism=self.organism,
            n_unfiltered=self._n_unfiltered(),
            is_sparse=self.sample.is_sparse,
            treated_alike=treated_alike(column for name, column in self.columns.items() if name != labelled),
            n_silent=self._n_silent() if self.sample.has_whole_rows else 0,
        )

    def _values(self, cells: npt.NDArray[np.float64] | None) -> Values:
        """Judge what the values are by themselves, and then by what the file is called and says of its rows."""
        values = judge_values(self.sample, self.reader.path, self.matrix, cells, self.reader.format)
        values = of_named_scale(values, f"{self.reader.path.name}/{self.matrix or ''}")
        if self.genes_in == "rows":
            values = judge_contrasts(self.columns[INDEX].labels["label"].to_list()) or values
            values = of_one_scale(values, self.columns[INDEX].labels["label"].sort().to_list())
        if values.kind == "counts" and self.roles["auc"] and self.roles["mapped_reads"]:
            told = "sums of coverage, as the sample table has the area under it and the reads behind it (recount)"
            values = Values("bp_coverage", 0.8, (*values.evidence, told))
        well = next((name for name in self.columns if plain(name) in WELLS), None)
        if values.kind == "moderated_z" and values.score < SAID_BY_NAME and well is not None:
            values = Values("zscore", values.score, (*values.evidence, f"rows are wells, each with its {well!r}"))
        return values

    def _organism(self) -> tuple[str, str] | None:
        for place, words in organism_words(self.reader):
            organism = organism_of(words)
            if organism is not None:
                return organism, f"{place}: {', '.join(words)}"
        return None

    def _n_unfiltered(self) -> int:
        """Count the probes that Cell Ranger leaves out of its matrix of genes."""
        genes = self.sample.genes
        has_passed = genes[PROBES].cast(pl.Boolean) if PROBES in genes.columns else pl.Series([], dtype=pl.Boolean)
        return int((~has_passed).sum())

    def _n_silent(self) -> int:
        stored = self.sample.matrix
        return int(stored.shape[1] - np.unique(stored.indices[stored.data != 0]).size)

    def _differs_within(self, label: str, column: str) -> bool:
        """Say whether rows of one label have several values of a column."""
        table = pl.DataFrame([self._read(label).alias("label"), self._read(column).alias("value")]).drop_nulls()
        return table.unique().height > table["label"].n_unique()

    def _n_undosed(self, labels: PerturbationLabels | None, dose: str) -> int:
        """Count rows that have a dose of 0 under a label that is no control's, or under none."""
        numbers = self._read(dose).cast(pl.Float64, strict=False)
        if labels is None:
            return int((numbers == 0).sum())
        table = pl.DataFrame([self._read(labels.column).cast(pl.String).alias("label"), numbers.alias("dose")])
        aside = [*labels.controls, *labels.unassigned]
        return table.filter((pl.col("dose") == 0) & ~pl.col("label").is_in(aside)).height

    def _tell_combinations(self, labels: PerturbationLabels | None) -> None:
        """Take a second column of compounds for their combination: it holds the same control label."""
        seconds = self.roles["second perturbation"]
        if labels is None or labels.gene_share >= SURE or not seconds:
            return
        if set(self.columns[str(seconds[0].column)].controls) & set(labels.controls):
            self.roles["combined"], self.roles["second perturbation"] = seconds, []

    def _look_beside(self) -> None:
        name = MODEL if MODEL in self.columns else INDEX
        keys = self.reader.rows([name])[name]
        found = find_table(keys, self.reader.path, self.reader.files, self.within)
        if found is not None and found.repeated is not None:
            self.unjoined = found
        elif found is not None:
            self.row_table = found
            self._add(read_joined(self.row_table, keys))

    def _look_into_keys(self) -> None:
        """Read the targets out of the rows' keys, where those are the names of populations."""
        keys = self.columns.get(INDEX)
        if keys is None or not keys.labels["label"].head(MOST_LABELS).str.contains(POPULATION).all():
            return
        self.extract = {INDEX: POPULATION}
        found = self.reader.rows([INDEX])[INDEX].str.extract_groups(POPULATION)
        self._add(found.struct.unnest())

    def _take_labels_apart(self) -> None:
        """Read doses and times out of labels that hold them, and treatments out of the names of samples."""
        apart = find_parts(self.roles, self.columns) if self.added.is_empty() else None
        if apart is None:
            return
        self.extract = {apart.column: apart.pattern}
        labels = self._read(apart.column).cast(pl.String).str.strip_chars()
        self._add(labels.str.extract_groups(apart.pattern).struct.unnest())
        self.roles["perturbation"] = [apart.guess, *self.roles["perturbation"]]

    def _look_at_guides(self) -> None:
        """Take the guides that Cell Ranger called for what was done, or those that have enough counts of their own."""
        keys = self.reader.rows([INDEX])[INDEX]
        calls = find_calls(keys, self.reader.path)
        if calls is not None and calls.repeated is None and CALLED in calls.columns:
            self.row_table = calls
            self._add(read_joined(calls, keys))
            why = f"guides that Cell Ranger called, of {calls.n_found:,} of {calls.n_probed:,} cells"
            self.roles["perturbation"] = [Guess("perturbation", CALLED, 0.8, (why,))]
        elif isinstance(self.reader, HasModalities) and counted(self.reader, is_guides) is not None:
            self._take_calls(call_guides(self.reader, LEAST_COUNT), self.reader.n_rows)
        elif self.types is not None and self.types.is_guide.any() and self.with_guides.has_whole_rows:
            self._take_calls(self._called(self.types.is_guide), self.with_guides.n_rows)

    def _take_calls(self, called: pl.Series, n_rows: int) -> None:
        """Take guides called from so many rows for what was done."""
        with_one, with_several = (called.str.contains(BETWEEN, literal=True).eq(is_so).sum() for is_so in (False, True))
        self.guides = (
            f"with {LEAST_COUNT} counts or more, of {n_rows:,} cells {with_one:,} have one guide, "
            f"{with_several:,} several"
        )
        self._add(called.to_frame())
        self.roles["perturbation"] = [Guess("perturbation", GUIDE_CALL, 0.6, (self.guides,))]

    def _called(self, is_guide: npt.NDArray[np.bool_]) -> pl.Series:
        """Call guides in the rows of the sample; null in the others."""
        matrix = self.with_guides.matrix
        block = CsrBlock(0, matrix.indptr, matrix.indices, matrix.data)
        rows, guides, counts = entries_of(block, is_guide)
        called = guides[counts >= LEAST_COUNT]
        names = self.with_guides.genes[INDEX].gather(called)
        return joined_calls(rows[counts >= LEAST_COUNT], names, self.reader.n_rows)

    def _add(self, table: pl.DataFrame) -> None:
        """Take further columns into account."""
        self.added = table
        self.columns |= {name: summarise(table[name], of_mouse=self.of_mouse) for name in table.columns}
        self.roles = guess_roles(list(self.columns.values()))

    def _read(self, name: str) -> pl.Series:
        return self.added[name] if name in self.added.columns else self.reader.rows([name])[name]

    def _genes(self) -> tuple[GeneIds, Beside | None, pl.Series]:
        """Judge the gene table, and one beside the file where it tells more; also give each column's gene."""
        table, beside = self.sample.genes, None
        n_genes = self.reader.n_genes if self.types is None else table.height
        genes = judge_genes(table, n_genes)
        if len(table.columns) == 1:
            found = find_table(table[INDEX], self.reader.path, self.reader.files, self.within)
            beside = found if found is not None and found.repeated is None else None
        if beside is not None:
            joined = table.hstack(read_joined(beside, table[INDEX]))
            better = judge_genes(joined, n_genes)
            is_better = better.id is not None and (genes.id is None or better.symbol is not None)
            table, genes, beside = (joined, better, beside) if is_better else (table, genes, None)
        if genes.id is None:
            return genes, beside, pl.Series([None] * table.height, dtype=pl.String)
        mapping = map_genes(table[genes.id.name].cast(pl.String), kind=genes.id.kind, translate_mouse=genes.is_mouse)
        return genes, beside, mapping.table["gene_id"]

    def _cells_of_rows(self) -> npt.NDArray[np.float64] | None:
        for guess in self.roles["n_cells"][:1]:
            return self._read(str(guess.column)).cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()
        return None

    def _labels(self, values: Values, gene_of_column: pl.Series) -> PerturbationLabels | None:
        """Judge the labels of perturbations, and what depends on them: how they were made, and in which batches."""
        best = next((guess for guess in self.roles["perturbation"] if guess.score >= SURE), None)
        if best is None or best.column is None:
            self.roles["second perturbation"] = []
            return None
        column, perturbation = self.columns[best.column], self._read(best.column)
        labels = judge_labels(column)
        own = self._own_expression(perturbation, labels.targets, gene_of_column, values)
        self.roles["kind"] = guess_kinds(self.roles, self.columns, labels, own, self.reader.path, self.entry)
        self.roles["control"] = [
            where_control(guess, self.columns[str(guess.column)]) for guess in self.roles["control"]
        ]
        seconds = [guess for guess in self.roles["second perturbation"] if guess.column != best.column]
        self.roles["second perturbation"] = [
            guess for guess in seconds if self._differs_within(best.column, str(guess.column))
        ]
        for role in ("batch", "second perturbation"):
            table = pl.DataFrame([self._read(str(guess.column)) for guess in self.roles[role]])
            self.roles[role] = weigh_by_controls(self.roles[role], perturbation, labels.control_labels, table)
        return labels

    def _own_expression(
        self, perturbation: pl.Series, targets: dict[str, str], gene_of_column: pl.Series, values: Values
    ) -> OwnExpression | None:
        if not self.sample.has_whole_rows or values.kind not in {"counts", "estimated_counts", "log1p"}:
            return None
        labels = perturbation.cast(pl.String).str.strip_chars().head(self.sample.n_rows)
        return own_expression(self.sample, labels, targets, gene_of_column, is_log=values.kind == "log1p")
