"""Map published gene identifiers of any notation to current genes, and say how.

An identifier beats the symbol beside it; where they disagree the row is a ``conflict`` that keeps the identifier's
gene. Nothing is guessed: what could mean several genes has none, and dates made by spreadsheets stay dates.

>>> map_genes(["TP53", "ENSG00000141510.18", "QARS"]).table.select("original", "status", "gene_symbol").rows()
[('TP53', 'approved', 'TP53'), ('ENSG00000141510.18', 'current', 'TP53'), ('QARS', 'ambiguous', None)]
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import polars as pl

from featurestore.errors import HarmonisationError, did_you_mean
from ingest.harmonise.gene_axis import CollapsedGenes, collapse
from ingest.harmonise.gene_context import decide_by_context
from ingest.harmonise.gene_decision import decide
from ingest.harmonise.gene_mapping import STATUSES, GeneMapping
from ingest.harmonise.gene_notation import NO_VALUE, parse_notation
from ingest.harmonise.gene_release import KINDS, DetectedKind, best_release, detect_kind, kind_of
from ingest.harmonise.r_names import Undone, undo_r_names

__all__ = [
    "KINDS",
    "STATUSES",
    "CollapsedGenes",
    "DetectedKind",
    "GeneMapping",
    "best_release",
    "collapse",
    "decide_by_context",
    "detect_kind",
    "map_genes",
    "map_targets",
]

PublishedNames = str | Sequence[object] | pl.Series

_PROBE_COLUMNS = ("probe", "id", "symbol")


def map_genes(
    ids: PublishedNames,
    *,
    symbols: PublishedNames | None = None,
    kind: str | None = None,
    probe_table: pl.DataFrame | None = None,
    translate_mouse: bool = False,
    undo_r: bool = True,
) -> GeneMapping:
    """Map identifiers to genes, one row per identifier.

    Parameters
    ----------
    ids
        Identifiers in any mixture of notations, numbers among them; None or NaN where missing. A text is one
        identifier, not its letters.
    symbols
        Symbols published beside them, of the same length.
    kind
        One of ``KINDS`` where it is known, else detected. It settles what single texts cannot: whether bare numbers
        are Entrez ids, and whether symbols are of the mouse.
    probe_table
        The platform's own table, for lists of probes: columns probe, id, symbol (either may be null).
    translate_mouse
        Map mouse genes that have exactly one human ortholog, and are its only one, to it; else they are unmapped.
    undo_r
        Whether the texts may be names of columns that R rewrote, ``HLA.A`` for ``HLA-A``, as the whole list tells.

    Raises
    ------
    HarmonisationError
        ``symbols`` is of another length, ``kind`` is unknown, or ``probe_table`` lacks a column.
    """
    originals = _texts("original", ids)
    beside = _texts("symbol", [None] * len(originals) if symbols is None else symbols)
    _check(originals, beside, kind, probe_table)
    undone = undo_r_names(originals) if undo_r else None
    texts = originals if undone is None else undone.names
    rows = parse_notation(texts)
    if probe_table is not None:
        rows = _through_probes(rows, probe_table)
    rows = _with_symbols(rows, beside)
    list_kind = kind or kind_of(rows).kind
    verdicts = decide(
        _settle_numbers(rows, texts, list_kind),
        is_mouse=list_kind == "mouse_symbol",
        translate_mouse=translate_mouse,
    )
    paired = pl.when(rows["id"].is_not_null() | beside.is_not_null()).then(pl.coalesce(beside, rows["symbol"]))
    table = verdicts.with_columns(originals, paired.alias("original_symbol"))
    if undone is not None:
        table = _telling_r(table, undone)
    return GeneMapping(table, list_kind).with_table(table)


def map_targets(labels: Sequence[str], *, translate_mouse: bool = False) -> GeneMapping:
    """Map perturbation labels, one gene each, to genes; split combinations before.

    Labels of reference cells get the status ``control``; guide numbers (``ZAP70_1``) are flagged as suffixes.
    """
    return map_genes(labels, translate_mouse=translate_mouse, undo_r=False)


def _telling_r(table: pl.DataFrame, undone: Undone) -> pl.DataFrame:
    """Note what R rewrote, and map none of the names of which the list does not tell whether it did."""
    before = undone.names.fill_null("").alias("before")
    remark = pl.when(before != pl.col("original")).then(pl.format("R's name of '{}'", before))
    note = pl.concat_str("note", remark, separator="; ", ignore_nulls=True)
    told = table.with_columns(note=pl.when(pl.col("note").is_not_null() | remark.is_not_null()).then(note))
    told = told.join(undone.doubtful, left_on="original", right_on="name", how="left", maintain_order="left")
    open_ = pl.col("rivals").is_not_null()
    return told.with_columns(
        status=pl.when(open_).then(pl.lit("ambiguous")).otherwise("status"),
        confidence=pl.when(~open_).then("confidence"),
        gene_id=pl.when(~open_).then("gene_id"),
        gene_symbol=pl.when(~open_).then("gene_symbol"),
        candidates=pl.coalesce("rivals", "candidates"),
        note=pl.when(open_).then(pl.lit("R's name of one gene, and a label of another")).otherwise("note"),
    )


def _texts(name: str, labels: PublishedNames) -> pl.Series:
    """Write labels as text, those that are missing, by the conventions of any library, as null."""
    values = [labels] if isinstance(labels, str) else labels
    with suppress(TypeError, ValueError):  # labels of several types
        column = pl.Series(name, values)
        if column.dtype != pl.Object:
            return (column.fill_nan(None) if column.dtype.is_float() else column).cast(pl.String)
    texts = [str(value) for value in values]
    return pl.Series(name, [None if text in NO_VALUE else text for text in texts], dtype=pl.String)


def _check(originals: pl.Series, beside: pl.Series, kind: str | None, probes: pl.DataFrame | None) -> None:
    if len(beside) != len(originals):
        raise HarmonisationError(
            "Symbols and identifiers are not of one length.",
            expected=f"{len(originals):,} symbols",
            got=f"{len(beside):,}",
        )
    if kind is not None and kind not in KINDS:
        raise HarmonisationError(
            "The kind of gene identifier is unknown.",
            where="kind, under [genes] of a spec",
            got=repr(kind),
            do=did_you_mean(kind, KINDS),
        )
    if probes is not None and (missing := set(_PROBE_COLUMNS) - set(probes.columns)):
        raise HarmonisationError(
            "The probe table lacks columns.",
            expected=", ".join(_PROBE_COLUMNS),
            got=f"missing: {', '.join(sorted(missing))}",
        )


def _through_probes(rows: pl.DataFrame, probes: pl.DataFrame) -> pl.DataFrame:
    """Replace probes by what the platform's table says of them; a probe that it lists twice stays a probe."""
    table = probes.select(pl.col(name).cast(pl.String) for name in _PROBE_COLUMNS).unique("probe", keep="none")
    listed = rows.select("normalised").join(
        table.select("probe", "id", pl.col("symbol").alias("beside")),
        left_on="normalised",
        right_on="probe",
        how="left",
        maintain_order="left",
    )
    named = _with_symbols(parse_notation(listed["id"]), listed["beside"])
    is_listed = (named["id_kind"] != "missing").alias("is_listed")
    columns = [pl.when(is_listed).then(named[name]).otherwise(rows[name]).alias(name) for name in rows.columns]
    return rows.select(columns)


def _with_symbols(rows: pl.DataFrame, beside: pl.Series) -> pl.DataFrame:
    """Add the symbols published beside identifiers; one that stands alone is the identifier."""
    if beside.null_count() == len(beside):
        return rows
    parsed = parse_notation(beside)
    given = pl.when(parsed["id_kind"] == "symbol").then(parsed["symbol"])
    alone = (pl.col("id_kind") == "missing") & given.is_not_null()
    return rows.with_columns(
        id_kind=pl.when(alone).then(pl.lit("symbol")).otherwise("id_kind"),
        symbol=pl.coalesce("symbol", given),
        normalised=pl.when(alone).then(given).otherwise("normalised"),
    )


def _settle_numbers(rows: pl.DataFrame, originals: pl.Series, list_kind: str) -> pl.DataFrame:
    """Take bare numbers for what the list as a whole says they are; ``Entrez:7157`` says it itself."""
    reading = {"row_number": "row_number", "symbol": "lone_number", "mouse_symbol": "lone_number"}.get(list_kind)
    if reading is None:
        return rows
    is_bare = originals.str.strip_chars().str.contains(r"^[\d.]+$").fill_null(value=False)
    settled = pl.col("id_kind").replace({"entrez": reading})
    return rows.with_columns(pl.when(is_bare).then(settled).otherwise("id_kind").alias("id_kind"))
