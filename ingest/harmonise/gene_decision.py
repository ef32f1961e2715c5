"""Decide what each parsed identifier means: the identifier first, the symbol beside it second, else a stated reason."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import polars as pl

from ingest.harmonise.gene_lookup import NO_GENES, look_up_ids, look_up_labels, look_up_mouse, with_symbols
from ingest.harmonise.gene_notation import is_mouse_cased

_WITHOUT_LOOKUP = {
    "missing": ("unmapped", "no identifier"),
    "control": ("control", "a label of reference cells"),
    "non_gene": ("non_gene", "a spike-in, reporter, antibody tag, guide, counter or total"),
    "excel_date": ("excel_date", "made by a spreadsheet; the symbol is not recoverable"),
    "transcript": ("unmapped", "a transcript or protein, not a gene"),
    "other_species": ("unmapped", "a gene of another species"),
    "probe": ("unmapped", "a probe; its gene is in the platform's own table"),
    "row_number": ("unmapped", "a row number, not an Entrez id"),
    "lone_number": ("unmapped", "a number among symbols"),
}
_EXACT = ("approved", "previous", "withdrawn", "alias", "gencode_name", "historic_name")
_VERDICT = ("row", "id_kind", "normalised", "status", "method", "confidence", "gene_id", "candidates", "note")


def decide(rows: pl.DataFrame, *, is_mouse: bool, translate_mouse: bool) -> pl.DataFrame:
    """Return the verdict on each row of ``parse_notation``, in order.

    Parameters
    ----------
    rows
        Columns id_kind, id, symbol, normalised.
    is_mouse
        Whether symbols are of the mouse.
    translate_mouse
        Whether mouse genes become their one-to-one human orthologs.
    """
    numbered = rows.with_row_index("row")
    of_mouse = pl.col("id_kind") == "mouse_ensembl"
    if is_mouse:
        of_mouse = of_mouse | (pl.col("id_kind") == "symbol")
    several = pl.col("id_kind") == "several"
    unnamed = pl.col("id_kind").is_in(list(_WITHOUT_LOOKUP))
    rules: list[tuple[Callable[[pl.DataFrame], pl.DataFrame], pl.Expr]] = [
        (_by_name, ~of_mouse & ~several & ~unnamed),
        (partial(_of_mouse, translate=translate_mouse), of_mouse),
        (_of_several, several),
        (_without_lookup, unnamed),
    ]
    parts = [(rule, numbered.filter(covered)) for rule, covered in rules]
    verdicts = [rule(part) for rule, part in parts if not part.is_empty()] or [_without_lookup(numbered)]
    decided = pl.concat(frame.select(_VERDICT) for frame in verdicts)
    return with_symbols(decided).sort("row")


def _by_name(rows: pl.DataFrame) -> pl.DataFrame:
    """Let the identifier decide; its symbol stands in for an unknown one and is compared with a known one.

    A symbol that is another gene's today but was once that of the identifier's gene has moved on: a note, no
    conflict.
    """
    joined = rows.join(look_up_ids(rows["id"]), left_on="id", right_on="key", how="left")
    joined = _beside(joined.with_columns(known=pl.col("status").is_not_null()))
    has_id, known, symbol_gene = pl.col("id").is_not_null(), pl.col("known"), pl.col("gene_id_by_symbol")
    by_symbol = ~known & (~has_id | pl.col("is_exact"))
    differ = known & (pl.col("gene_id") != symbol_gene) & pl.col("is_exact")
    conflict = differ & ~pl.col("candidates_by_symbol").list.contains(pl.col("gene_id"))
    unsucceeded = (pl.col("status") == "retired_no_successor") & symbol_gene.is_not_null()
    unfound = pl.when(is_mouse_cased(pl.col("symbol"))).then(pl.lit("cased as a mouse symbol"))

    def chosen(name: str) -> pl.Expr:
        return pl.when(known).then(pl.col(name)).when(by_symbol).then(pl.col(f"{name}_by_symbol"))

    return joined.with_columns(
        status=pl.when(conflict).then(pl.lit("conflict")).otherwise(chosen("status")).fill_null("unmapped"),
        method=chosen("method"),
        confidence=pl.when(conflict | (by_symbol & has_id)).then(pl.lit("medium")).otherwise(chosen("confidence")),
        gene_id=chosen("gene_id"),
        candidates=pl.when(differ)
        .then(pl.concat_list("gene_id", symbol_gene))
        .when(unsucceeded)
        .then(pl.concat_list(symbol_gene))
        .otherwise(chosen("candidates"))
        .fill_null(NO_GENES),
        note=pl.when(differ | unsucceeded)
        .then(pl.col("meaning"))
        .when(has_id & by_symbol)
        .then(pl.lit("identifier not known; by its symbol"))
        .when(has_id & ~known)
        .then(pl.lit("identifier not known"))
        .when(by_symbol & pl.col("status_by_symbol").is_null())
        .then(unfound)
        .otherwise(chosen("note")),
    )


def _beside(rows: pl.DataFrame) -> pl.DataFrame:
    """Add what the symbols mean by themselves, and whether each does so to the letter and for one gene."""
    found = with_symbols(look_up_labels(rows["symbol"]))
    is_sole = pl.col("gene_id").is_not_null()
    named = pl.format("'{}' is {} of {}", "key", "method", pl.coalesce("gene_symbol", "gene_id"))
    meaning = pl.concat_str(named, "note", separator="; ", ignore_nulls=True)
    found = found.with_columns(
        is_exact=is_sole & pl.col("method").is_in(_EXACT), meaning=pl.when(is_sole).then(meaning)
    )
    return rows.join(found, left_on="symbol", right_on="key", how="left", suffix="_by_symbol").with_columns(
        pl.col("is_exact").fill_null(value=False)
    )


def _of_mouse(rows: pl.DataFrame, *, translate: bool) -> pl.DataFrame:
    keyed = rows.with_columns(key=pl.coalesce("id", "symbol"))
    found = keyed.join(look_up_mouse(keyed["key"]), on="key", how="left")
    translated = pl.col("gene_id").is_not_null() if translate else pl.lit(value=False)
    return found.with_columns(
        status=pl.when(translated).then(pl.lit("ortholog")).otherwise(pl.lit("unmapped")),
        method=pl.col("homology"),
        confidence=pl.when(translated).then(pl.col("confidence")),
        gene_id=pl.when(translated).then(pl.col("gene_id")),
        candidates=pl.col("candidates").fill_null(NO_GENES),
        note=pl.when(translated)
        .then(pl.lit("translated from mouse"))
        .when(pl.col("homology").is_null())
        .then(pl.lit("mouse gene without known human ortholog"))
        .otherwise(pl.lit("mouse gene; candidates are its human orthologs")),
    )


def _of_several(rows: pl.DataFrame) -> pl.DataFrame:
    """Join the candidates of the parts of a text such as ``DDR1 /// MIR4640``."""
    parts = rows.select("row", part=pl.col("normalised").str.split("//")).explode("part")
    parts = parts.with_columns(part=pl.col("part").str.strip_chars("/ ")).filter(pl.col("part") != "")
    found = pl.concat([look_up_ids(parts["part"]), look_up_labels(parts["part"])]).select("key", "candidates")
    genes = parts.join(found, left_on="part", right_on="key").explode("candidates")
    genes = genes.group_by("row").agg(pl.col("candidates").drop_nulls().unique().sort())
    return rows.join(genes, on="row", how="left").with_columns(
        status=pl.lit("ambiguous"),
        method=pl.lit("several_genes"),
        confidence=pl.lit(None, pl.String),
        gene_id=pl.lit(None, pl.String),
        candidates=pl.col("candidates").fill_null(NO_GENES),
        note=pl.lit("the source names several genes"),
    )


def _without_lookup(rows: pl.DataFrame) -> pl.DataFrame:
    status = {kind: status for kind, (status, _) in _WITHOUT_LOOKUP.items()}
    note = {kind: note for kind, (_, note) in _WITHOUT_LOOKUP.items()}
    return rows.with_columns(
        status=pl.col("id_kind").replace_strict(status, return_dtype=pl.String),
        method=pl.lit("notation"),
        confidence=pl.lit(None, pl.String),
        gene_id=pl.lit(None, pl.String),
        candidates=NO_GENES,
        note=pl.col("id_kind").replace_strict(note, return_dtype=pl.String),
    )
