"""What became of identifiers that are not current: retired and alternate-locus Ensembl ids, withdrawn HGNC ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from ingest.reference.sources import CHROMOSOMES

if TYPE_CHECKING:
    from ingest.reference.tables import Sources

METHODS = {
    "hgnc_link": "high",
    "hgnc_2024": "high",
    "hgnc_2020": "high",
    "entrez": "medium",
    "name": "medium",
}
"""Evidence for the successor of an Ensembl id, strongest first, and the confidence it earns.

``hgnc_link``: the id is filed under the gene's HGNC id. ``hgnc_2024``, ``hgnc_2020``: HGNC linked it to the gene then.
``entrez``: annotations gave it the Entrez id of the gene. ``name``: they gave it the gene's name, on the same
chromosome where both are known.
"""

_ON_PATCH = r"^(CHR_)?H(G|SCHR)"
_PATCH_OF_CHROMOSOME = r"^(?:CHR_)?HSCHR(\d+|X|Y).*$"


def retired_table(published: Sources, genes: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """One row per identifier that is not current: retired_id, gene_id (or null), kind, method, confidence.

    Kinds are ``alt_locus`` (an Ensembl id on alternate haplotypes or patches only), ``retired`` (any other Ensembl
    id), ``hgnc_withdrawn`` and ``entrez_replaced``. Where the strongest evidence names several genes, there is no
    successor.
    """
    sightings = _sightings(published)
    ensembl = _retired_ensembl(sightings, published, genes)
    evidence = _evidence(sightings, published, genes, _unambiguous(labels)).join(ensembl, on="retired_id", how="semi")
    rows = pl.concat(
        [
            ensembl.join(_strongest(evidence), on="retired_id", how="left"),
            _withdrawn_hgnc(published, genes),
        ],
        how="diagonal",
    )
    return rows.select("retired_id", "gene_id", "kind", "method", "confidence").sort("retired_id")


def _sightings(published: Sources) -> pl.DataFrame:
    """Every Ensembl id in every annotation, with what was said of it there."""
    tables = pl.concat(published.annotations.values(), how="diagonal")
    return tables.select(pl.col("ensembl_id").alias("retired_id"), "name", "chromosome", "symbol", "entrez_ids")


def _retired_ensembl(sightings: pl.DataFrame, published: Sources, genes: pl.DataFrame) -> pl.DataFrame:
    filed = published.cross_references.select(pl.col("ensembl_ids").alias("retired_id")).explode("retired_id")
    linked = published.hgnc_2024.select(pl.col("ensembl_id").alias("retired_id"))
    seen = pl.concat([sightings.select("retired_id", "chromosome"), filed, linked], how="diagonal")
    on_patch = pl.col("chromosome").drop_nulls().str.contains(_ON_PATCH)
    return (
        seen.drop_nulls("retired_id")
        .join(genes, left_on="retired_id", right_on="gene_id", how="anti")
        .group_by("retired_id")
        .agg(on_patch.any().alias("any"), on_patch.all().alias("all"))
        .select(
            "retired_id",
            kind=pl.when(pl.col("any") & pl.col("all")).then(pl.lit("alt_locus")).otherwise(pl.lit("retired")),
        )
    )


def _evidence(sightings: pl.DataFrame, published: Sources, genes: pl.DataFrame, one_gene: pl.DataFrame) -> pl.DataFrame:
    """Every (retired_id, gene_id, method)."""
    ids = genes.select("hgnc_id", "gene_id").drop_nulls()
    filed = published.cross_references.explode("ensembl_ids").rename({"ensembl_ids": "retired_id"})
    numbered = sightings.explode("entrez_ids").drop_nulls("entrez_ids")
    evidence = {
        "hgnc_link": filed.join(ids, on="hgnc_id"),
        "hgnc_2024": published.hgnc_2024.rename({"ensembl_id": "retired_id"}).join(ids, on="hgnc_id"),
        "hgnc_2020": sightings.join(one_gene, left_on="symbol", right_on="label"),
        "entrez": numbered.join(genes, left_on="entrez_ids", right_on="entrez_id"),
        "name": _on_same_chromosome(sightings.join(one_gene, left_on="name", right_on="label"), genes),
    }
    rows = pl.concat(evidence[method].select("retired_id", "gene_id", method=pl.lit(method)) for method in METHODS)
    return rows.drop_nulls().unique()


def _unambiguous(labels: pl.DataFrame) -> pl.DataFrame:
    """Labels that are one gene's symbol, else one gene's previous symbol or current annotation name."""
    official = labels.filter(pl.col("kind").is_in(["approved", "previous", "withdrawn", "gencode_name"]))
    best = official.filter(pl.col("kind").to_physical() == pl.col("kind").to_physical().min().over("label"))
    return best.filter(pl.col("label").is_unique()).select("label", "gene_id")


def _on_same_chromosome(named: pl.DataFrame, genes: pl.DataFrame) -> pl.DataFrame:
    there = pl.col("chromosome").str.replace(_PATCH_OF_CHROMOSOME, "${1}")
    homes = genes.select("gene_id", home="chromosome")
    placed = named.with_columns(pl.when(there.is_in(CHROMOSOMES)).then(there).alias("chromosome"))
    placed = placed.join(homes, on="gene_id", how="left")
    return placed.filter((pl.col("chromosome") == pl.col("home")).fill_null(value=True))


def _strongest(evidence: pl.DataFrame) -> pl.DataFrame:
    rank = pl.col("method").replace_strict({method: rank for rank, method in enumerate(METHODS)})
    best = evidence.filter(rank == rank.min().over("retired_id"))
    return best.filter(pl.col("retired_id").is_unique()).with_columns(
        confidence=pl.col("method").replace_strict(METHODS)
    )


def _withdrawn_hgnc(published: Sources, genes: pl.DataFrame) -> pl.DataFrame:
    """HGNC ids of 2024 or before that are gone: to the gene HGNC named, else to the gene of their Ensembl id."""
    ids = genes.select("hgnc_id", "gene_id").drop_nulls()
    gone = published.hgnc_2024.join(ids, on="hgnc_id", how="anti").select(
        pl.col("hgnc_id").alias("retired_id"), "ensembl_id", "successors", kind=pl.lit("hgnc_withdrawn")
    )
    only = gone.filter(pl.col("successors").list.len() == 1).explode("successors")
    named = only.join(ids, left_on="successors", right_on="hgnc_id").with_columns(method=pl.lit("hgnc_withdrawal"))
    linked = gone.join(genes, left_on="ensembl_id", right_on="gene_id", how="semi")
    linked = linked.with_columns(pl.col("ensembl_id").alias("gene_id"), method=pl.lit("hgnc_2024"))
    known = pl.concat(frame.select("retired_id", "gene_id", "method") for frame in (named, linked))
    known = known.with_columns(confidence=pl.lit("high"))
    return gone.select("retired_id", "kind").join(known, on="retired_id", how="left")
