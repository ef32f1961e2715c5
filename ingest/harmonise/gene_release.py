"""Tell from a list of identifiers in which notation it is written and which annotation release it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from ingest import reference
from ingest.harmonise.gene_notation import is_mouse_cased, parse_notation
from ingest.harmonise.r_names import undo_r_names

KINDS = (
    "ensembl", "entrez", "hgnc", "symbol", "symbol_ensembl", "symbol_entrez", "probe", "mouse_ensembl", "mouse_symbol",
    "row_number",
)  # fmt: skip
"""Notations that a whole list can be in."""

_MIN_RUN = 10
"""Fewest consecutive numbers that are row numbers rather than Entrez ids."""


@dataclass(frozen=True, slots=True)
class DetectedKind:
    """The notation of a list, and why.

    Parameters
    ----------
    kind
        One of ``KINDS``; ``unknown`` for an empty list or one of non-genes.
    share
        Part of the list, missing ones not counted, that is in this notation.
    evidence
        One sentence with numbers.
    """

    kind: str
    share: float
    evidence: str


def detect_kind(ids: Sequence[str | None] | pl.Series) -> DetectedKind:
    """Find the notation that most identifiers are in.

    Examples
    --------
    >>> detect_kind(["7157", "672", "ERCC-00002"]).kind
    'entrez'
    """
    undone = undo_r_names(pl.Series(ids, dtype=pl.String))
    found = kind_of(parse_notation(undone.names))
    return replace(found, evidence=f"{found.evidence}, as R rewrites names") if undone.is_of_r else found


def kind_of(rows: pl.DataFrame) -> DetectedKind:
    """Do the same for a list that ``parse_notation`` has read."""
    present = rows.filter(pl.col("id_kind") != "missing")
    genes = present.filter(pl.col("id_kind").is_in(KINDS))
    if genes.is_empty():
        return DetectedKind("unknown", 0.0, f"none of {rows.height:,} texts is written as a gene is")
    counted = genes["id_kind"].value_counts().sort("count", "id_kind", descending=[True, False])
    kind, count = counted.row(0)
    of_kind = genes.filter(pl.col("id_kind") == kind)
    evidence = f"{count:,} of {present.height:,} are written as {kind}"
    if kind == "entrez" and _is_run(of_kind["id"]):
        return DetectedKind("row_number", count / present.height, f"{count:,} consecutive numbers")
    if kind == "symbol":
        mouse = of_kind.filter(is_mouse_cased(pl.col("symbol"))).height
        if 2 * mouse > count:
            return DetectedKind(
                "mouse_symbol", mouse / present.height, f"{mouse:,} of {count:,} symbols are cased as mouse symbols"
            )
    return DetectedKind(kind, count / present.height, evidence)


def _is_run(numbers: pl.Series) -> bool:
    values = numbers.cast(pl.Int64, strict=False).drop_nulls()
    low, high = values.min(), values.max()
    if not isinstance(low, int) or not isinstance(high, int) or len(values) < _MIN_RUN:
        return False
    return values.n_unique() == len(values) == high - low + 1


def best_release(ids: Sequence[str | None] | pl.Series) -> pl.DataFrame:
    """Rank the annotation releases by how many of the identifiers they hold.

    Ensembl ids are looked for among a release's ids, symbols among its names; other notations tell nothing.

    Returns
    -------
    Columns release, n_ids (distinct identifiers that could tell), n_found, coverage (0 to 1), best first; of two
    releases that hold the same number, the smaller. Empty if no identifier can tell.
    """
    rows = parse_notation(undo_r_names(pl.Series(ids, dtype=pl.String)).names)
    keys = pl.concat(
        [
            rows["id"].filter(rows["id_kind"].is_in(["ensembl", "symbol_ensembl"])),
            rows["symbol"].filter(rows["id_kind"] == "symbol"),
        ]
    )
    wanted = keys.drop_nulls().unique().to_frame("key")
    known = pl.concat(
        [
            reference.table("gene_release").select(pl.col("ensembl_id").alias("key"), "releases"),
            reference.table("gene_label").select(pl.col("label").alias("key"), "releases"),
        ]
    ).filter(pl.col("releases") > 0)
    bits = wanted.join(known, on="key").group_by("key").agg(pl.col("releases").bitwise_or())["releases"]
    found = [
        (
            release,
            wanted.height,
            int(((bits & (1 << bit)) > 0).sum()),
            int(((known["releases"] & (1 << bit)) > 0).sum()),
        )
        for bit, release in enumerate(reference.manifest()["annotation_releases"])
    ]
    ranking = pl.DataFrame(found, schema=["release", "n_ids", "n_found", "size"], orient="row")
    ranking = ranking.with_columns(coverage=pl.col("n_found") / pl.col("n_ids")).filter(pl.col("n_found") > 0)
    return ranking.sort("n_found", "size", "release", descending=[True, False, False]).drop("size")
