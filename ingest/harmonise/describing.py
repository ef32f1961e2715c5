"""Columns of numbers that are no genes, among columns that are: ``total_reads``, ``dose``, ``percent.mito``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import polars as pl

from ingest.harmonise.gene_notation import TOTAL
from ingest.harmonise.genes import map_genes

MOST_ARE_GENES = 0.5
FEWEST_GENES = 3
WRITTEN_AS_A_GENE = r"^(?:[A-Z0-9]+(?:[-.@][A-Z0-9]+)*|C(?:\d+|X|Y)orf\d+[A-Z]*|LOC\d+|[A-Z0-9]+\.\d+-\d+(?:\.\d+)?)$"
"""Capitals and digits; what else is no known name of a gene describes."""
WORDS = frozenset({
    "age", "ages", "batch", "bmi", "cells", "conc", "concentration", "count", "counts", "day", "days", "depth", "donor",
    "dose", "doses", "dv200", "gender", "hour", "hours", "hrs", "id", "index", "lane", "minutes", "moi", "n",
    "ncells", "ng", "passage", "ph", "phase", "plate", "pmi", "qc", "reads", "rep", "replicate", "rin", "row", "run",
    "sample", "score", "sex", "site", "size", "time", "timepoint", "tin", "total", "umi", "umis", "viability", "weight",
    "well", "year",
})  # fmt: skip
"""Words that describe a sample in any case, though some are names that a gene once had."""
AT_THE_EDGE = frozenset({"t", "h", "p", "y", "c", "n", "temp", "end", "mt", "mass"})
"""Further such words, but only before all genes or after them: among genes, ``T`` is TBXT of an older annotation."""
COMPONENT = r"(?i)^(?:pc|umap|tsne|lsi|harmony)[-_. ]?\d+$"
"""Coordinates of a sample, such as ``PC_1``, which is no second PC."""


def describing(names: Sequence[str]) -> list[str]:
    """Find the names that are no genes where most others are; none in a list that is not one of genes.

    Examples
    --------
    >>> describing(["total_reads", "TP53", "MYC", "STAT1", "RIN", "AC004593.3"])
    ['total_reads', 'RIN']
    """
    return list(_describing(tuple(names)))


def is_gene_among(name: str, others: Sequence[str]) -> bool:
    """Say whether a name is that of a gene, as most others are.

    Examples
    --------
    >>> is_gene_among("STAT1", ["TP53", "MYC", "JAK2"]), is_gene_among("cell", ["TP53", "MYC", "JAK2"])
    (True, False)
    """
    nameless = ""
    found = describing([nameless, name, *others])
    return nameless in found and name not in found


@lru_cache(maxsize=8)
def _describing(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        return ()
    mapping = map_genes(list(names))
    is_mouse = mapping.kind == "mouse_symbol"
    name, status, kind = pl.col("original"), pl.col("status"), pl.col("id_kind")
    is_word = name.str.to_lowercase().is_in(list(WORDS)) | name.str.contains(f"{COMPONENT}|^{TOTAL}$")
    is_word &= ~status.is_in(["approved", "current"])
    is_unknown = status.is_in(["unmapped", "case_folded"]) & kind.is_in(["symbol", "missing"])
    is_id = name.str.contains(r"^[A-Z][A-Za-z0-9.-]*$") if is_mouse else name.str.contains(WRITTEN_AS_A_GENE)
    is_id |= name.str.replace_all("_", "-").is_in(_with_hyphens(names))
    describes = (is_word | (is_unknown & ~is_id)).fill_null(value=True)
    found = mapping.table.select("original", describes=describes)
    n_genes = found.filter(~pl.col("describes"), mapping.table["status"] != "suffix_flagged").height
    if n_genes < max(FEWEST_GENES, MOST_ARE_GENES * found.height):
        return ()
    may_be = name.str.to_lowercase().is_in(list(AT_THE_EDGE)) & ~status.is_in(["approved", "current"])
    is_at_edge = _at_edge(found["describes"] | mapping.table.select(may_be).to_series())
    found = found.with_columns(pl.col("describes") | pl.lit(is_at_edge))
    return tuple(found.filter("describes")["original"].drop_nulls())


def _with_hyphens(names: Sequence[str]) -> list[str]:
    """Return the genes that names are, had their hyphens not become underscores: ``HLA_A``."""
    written = [name.replace("_", "-") for name in names if name and "_" in name]
    table = map_genes(written).table if written else None
    return [] if table is None else table.filter(pl.col("status").is_in(["approved", "previous"]))["original"].to_list()


def _at_edge(may_describe: pl.Series) -> pl.Series:
    """Say which places lie before the first name that cannot describe, or after the last."""
    cannot = ~may_describe
    return (cannot.cum_sum() == 0) | (cannot.cum_sum(reverse=True) == 0)
