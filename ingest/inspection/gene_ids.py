"""Which column of a gene table identifies the measured genes, in which notation, and of which annotation release."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import polars as pl

from ingest.harmonise.genes import best_release, detect_kind, map_genes
from ingest.harmonise.words import LOOKS_LIKE_CONTROL
from ingest.inspection.known import CONTROLS
from ingest.reader import INDEX
from ingest.sections import column_in_sql

ORDER = ("ensembl", "hgnc", "symbol_ensembl", "entrez", "symbol_entrez", "symbol")
"""Notations, the one that says most exactly which gene is meant first."""
MOUSE = frozenset({"mouse_ensembl", "mouse_symbol"})
CLOSE = 0.02
"""How much less of a list may be mapped for a better notation to be preferred."""
LEAST_MAPPED = 0.5
MOST_UNKNOWN = 0.1
"""Part of a list of numbers that may be no Entrez ids: nearly every number is some gene's."""
MOST_CONFLICTS = 0.05
"""Part of the genes whose symbol, by drift alone, may be another gene's than the identifier's."""
CONFLICT = "conflict"
CHANGED = ["suffix_flagged", "case_folded"]
NO_GENE = {
    "peaks": r"^(?:chr(?:[0-9]+|[XYM]|MT)[:_-]|(?:[0-9]{1,2}|[XYM]|MT)[:_-])[0-9]+[_-][0-9]+$",
    "antibodies or tags": r"(?i:[-_.]?TotalSeq|^(?:ADT|HTO)[-_.]|[-_.](?:ADT|HTO)$)",
}
"""How names of what is counted beside RNA are written."""
NUMBERED = re.compile(r"[-_. ]?(?:rep|r)?\d+$", re.IGNORECASE)
"""What numbers samples of one kind."""


@dataclass(frozen=True, slots=True)
class GeneColumn:
    """A column that may identify genes.

    ``mapped`` is the part of it, but for genes of a second species, that is mapped to a gene; ``n_repeated`` counts
    values beyond the first of their kind, ``n_second`` genes of a second species, ``n_controls`` labels that look like
    controls; ``are_changed`` tells whether half of the genes are genes only in another case or without a number at
    their end, or come again; ``doubt`` is why the column may be none of genes, or of others.
    """

    name: str
    kind: str
    evidence: str
    mapped: float
    n_repeated: int
    n_second: int = 0
    n_controls: int = 0
    are_changed: bool = False
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class GeneIds:
    """The gene table, judged.

    Parameters
    ----------
    columns
        Columns that may identify genes, the best first.
    releases
        Annotation releases that hold most of the best column that can tell: release, n_ids, n_found, coverage.
    n_seen, n_genes
        How many genes were looked at, of how many.
    n_second
        How many of them are of a second species.
    n_conflicts
        How many have a symbol beside the identifier that is another gene's.
    """

    columns: tuple[GeneColumn, ...]
    releases: pl.DataFrame
    n_seen: int
    n_genes: int
    n_second: int = 0
    n_conflicts: int = 0

    @property
    def id(self) -> GeneColumn | None:
        """The best column, None where none identifies half of the genes."""
        return self.columns[0] if self.columns and self.columns[0].mapped >= LEAST_MAPPED else None

    @property
    def symbol(self) -> GeneColumn | None:
        """A column of symbols beside the best one."""
        beside = [column for column in self.columns[1:] if column.kind == "symbol" and self.id is not None]
        return beside[0] if beside and self.columns[0].kind != "symbol" else None

    @property
    def conflict(self) -> str:
        """What is to be said where identifiers and symbols name different genes; nothing where they seldom do."""
        if self.symbol is None or self.id is None or self.n_conflicts <= MOST_CONFLICTS * self.n_seen:
            return ""
        beside = f"'{self.symbol.name}' names another gene than '{self.id.name}'"
        return f"{beside} in {self.n_conflicts:,} of {self.n_seen:,} rows: one of them is of other rows"

    @property
    def is_mouse(self) -> bool:
        """Whether most of the genes are of the mouse."""
        return bool(self.columns) and self.columns[0].kind in MOUSE


def judge_genes(genes: pl.DataFrame, n_genes: int) -> GeneIds:
    """Judge a gene table, or the beginning of one."""
    columns = [_judge(genes[name]) for name in genes.columns if _may_identify(genes[name])]
    found = [column for column in columns if column.mapped > 0 or column.kind in MOUSE]
    best = max((column.mapped for column in found), default=0.0)
    found.sort(
        key=lambda c: (c.mapped < best - CLOSE, c.n_repeated > 0, _place(c), c.name != INDEX, c.name),
    )
    ranked = (best_release(genes[column.name].cast(pl.String)).head(3) for column in found)
    releases = next((releases for releases in ranked if releases.height), pl.DataFrame())
    judged = GeneIds(tuple(found), releases, genes.height, n_genes, found[0].n_second if found else 0)
    return replace(judged, n_conflicts=_n_conflicts(judged, genes))


def _n_conflicts(judged: GeneIds, genes: pl.DataFrame) -> int:
    """Count the genes of which identifier and symbol are different genes."""
    if judged.id is None or judged.symbol is None or judged.is_mouse:
        return 0
    ids, symbols = (genes[column.name].cast(pl.String) for column in (judged.id, judged.symbol))
    return int((map_genes(ids, symbols=symbols, kind=judged.id.kind).table["status"] == CONFLICT).sum())


def are_of_mouse(genes: pl.DataFrame) -> bool:
    """Say whether a gene table is of the mouse, by how its identifiers are written."""
    texts = (column for column in genes if column.dtype == pl.String and _may_identify(column))
    return any(detect_kind(column).kind in MOUSE for column in texts)


def _may_identify(column: pl.Series) -> bool:
    """Leave out measurements, flags and classes: what is not text, an integer key, or mostly distinct."""
    if column.name == INDEX:
        return True
    is_id = column.dtype == pl.String or column.dtype.is_integer()
    return is_id and column.n_unique() > column.len() / 2


def _judge(column: pl.Series) -> GeneColumn:
    text = column.cast(pl.String)
    detected = detect_kind(text)
    is_number = detected.kind in {"entrez", "row_number"}
    if is_number and column.name != INDEX and "gene" not in column.name.lower() and "entrez" not in column.name.lower():
        return GeneColumn(column.name, detected.kind, detected.evidence, 0.0, 0)
    kind = None if detected.kind == "unknown" else detected.kind
    mapping = map_genes(text, kind=kind, translate_mouse=kind in MOUSE)
    is_second = mapping.of_second_species
    table = mapping.table.filter(~is_second)
    if is_second.any():
        detected = detect_kind(text.filter(~is_second))
    genes = table.filter(pl.col("status") != "non_gene")
    mapped = 1 - genes["gene_id"].null_count() / genes.height if genes.height else 0.0
    repeated = text.drop_nulls()
    n_repeated = repeated.len() - repeated.n_unique()
    return GeneColumn(
        column.name,
        detected.kind,
        detected.evidence,
        mapped,
        n_repeated,
        n_second=int(is_second.sum()),
        n_controls=sum(map(_is_control, genes.filter(pl.col("gene_id").is_null())["original"].drop_nulls())),
        doubt=_doubt(text, mapped) if detected.kind == "entrez" else _beside_rna(repeated, column.name),
        are_changed=2 * (n_repeated + table["status"].is_in(CHANGED).sum()) >= mapped * table.height > 0,
    )


def _doubt(numbers: pl.Series, mapped: float) -> str:
    """Say why numbers may be no Entrez ids."""
    if 1 - mapped <= MOST_UNKNOWN:
        return ""
    of_hgnc = map_genes("HGNC:" + numbers, kind="hgnc").table["gene_id"]
    share = 1 - of_hgnc.null_count() / max(of_hgnc.len(), 1)
    told = f"{1 - mapped:.0%} of the numbers are no Entrez ids, so the others may be none either"
    return f"{told}; {share:.0%} are HGNC's: write them as HGNC:n" if share > mapped else told


def _beside_rna(names: pl.Series, column: str) -> str:
    """Say which names are of no RNA, which counts in a cell's total all the same."""
    for what, pattern in NO_GENE.items():
        such = names.filter(names.str.contains(pattern))
        if such.len():
            told = f"{such.len():,} of {names.len():,} are {what}, such as {such[0]!r}, and count in a cell's total"
            return f"{told}; where = \"not regexp_like({column_in_sql(column)}, '{pattern}')\" leaves them out"
    return ""


def _is_control(name: str) -> bool:
    """Say whether a name is that of a control, or of one of several."""
    return bool(LOOKS_LIKE_CONTROL.search(name)) or NUMBERED.sub("", name) in CONTROLS


def _place(column: GeneColumn) -> int:
    return ORDER.index(column.kind) if column.kind in ORDER else len(ORDER)
