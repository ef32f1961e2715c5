"""Look identifiers and labels up in the gene reference, tier by tier.

Every function takes distinct keys and returns one row per key it can say something about: ``status``, ``method``,
``confidence``, ``gene_id`` (null unless exactly one gene is meant), ``candidates`` and ``note``.
"""

from __future__ import annotations

import polars as pl

from ingest import reference
from ingest.harmonise.gene_notation import NO_VALUE, is_mouse_cased

_LABEL_VERDICTS = {
    "approved": ("approved", "high"),
    "previous": ("previous", "high"),
    "withdrawn": ("retired_replaced", "high"),
    "alias": ("alias", "medium"),
    "gencode_name": ("gencode_name", "high"),
    "historic_name": ("historic_name", "medium"),
    "retired_name": ("retired_no_successor", "high"),
}
_STATUS_OF_KIND = {kind: status for kind, (status, _) in _LABEL_VERDICTS.items()}
_CONFIDENCE_OF_KIND = {kind: confidence for kind, (_, confidence) in _LABEL_VERDICTS.items()}
_SUFFIX_BASES = ("approved", "previous", "gencode_name", "historic_name")

_NAMES = ("gencode_name", "historic_name")

_NOTED = 5

NO_GENES = pl.lit([], pl.List(pl.String))
VERDICT = ("key", "status", "method", "confidence", "gene_id", "candidates", "note")
_NONE_FOUND = pl.DataFrame(
    schema={name: pl.List(pl.String) if name == "candidates" else pl.String() for name in VERDICT}
)


@reference.cached
def _ids() -> pl.DataFrame:
    """Every identifier, current or not: key, status, method, confidence, gene_id."""
    genes = reference.table("gene")
    current = [
        genes.select(pl.col(column).alias("key"), "gene_id", method=pl.lit(method)).drop_nulls("key")
        for column, method in (("gene_id", "gene_id"), ("hgnc_id", "hgnc_id"), ("entrez_id", "entrez_id"))
    ]
    known = pl.concat(current).unique("key", keep="first", maintain_order=True)
    has_successor = pl.col("gene_id").is_not_null()
    retired = reference.table("gene_retired").select(
        pl.col("retired_id").alias("key"),
        pl.when(has_successor & (pl.col("kind") == "alt_locus"))
        .then(pl.lit("alt_locus"))
        .when(has_successor)
        .then(pl.lit("retired_replaced"))
        .otherwise(pl.lit("retired_no_successor"))
        .alias("status"),
        pl.coalesce("method", "kind").alias("method"),
        pl.col("confidence").fill_null("high"),
        "gene_id",
    )
    known = known.with_columns(status=pl.lit("current"), confidence=pl.lit("high"))
    return pl.concat([known.select(retired.columns), retired]).sort("key", maintain_order=True)


@reference.cached
def _labels() -> pl.DataFrame:
    return reference.table("gene_label").drop("releases").sort("label", maintain_order=True)


@reference.cached
def _folded_labels() -> pl.DataFrame:
    return _labels().with_columns(folded=pl.col("label").str.to_uppercase()).sort("folded", maintain_order=True)


@reference.cached
def gene_symbols() -> pl.DataFrame:
    """Symbol of each gene: gene_id, gene_symbol."""
    return reference.table("gene").select("gene_id", "gene_symbol").sort("gene_id")


def _rows_of(keys: pl.Series, table: pl.DataFrame, column: str) -> pl.DataFrame:
    """Take the rows of some keys from a table that is sorted by them, by bisection: few of many are wanted."""
    wanted = keys.drop_nulls().unique().sort()
    if wanted.is_empty():
        return table.clear()
    first, end = (table[column].search_sorted(wanted, side=side) for side in ("left", "right"))
    found = pl.DataFrame({"first": first, "end": end}).filter(pl.col("first") < pl.col("end"))
    return table[found.select(pl.int_ranges("first", "end")).to_series().explode()] if found.height else table.clear()


def with_symbols(rows: pl.DataFrame) -> pl.DataFrame:
    """Add the symbol of each row's gene; of all genes, only those of the rows are joined."""
    genes = _rows_of(rows["gene_id"], gene_symbols(), "gene_id")
    if genes.is_empty():
        return rows.with_columns(gene_symbol=pl.lit(None, pl.String))
    return rows.join(genes, on="gene_id", how="left", maintain_order="left")


def look_up_ids(keys: pl.Series) -> pl.DataFrame:
    """Find Ensembl, HGNC and Entrez ids, current and retired."""
    found = _rows_of(keys, _ids(), "key")
    if found.is_empty():
        return _NONE_FOUND
    alone = pl.when(pl.col("gene_id").is_null()).then(NO_GENES).otherwise(pl.concat_list("gene_id"))
    return found.select(
        "key", "status", "method", "confidence", "gene_id", candidates=alone, note=pl.lit(None, pl.String)
    )


def look_up_labels(keys: pl.Series) -> pl.DataFrame:
    """Find symbols: exactly, then LOC numbers, then without regard to case, then without a numeric suffix."""
    left = keys.drop_nulls().unique()
    verdicts = []
    for tier in (_exact, _loc_number, _case_folded, _without_suffix):
        found = tier(left)
        verdicts.append(found.select(VERDICT))
        left = left.filter(~left.is_in(found["key"].implode()))
        if left.is_empty():
            break
    return pl.concat(verdicts)


def _exact(keys: pl.Series) -> pl.DataFrame:
    return _decide(_rows_of(keys, _labels(), "label").rename({"label": "key"}))


def _loc_number(keys: pl.Series) -> pl.DataFrame:
    """NCBI's placeholder symbol is 'LOC' and the Entrez id."""
    numbers = keys.to_frame("label").with_columns(number=pl.col("label").str.extract(r"^LOC(\d+)$")).drop_nulls()
    if numbers.is_empty():
        return _NONE_FOUND
    found = look_up_ids(numbers["number"]).rename({"key": "number"})
    return numbers.join(found, on="number").with_columns(pl.col("label").alias("key"), method=pl.lit("loc_entrez_id"))


def _case_folded(keys: pl.Series) -> pl.DataFrame:
    """Human symbols only: text cased as mouse symbols are is left alone."""
    human = keys.to_frame("key").filter(~is_mouse_cased(pl.col("key")))
    folded = human.with_columns(folded=pl.col("key").str.to_uppercase())
    found = _decide(_rows_of(folded["folded"], _folded_labels(), "folded").join(folded, on="folded"))
    return found.with_columns(
        status=pl.when(pl.col("gene_id").is_null()).then(pl.col("status")).otherwise(pl.lit("case_folded")),
        method=pl.lit("folded_") + pl.col("method"),
        confidence=pl.when(pl.col("gene_id").is_not_null()).then(pl.lit("medium")),
    )


def _without_suffix(keys: pl.Series) -> pl.DataFrame:
    """``TBCE-1``, ``TBCE.1``: made unique by a program, so possibly another gene of the same name; ``NA.1`` is none."""
    key = pl.col("written").str.extract(r"^(.+?)[-._]\d{1,2}$")
    parts = keys.to_frame("written").with_columns(key=key).drop_nulls().filter(~pl.col("key").is_in(NO_VALUE))
    if parts.is_empty():
        return _NONE_FOUND
    bases = _rows_of(parts["key"], _labels(), "label").filter(pl.col("kind").is_in(_SUFFIX_BASES))
    found = _decide(bases.rename({"label": "key"})).drop_nulls("gene_id")
    return parts.join(found, on="key").with_columns(
        key=pl.col("written"),
        status=pl.lit("suffix_flagged"),
        method=pl.lit("suffix_") + pl.col("method"),
        confidence=pl.lit("low"),
        note=pl.lit("numeric suffix set aside; may be another gene of that name"),
    )


def _decide(hits: pl.DataFrame) -> pl.DataFrame:
    """Choose by the most authoritative kind; several genes of that kind are ambiguous.

    An alias is no better than a name: where annotations gave it to another gene, it is ambiguous.
    """
    if hits.is_empty():
        return _NONE_FOUND
    best = pl.col("kind").min().over("key")
    ranked = (
        hits.with_columns(is_best=(pl.col("kind") == best) | ((best == "alias") & pl.col("kind").is_in(_NAMES)))
        .filter(pl.col("is_best") | (pl.col("kind") != "retired_name"))
        .sort("key", "kind", "gene_id")
        .unique(["key", "gene_id"], keep="first", maintain_order=True)
    )
    genes, is_retired = pl.col("gene_ids"), pl.col("method") == "retired_name"
    several = (pl.col("n_best") > 1) & ~is_retired
    verdicts = ranked.group_by("key", maintain_order=True).agg(
        pl.col("kind").first().cast(pl.String).alias("method"),
        pl.col("gene_id").alias("gene_ids"),
        pl.col("is_best").sum().alias("n_best"),
    )
    status = pl.col("method").replace_strict(_STATUS_OF_KIND, return_dtype=pl.String)
    confidence = pl.col("method").replace_strict(_CONFIDENCE_OF_KIND, return_dtype=pl.String)
    meanings = verdicts.join(_other_meanings(ranked), on="key", how="left")
    return meanings.with_columns(
        status=pl.when(several).then(pl.lit("ambiguous")).otherwise(status),
        confidence=pl.when(~several).then(confidence),
        gene_id=pl.when(~several & ~is_retired).then(genes.list.first()),
        candidates=pl.when(is_retired)
        .then(NO_GENES)
        .when(several)
        .then(genes.list.head(pl.col("n_best")))
        .otherwise(genes),
        note=pl.when(is_retired).then(pl.lit("a name of ") + genes.list.join(", ")).otherwise("note"),
    ).select(VERDICT)


def _other_meanings(hits: pl.DataFrame) -> pl.DataFrame:
    """Note the genes for which the label is of a less authoritative kind."""
    others = hits.filter(~pl.col("is_best"))
    if others.is_empty():
        return _NONE_FOUND.select("key", "note")
    named = with_symbols(others)
    meaning = pl.col("kind").cast(pl.String) + pl.lit(" of ") + pl.coalesce("gene_symbol", "gene_id")
    notes = named.group_by("key").agg(meaning.head(_NOTED).str.join(", ").alias("first"), pl.len().alias("n"))
    more = pl.when(pl.col("n") > _NOTED).then(pl.format(" and {} more", pl.col("n") - _NOTED)).otherwise(pl.lit(""))
    return notes.select("key", note=pl.lit("also ") + pl.col("first") + more)


def look_up_mouse(keys: pl.Series) -> pl.DataFrame:
    """Find the human orthologs of mouse ids and symbols: homology, confidence, gene_id (of sole pairs), candidates."""
    orthologs = reference.table("ortholog_human_mouse")
    wanted = keys.drop_nulls().unique().to_frame("key")
    hits = pl.concat(
        orthologs.join(wanted, left_on=column, right_on="key").select(
            pl.col(column).alias("key"), "gene_id", "homology", "is_high_confidence"
        )
        for column in ("mouse_gene_id", "mouse_symbol")
    )
    found = (
        hits.unique()
        .group_by("key")
        .agg(
            pl.col("homology").sort().first(),
            pl.col("gene_id").unique().sort().alias("candidates"),
            pl.when(pl.col("is_high_confidence").all())
            .then(pl.lit("high"))
            .otherwise(pl.lit("medium"))
            .alias("confidence"),
        )
    )
    is_sole = pl.col("homology").is_in(["one2one", "hcop"]) & (pl.col("candidates").list.len() == 1)
    return found.with_columns(gene_id=pl.when(is_sole).then(pl.col("candidates").list.first()))
