"""Decide ambiguous names by what surrounds them: the release the list comes from, and the rest of the list.

A separate pass, for it makes the answer for one name depend on others. Three rules, in this order:

``list_release``
    The annotation release that the list fits gave the name to one of the candidates only. Thousands of clone names
    (``AC011195.2``) moved from one gene to another between releases, so without it there is no telling.
``others_claimed``
    All candidates but one are the genes of other rows.
``annotation_history``
    Every annotation release that used the name gave it to the same candidate.
"""

from __future__ import annotations

import polars as pl

from ingest import reference
from ingest.harmonise.gene_lookup import with_symbols
from ingest.harmonise.gene_mapping import GeneMapping
from ingest.harmonise.gene_release import best_release

_MIN_IDS = 500
_MIN_COVERAGE = 0.9
"""A list of fewer identifiers, or of which a release holds less, does not tell its release."""


def decide_by_context(mapping: GeneMapping, *, release: str | None = None, each_gene_once: bool = True) -> GeneMapping:
    """Map what context decides; such rows get the status ``context`` and keep all candidates.

    Parameters
    ----------
    mapping
        The list.
    release
        Its annotation release, one of the manifest's ``annotation_releases``, where known; else the one that holds
        most of the list, if it is long enough and holds nearly all.
    each_gene_once
        Whether each gene occurs once in the list, as in the genes of one matrix; else ``others_claimed`` is not sound,
        and not used.
    """
    table = mapping.table.with_row_index("row")
    doubtful = table.filter((pl.col("status") == "ambiguous") & (pl.col("method") != "several_genes"))
    if doubtful.is_empty():
        return mapping
    options = doubtful.select("row", "normalised", pl.col("candidates").alias("gene_id")).explode("gene_id")
    names = reference.table("gene_label").select(pl.col("label").alias("normalised"), "gene_id", "releases")
    names = names.filter(pl.col("releases") > 0)
    bit = _release_bit(release or _detected_release(table["normalised"]))
    rules = {
        "list_release": options.join(
            _sole_bearers(names.filter(pl.col("releases") & bit > 0)), on=["normalised", "gene_id"]
        ),
        "others_claimed": options.join(mapping.mapped, on="gene_id", how="anti"),
        "annotation_history": options.join(_sole_bearers(names), on=["normalised", "gene_id"]),
    }
    if not each_gene_once:
        del rules["others_claimed"]
    decided = pl.concat(
        rows.filter(pl.col("row").is_unique()).select("row", "gene_id", method=pl.lit(rule))
        for rule, rows in rules.items()
    ).unique("row", keep="first", maintain_order=True)
    return _with_decisions(mapping, table, with_symbols(decided))


def _detected_release(normalised: pl.Series) -> str | None:
    ranking = best_release(normalised)
    telling = ranking.filter((pl.col("n_ids") >= _MIN_IDS) & (pl.col("coverage") >= _MIN_COVERAGE))
    return None if telling.is_empty() else str(telling["release"][0])


def _release_bit(release: str | None) -> int:
    releases = reference.manifest()["annotation_releases"]
    return 0 if release is None else 1 << releases.index(release)


def _sole_bearers(names: pl.DataFrame) -> pl.DataFrame:
    """Keep names that one gene alone bore."""
    return names.filter(pl.col("normalised").is_unique()).select("normalised", "gene_id")


def _with_decisions(mapping: GeneMapping, table: pl.DataFrame, decided: pl.DataFrame) -> GeneMapping:
    merged = table.join(decided, on="row", how="left", suffix="_found", maintain_order="left")
    is_decided = pl.when(pl.col("gene_id_found").is_not_null())
    return mapping.with_table(
        merged.with_columns(
            status=is_decided.then(pl.lit("context")).otherwise("status"),
            confidence=is_decided.then(pl.lit("medium")).otherwise("confidence"),
            method=pl.coalesce("method_found", "method"),
            gene_id=pl.coalesce("gene_id_found", "gene_id"),
            gene_symbol=pl.coalesce("gene_symbol_found", "gene_symbol"),
        )
    )
