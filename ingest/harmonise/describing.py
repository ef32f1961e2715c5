"""Columns of numbers that are no genes, among columns that are: ``total_reads``, ``dose``, ``percent.mito``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import polars as pl

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


@lru_cache(maxsize=8)
def _describing(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        return ()
    mapping = map_genes(list(names))
    is_mouse = mapping.kind == "mouse_symbol"
    name, status, kind = pl.col("original"), pl.col("status"), pl.col("id_kind")
    is_word = name.str.to_lowercase().is_in(list(WORDS)) | name.str.contains(COMPONENT)
    is_word &= ~status.is_in(["approved", "current"])
    is_unknown = status.is_in(["unmapped", "case_folded"]) & kind.is_in(["symbol", "missing"])
    is_id = name.str.contains(r"^[A-Z][A-Za-z0-9.-]*$") if is_mouse else name.str.contains(WRITTEN_AS_A_GENE)
    describes = (is_word | (is_unknown & ~is_id)).fill_null(value=True)
    found = mapping.table.select("original", describes=describes)
    n_genes = found.filter(~pl.col("describes"), mapping.table["status"] != "suffix_flagged").height
    if n_genes < max(FEWEST_GENES, MOST_ARE_GENES * found.height):
        return ()
    return tuple(found.filter("describes")["original"].drop_nulls())
