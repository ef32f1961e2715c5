"""What became of each published gene identifier: one row per input, in the order of the input."""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from featurestore.errors import HarmonisationError, first_of
from ingest.harmonise.gene_notation import is_mouse_cased

STATUSES = {
    "current": "the identifier is current",
    "approved": "the approved symbol",
    "previous": "a previous symbol of one gene",
    "retired_replaced": "a retired identifier or withdrawn symbol with one successor",
    "gencode_name": "a name in the current annotation",
    "alias": "an alias of one gene",
    "historic_name": "a name in an older annotation",
    "alt_locus": "an Ensembl id on an alternate locus, taken for its gene on the chromosome",
    "case_folded": "a symbol in other case",
    "ortholog": "a mouse gene, translated to its only human ortholog",
    "conflict": "identifier and symbol disagree; the identifier decides",
    "context": "ambiguous by itself, decided by the rest of the list or by annotation history",
    "mygene": "not in the reference; found at mygene.info, of the build that the method names",
    "suffix_flagged": "a symbol with a numeric suffix set aside",
    "ambiguous": "several genes",
    "retired_no_successor": "a retired identifier without a known successor",
    "excel_date": "a date that a spreadsheet made of a symbol; which one is not recoverable",
    "control": "a label of reference cells",
    "non_gene": "a spike-in, antibody tag, guide, counter or total row",
    "unmapped": "not found",
}
"""Every status and its meaning, from most to least reliable; none after ``suffix_flagged`` has a gene."""

NOT_GENES = ("control", "non_gene")
OTHER_SPECIES = ["mouse_ensembl", "other_species"]
MIXED = 0.1
"""Least part of a list that has to be human genes, or symbols cased as of the mouse, for it to be of two species."""
COLUMNS = (
    "original", "original_symbol", "normalised", "id_kind", "status", "method", "confidence", "gene_id", "gene_symbol",
    "candidates", "note",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class GeneMapping:
    """The fate of every input identifier.

    Parameters
    ----------
    table
        One row per input, same order: original, original_symbol (paired with it, or null), normalised, id_kind,
        status, method, confidence (high, medium, low), gene_id and gene_symbol (null where unmapped), candidates
        (every gene it could have meant, the chosen one first), note.
    kind
        The notation of most inputs.
    """

    table: pl.DataFrame
    kind: str

    def __len__(self) -> int:
        return self.table.height

    @property
    def mapped(self) -> pl.DataFrame:
        """Rows that have a gene."""
        return self.table.filter(pl.col("gene_id").is_not_null())

    @property
    def ambiguous(self) -> pl.DataFrame:
        """Rows that could mean several genes."""
        return self.table.filter(pl.col("status") == "ambiguous")

    @property
    def unmapped(self) -> pl.DataFrame:
        """Rows that should have been genes and have none, ambiguous ones not included."""
        return self.table.filter(pl.col("gene_id").is_null() & ~pl.col("status").is_in(["ambiguous", *NOT_GENES]))

    @property
    def drifted(self) -> pl.DataFrame:
        """Mapped rows whose symbol is another one today: original, symbol, gene_symbol, gene_id."""
        symbol = pl.coalesce("original_symbol", pl.when(pl.col("id_kind") == "symbol").then(pl.col("normalised")))
        return self.mapped.filter(symbol != pl.col("gene_symbol")).select(
            "original", symbol.alias("symbol"), "gene_symbol", "gene_id"
        )

    @property
    def of_second_species(self) -> pl.Series:
        """Say which rows, in a list of human genes, are genes of another species; all False in one of the mouse."""
        is_open = pl.col("gene_id").is_null()
        is_human = ~is_open & (pl.col("status") != "ortholog")
        of_mouse = is_open & (pl.col("id_kind") == "symbol") & is_mouse_cased(pl.col("normalised"))
        are_mixed = (of_mouse.mean() >= MIXED) & pl.lit(self.kind != "mouse_symbol")
        is_other = (is_open & pl.col("id_kind").is_in(OTHER_SPECIES)) | (of_mouse & are_mixed)
        return self.table.select(of_second=(is_other & (is_human.mean() >= MIXED)).fill_null(value=False)).to_series()

    def counts(self) -> dict[str, int]:
        """Return rows per status, statuses without rows left out; the counts add up to ``len(self)``."""
        found = dict(self.table["status"].value_counts().iter_rows())
        return {status: found[status] for status in STATUSES if status in found}

    def require_mapped(self, max_unmapped: float, *, where: str = "") -> None:
        """Refuse a list of which too large a share has no gene.

        Parameters
        ----------
        max_unmapped
            Largest share, 0 to 1, of the genes (controls and non-genes not counted) that may be without ``gene_id``.
        where
            The file and column, for the message.

        Raises
        ------
        HarmonisationError
            More are unmapped.
        """
        genes = self.table.filter(~pl.col("status").is_in(NOT_GENES))
        missing = genes.filter(pl.col("gene_id").is_null())
        if genes.is_empty() or missing.height <= max_unmapped * genes.height:
            return
        reasons = missing["status"].value_counts(sort=True)
        raise HarmonisationError(
            f"{missing.height:,} of {genes.height:,} gene identifiers have no gene "
            f"({missing.height / genes.height:.1%}; the limit is {max_unmapped:.1%}).",
            where=where,
            expected="human genes as Ensembl, Entrez or HGNC ids or symbols",
            got=", ".join(f"{status} {n:,}" for status, n in reasons.iter_rows())
            + "; first: "
            + first_of(list(map(repr, missing["original"]))),
            do="name the column of gene ids and their kind in the spec, or raise the limit",
        )

    def with_table(self, table: pl.DataFrame) -> GeneMapping:
        """Return the mapping with another table of the same rows."""
        return replace(self, table=table.select(COLUMNS))
