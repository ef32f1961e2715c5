"""The gene table and every label a gene has had, derived from HGNC, NCBI and seven annotation releases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from ingest.reference import sources

if TYPE_CHECKING:
    from ingest.reference.wheels import Wheelhouse

RELEASES = (*sources.ENSEMBL_TABLES, "gencode_44", "gencode_48")
"""Annotation releases, oldest first: bit i of a ``releases`` column is the i-th."""

LABEL_KINDS = ("approved", "previous", "withdrawn", "alias", "gencode_name", "historic_name", "retired_name")
"""What a label can be to a gene, most authoritative first."""

MANY_SOURCES = 3
"""Sources of HCOP that make a pair sure."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Every published table, read.

    Parameters
    ----------
    hgnc, hgnc_2024, cross_references, orthologs, hcop
        See ``ingest.reference.sources``.
    gencode_48
        The current annotation.
    annotations
        All ``RELEASES``, as far as published with columns ensembl_id, name, chromosome, symbol, entrez_ids.
    """

    hgnc: pl.DataFrame
    hgnc_2024: pl.DataFrame
    cross_references: pl.DataFrame
    gencode_48: pl.DataFrame
    annotations: dict[str, pl.DataFrame]
    orthologs: pl.DataFrame
    hcop: pl.DataFrame


def read_sources(wheels: Wheelhouse) -> Sources:
    """Read every table that the reference is made from."""
    gencode_48 = sources.read_gencode_48(wheels)
    annotations = {name: sources.read_ensembl(wheels, name) for name in sources.ENSEMBL_TABLES}
    return Sources(
        hgnc=sources.read_hgnc(wheels),
        hgnc_2024=sources.read_hgnc_2024(wheels),
        cross_references=sources.read_cross_references(wheels),
        gencode_48=gencode_48,
        annotations=annotations | {"gencode_44": sources.read_gencode_44(wheels), "gencode_48": gencode_48},
        orthologs=sources.read_orthologs(wheels),
        hcop=sources.read_hcop(wheels),
    )


def gene_table(published: Sources) -> pl.DataFrame:
    """One row per gene: HGNC's approved genes and those that only GENCODE 48 has.

    ``gene_id`` is the Ensembl id. Of several HGNC genes with one Ensembl id, the gene that GENCODE names so keeps it
    and the others are known by their HGNC id, as are genes without any. ``biotype`` is GENCODE's, else HGNC's.
    """
    current = published.gencode_48.rename({"biotype": "gencode_biotype"})
    linked = _link_by_name(published.hgnc, published.gencode_48)
    approved = (
        _without_shared_ids(linked, published.gencode_48)
        .join(current, on="ensembl_id", how="left")
        .select(
            pl.coalesce("ensembl_id", "hgnc_id").alias("gene_id"),
            pl.col("symbol").alias("gene_symbol"),
            "hgnc_id",
            pl.coalesce("gencode_biotype", "biotype").alias("biotype"),
            "chromosome",
            "ensembl_id",
        )
    )
    others = current.join(approved, on="ensembl_id", how="anti").select(
        pl.col("ensembl_id").alias("gene_id"),
        pl.col("name").alias("gene_symbol"),
        pl.col("gencode_biotype").alias("biotype"),
        "chromosome",
        "ensembl_id",
    )
    genes = pl.concat([approved, others], how="diagonal")
    return (
        genes.join(_older_chromosome(published), on="ensembl_id", how="left")
        .join(_entrez(published, genes), on="gene_id", how="left")
        .with_columns(pl.coalesce("chromosome", "older_chromosome"))
        .select("gene_id", "gene_symbol", "entrez_id", "hgnc_id", "biotype", "chromosome")
        .sort("gene_id")
    )


def _link_by_name(hgnc: pl.DataFrame, gencode: pl.DataFrame) -> pl.DataFrame:
    """Give an HGNC gene without Ensembl id the one that GENCODE calls by its symbol and no other gene has."""
    free = gencode.join(hgnc, on="ensembl_id", how="anti").filter(pl.col("name").is_not_null())
    named = free.filter(pl.col("name").is_unique()).select(symbol="name", named_id="ensembl_id")
    return (
        hgnc.join(named, on="symbol", how="left").with_columns(pl.coalesce("ensembl_id", "named_id")).drop("named_id")
    )


def _without_shared_ids(hgnc: pl.DataFrame, gencode: pl.DataFrame) -> pl.DataFrame:
    """Leave an Ensembl id that several HGNC genes share to the one GENCODE means, else to the oldest HGNC id."""
    number = pl.col("hgnc_id").str.extract(r"(\d+)$").cast(pl.Int64)
    named = hgnc.join(gencode.select("ensembl_id", "name"), on="ensembl_id", how="left")
    is_other = (pl.col("name") != pl.col("symbol")).fill_null(value=True)
    is_first = pl.struct(is_other, number).rank("ordinal").over("ensembl_id") == 1
    return named.with_columns(pl.when(is_first).then(pl.col("ensembl_id"))).drop("name")


def _older_chromosome(published: Sources) -> pl.DataFrame:
    places = [
        published.annotations[name].select("ensembl_id", "chromosome") for name in reversed(sources.ENSEMBL_TABLES)
    ]
    return (
        pl.concat(places)
        .filter(pl.col("chromosome").is_in(sources.CHROMOSOMES))
        .unique("ensembl_id", keep="first", maintain_order=True)
        .rename({"chromosome": "older_chromosome"})
    )


def _entrez(published: Sources, genes: pl.DataFrame) -> pl.DataFrame:
    """Find each gene's Entrez id: gene_id, entrez_id.

    HGNC's own first; then the only one filed under the HGNC id, once those of other genes are set aside; then the one
    that HGNC once, or an annotation, gave to the Ensembl id. No id for two genes, no gene with two.
    """
    then = published.hgnc_2024.filter(pl.col("status") == "Approved").select("hgnc_id", "ensembl_id", "entrez_id")
    filed = published.cross_references.explode("entrez_ids").rename({"entrez_ids": "entrez_id"})
    annotated = pl.concat(
        published.annotations[name].select("ensembl_id", "entrez_ids") for name in sources.ENSEMBL_TABLES
    )
    annotated = (
        annotated.filter(pl.col("entrez_ids").list.len() == 1).explode("entrez_ids").rename({"entrez_ids": "entrez_id"})
    )
    tiers = [
        then.join(genes, on="hgnc_id"),
        filed.join(genes, on="hgnc_id"),
        then.join(genes, on="ensembl_id"),
        annotated.join(genes, on="ensembl_id"),
    ]
    known = pl.DataFrame(schema={"gene_id": pl.String, "entrez_id": pl.String})
    for tier in tiers:
        pairs = tier.select("gene_id", "entrez_id").drop_nulls().unique()
        new = pairs.join(known, on="gene_id", how="anti").join(known, on="entrez_id", how="anti")
        known = pl.concat([known, new.filter(pl.col("gene_id").is_unique() & pl.col("entrez_id").is_unique())])
    return known


def label_table(published: Sources, genes: pl.DataFrame) -> pl.DataFrame:
    """One row per (label, gene) and the most authoritative kind the label has for it.

    ``releases`` has a bit for each annotation release that gave the label to the gene; 0 for none.
    """
    ids = genes.select("hgnc_id", "gene_id").drop_nulls()
    hgnc = published.hgnc.join(ids, on="hgnc_id")
    withdrawn = published.hgnc_2024.select(pl.col("successors").alias("hgnc_id"), pl.col("symbol").alias("label"))
    withdrawn = withdrawn.explode("hgnc_id").drop_nulls().join(ids, on="hgnc_id")
    then = published.hgnc_2024.filter(pl.col("status") == "Approved").join(ids, on="hgnc_id")
    then = then.select(pl.col("symbol").alias("label"), "gene_id")
    names = (
        annotation_names(published.annotations).rename({"ensembl_id": "gene_id"}).join(genes, on="gene_id", how="semi")
    )
    current = names.filter(pl.col("releases") >= 1 << RELEASES.index("gencode_48"))
    kinds = {
        "approved": hgnc.select(pl.col("symbol").alias("label"), "gene_id"),
        "previous": hgnc.explode("previous").select(pl.col("previous").alias("label"), "gene_id"),
        "withdrawn": withdrawn.select("label", "gene_id"),
        "alias": hgnc.explode("alias").select(pl.col("alias").alias("label"), "gene_id"),
        "gencode_name": current.select("label", "gene_id"),
        "historic_name": pl.concat([names.select("label", "gene_id"), then]),
    }
    rows = pl.concat(rows.with_columns(kind=pl.lit(kind)) for kind, rows in kinds.items()).drop_nulls()
    return _one_row_each(rows.join(names, on=["label", "gene_id"], how="left"))


def with_retired_names(labels: pl.DataFrame, retired: pl.DataFrame, published: Sources) -> pl.DataFrame:
    """Add the names of retired Ensembl ids, as historic names of their successor or, without one, retired names.

    A ``retired_name`` has the retired id for ``gene_id``. Successors that were found by name are left out, for they
    say nothing new; so are alternate loci, whose names are those of the gene they repeat.
    """
    names = annotation_names(published.annotations).rename({"ensembl_id": "retired_id"})
    named = names.join(retired.filter(pl.col("kind") == "retired"), on="retired_id")
    named = named.filter(pl.col("method").is_null() | (pl.col("method") != "name"))
    added = named.select(
        "label",
        pl.coalesce("gene_id", "retired_id").alias("gene_id"),
        pl.when(pl.col("gene_id").is_null())
        .then(pl.lit("retired_name"))
        .otherwise(pl.lit("historic_name"))
        .alias("kind"),
        "releases",
    )
    return _one_row_each(pl.concat([labels.with_columns(pl.col("kind").cast(pl.String)), added]))


def _one_row_each(rows: pl.DataFrame) -> pl.DataFrame:
    bits = pl.col("releases").fill_null(0)
    return (
        rows.with_columns(pl.col("kind").cast(pl.Enum(LABEL_KINDS)))
        .group_by("label", "gene_id")
        .agg(pl.col("kind").min(), bits.bitwise_or())
        .sort("label", "kind", "gene_id")
    )


def annotation_names(annotations: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """Names in the annotation releases: ensembl_id, label, releases (bits)."""
    return (
        pl.concat(
            table.select("ensembl_id", label="name", releases=pl.lit(1 << RELEASES.index(name), pl.UInt8))
            for name, table in annotations.items()
        )
        .drop_nulls()
        .filter(~pl.col("label").str.contains(r"^ENSG\d{11}"))
        .unique()
        .group_by("ensembl_id", "label")
        .agg(pl.col("releases").sum().cast(pl.UInt8))
    )


def release_table(annotations: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """Which annotation releases hold each Ensembl id: ensembl_id, releases (bits)."""
    return (
        pl.concat(
            table.select("ensembl_id", releases=pl.lit(1 << RELEASES.index(name), pl.UInt8)).unique()
            for name, table in annotations.items()
        )
        .group_by("ensembl_id")
        .agg(pl.col("releases").sum().cast(pl.UInt8))
        .sort("ensembl_id")
    )


def ortholog_table(published: Sources, genes: pl.DataFrame) -> pl.DataFrame:
    """Human-mouse orthologs whose human gene is current: Ensembl's, and HCOP's where Ensembl does not settle them.

    Those are mouse genes of which Ensembl has no human gene, or one gene alone that has several of the mouse.
    """
    ensembl = published.orthologs.join(genes, on="gene_id", how="semi").unique()
    hcop = _settled(published.hcop.join(genes, on="gene_id", how="semi"))
    for key in ("mouse_gene_id", "mouse_symbol"):
        others = hcop.join(ensembl.select(key, ensembl_id="gene_id"), on=key)
        hcop = hcop.join(others.filter(pl.col("gene_id") != pl.col("ensembl_id")), on="mouse_gene_id", how="anti")
    hcop = hcop.join(ensembl.filter(homology="one2one"), on="gene_id", how="anti")
    return pl.concat([ensembl, hcop.select(ensembl.columns)]).sort("mouse_gene_id", "gene_id")


def _settled(hcop: pl.DataFrame) -> pl.DataFrame:
    """Pairs that HGNC asserts, of which most sources tell, and more than of any other pair of either gene."""
    n = pl.col("sources").list.len()
    best = hcop.with_columns(n=n).filter(
        pl.col("n") == pl.col("n").max().over("mouse_gene_id"), pl.col("n") == pl.col("n").max().over("gene_id")
    )
    sole = (pl.len().over("mouse_gene_id") == 1) & (pl.len().over("gene_id") == 1)
    settled = best.filter(sole & pl.col("sources").list.contains("HGNC"))
    return settled.with_columns(homology=pl.lit("hcop"), is_high_confidence=pl.col("n") >= MANY_SOURCES)
