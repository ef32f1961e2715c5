"""Bring identifiers of any kind to the warehouse's own: genes by its reference tables, compounds by its compounds.

A gene is named by Ensembl id (with or without version, retired or not), HGNC accession, Entrez number or symbol; of
symbols an approved one wins, then a previous one, then an alias, and one that could mean two genes is left unmapped.
A compound is named by its id, or by any name or accession that a dataset of the snapshot gives it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from featurestore.features.compound_graph import compound_graph
from featurestore.features.perturbations import parts_of
from featurestore.storage.snapshot import REFERENCES

if TYPE_CHECKING:
    from featurestore.query.warehouse import Warehouse

_VERSION = r"^(ENS[A-Z]*G\d+)\.\d+$"
_KINDS = ("gene id", "HGNC accession", "Entrez id", "approved symbol", "retired id", "previous symbol", "alias")
_COMPOUND_KINDS = ("compound id", "compound name")
MAPPED, AMBIGUOUS, UNMAPPED = "mapped", "ambiguous", "unmapped"
_LABELS = (
    "select distinct original as name, target_id as compound_id from mapping where entity = 'compound' "
    "and target_id is not null and (note is null or not contains(note, 'read as'))"
)
"""What datasets call their compounds; of a component of a combination, the label names others too."""
_STATUS = pl.Enum([MAPPED, AMBIGUOUS, UNMAPPED])
"""From the best to the worst; a combination is as good as its worst part."""


def harmonise(warehouse: Warehouse, originals: Sequence[str]) -> pl.DataFrame:
    """Map identifiers of genes, compounds and combinations (``A+B``).

    Returns
    -------
    One row per identifier, in order: ``original``, ``target_id`` (NULL where it did not map; the sorted targets of a
    combination joined by ``+``), ``entity`` (gene or compound), ``status`` (mapped, ambiguous or unmapped) and
    ``method``, the kind of identifier that it is.
    """
    table = _names(warehouse)
    frame = pl.DataFrame({"original": originals}, schema={"original": pl.String()}).with_row_index("at")
    whole = _look_up(frame.with_columns(name="original"), table)
    parts = (
        frame.join(whole.filter(pl.col("target_id").is_null()), on="at", how="semi")
        .filter(pl.col("original").str.contains("+", literal=True))
        .select(combination="at", name=pl.col("original").str.split("+"))
        .explode("name")
        .with_row_index("at")
    )
    if parts.height:
        found = parts.select("at", "combination").join(_look_up(parts, table), on="at", how="left")
        joined = found.group_by(at="combination").agg(
            pl.when(pl.col("target_id").null_count() == 0).then(pl.col("target_id").unique().sort().str.join("+")),
            entity=pl.col("entity").drop_nulls().first(),
            status=pl.col("status").cast(_STATUS).max().cast(pl.String()),
            method=pl.lit("combination"),
        )
        whole = whole.update(joined, on="at")
    return frame.join(whole.drop("original", strict=False), on="at", how="left", maintain_order="left").drop("at")


def perturbed(store: Warehouse, names: pl.Series) -> pl.DataFrame:
    """Describe perturbations by name, as conditions are described: target genes or compound; one row per name."""
    ledger = harmonise(store, names.to_list())
    target, is_gene = pl.col("target_id"), pl.col("entity") == "gene"
    return ledger.select(
        perturbation_id=pl.coalesce(target, "original"),
        perturbation_label="original",
        target_gene_ids=pl.when(is_gene & target.is_not_null()).then(parts_of(target)),
        compound_id=pl.when(~is_gene).then(target),
    )


def _look_up(frame: pl.DataFrame, table: pl.DataFrame) -> pl.DataFrame:
    """Find the best kind of identifier that each name is, and what it then means."""
    name = pl.col("name").str.strip_chars().str.replace(_VERSION, "$1")
    found = (
        frame.select("at", name=name.str.to_uppercase())
        .join(table, on="name", how="inner")
        .filter(pl.col("rank") == pl.col("rank").min().over("at"))
        .group_by("at")
        .agg(
            pl.col("target_id").unique().sort(),
            pl.col("entity").first(),
            method=pl.col("kind").first(),
        )
        .with_columns(
            status=pl.when(pl.col("target_id").list.len() > 1).then(pl.lit(AMBIGUOUS)).otherwise(pl.lit(MAPPED)),
            target_id=pl.when(pl.col("target_id").list.len() == 1).then(pl.col("target_id").list.first()),
        )
    )
    return (
        frame.select("at")
        .join(found, on="at", how="left", maintain_order="left")
        .select("at", "target_id", "entity", pl.col("status").fill_null(UNMAPPED), "method")
    )


def _names(warehouse: Warehouse) -> pl.DataFrame:
    """List every name of every gene and compound, in capitals, the best kind of name with the lowest ``rank``."""
    parts = [_gene_names(warehouse), _compound_names(warehouse)]
    ranks = {kind: rank for rank, kind in enumerate((*_KINDS, *_COMPOUND_KINDS))}
    return (
        pl.concat(parts)
        .filter(pl.col("name").str.len_chars() > 0, pl.col("target_id").is_not_null())
        .with_columns(
            pl.col("name").str.to_uppercase(), rank=pl.col("kind").replace_strict(ranks, return_dtype=pl.Int64())
        )
        .unique()
    )


def _gene_names(warehouse: Warehouse) -> pl.DataFrame:
    gene = warehouse.frame("select gene_id, gene_symbol, entrez_id, hgnc_id from gene")
    kinds = dict(zip(("gene_id", "hgnc_id", "entrez_id", "gene_symbol"), _KINDS[:4], strict=True))
    parts = [_named(gene, column, kind) for column, kind in kinds.items()]
    for folder in sorted({warehouse.manifest(name)["gene_reference"] for name in warehouse.snapshot.datasets}):
        path = warehouse.path / REFERENCES / folder
        if (path / "gene_retired.parquet").is_file():
            retired = pl.read_parquet(path / "gene_retired.parquet", glob=False).filter(pl.col("gene_id").is_not_null())
            parts.append(_named(retired, "retired_id", "retired id"))
        if (path / "gene_label.parquet").is_file():
            labels = pl.read_parquet(path / "gene_label.parquet", glob=False).with_columns(
                pl.col("kind").cast(pl.String())
            )
            parts.append(_named(labels.filter(kind="previous"), "label", "previous symbol"))
            parts.append(_named(labels.filter(kind="alias"), "label", "alias"))
    return pl.concat(parts)


def _compound_names(warehouse: Warehouse) -> pl.DataFrame:
    compound = warehouse.frame("select compound_id, name, pubchem_cid, chembl_id, broad_id from compound")
    identity = compound_graph(warehouse).identity
    named = compound.with_columns(
        gene_id=pl.col("compound_id").replace(identity), cid=pl.concat_str(pl.lit("CID:"), "pubchem_cid")
    )
    parts = [_named(named, "compound_id", "compound id")]
    parts += [_named(named, column, "compound name") for column in ("name", "cid", "chembl_id", "broad_id")]
    labels = warehouse.frame(_LABELS).with_columns(gene_id=pl.col("compound_id").replace(identity))
    parts.append(_named(labels, "name", "compound name"))
    return pl.concat(parts).with_columns(entity=pl.lit("compound"))


def _named(frame: pl.DataFrame, column: str, kind: str) -> pl.DataFrame:
    return frame.select(
        name=pl.col(column).cast(pl.String()), target_id="gene_id", entity=pl.lit("gene"), kind=pl.lit(kind)
    )
