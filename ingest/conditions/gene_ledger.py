"""The ledger of genes: what became of each published identifier, and why others are no part of a release."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from featurestore.contract import RELEASE
from ingest.conditions.described import DESCRIBED, named_columns
from ingest.conditions.gene_columns import GeneColumns
from ingest.reader import Tables, described_columns
from ingest.spec import DatasetSpec

DESCRIBES = "a column of numbers called like no gene, where the others are: taken to describe the rows"
ALL_ZERO = "zero in every row of the file: taken as not measured"


def ledger_of_others(published: pl.DataFrame, columns: GeneColumns, spec: DatasetSpec) -> Iterator[pl.DataFrame]:
    """Give the ledger rows of the columns that are not kept, by why."""
    unwanted, absent = (published.filter(pl.Series(which)) for which in (~columns.is_wanted, columns.is_absent))
    yield _left_out(unwanted, spec, "left_out", pl.lit(f"where: {spec.genes.where}"))
    yield _left_out(absent, spec, "absent", pl.lit(ALL_ZERO))
    if columns.types is not None:
        others = published.filter(pl.Series(columns.is_wanted & ~columns.types.is_rna))
        told = pl.format(f"{columns.types.column}: {{}}, no RNA", columns.types.column)
        yield _left_out(others, spec, "left_out", told)


def ledger_of_kept(table: pl.DataFrame, published: pl.DataFrame, spec: DatasetSpec) -> pl.DataFrame:
    """Return the ledger rows of the columns that are kept, noted as the spec asks."""
    note = pl.concat_str(pl.col("note"), *_quoted(spec), separator="; ", ignore_nulls=True)
    rows = pl.concat([table, published.select(spec.genes.notes)], how="horizontal").select(
        entity=pl.lit("gene"),
        original="original",
        target_id="gene_id",
        status="status",
        method="method",
        candidates="candidates",
        note=pl.when(note != "").then(note),
    )
    return rows.cast(RELEASE["mapping"].schema)


def ledger_of_described(reader: Tables, spec: DatasetSpec) -> pl.DataFrame:
    """Ledger rows of the columns that were taken for no genes though the spec does not say so."""
    names = [name for name in described_columns(reader) if name not in named_columns(spec)]
    rows = pl.DataFrame({"original": names}, schema={"original": pl.String}).with_columns(
        entity=pl.lit("gene"),
        target_id=pl.lit(None),
        status=pl.lit("left_out"),
        method=pl.lit(DESCRIBED),
        candidates=pl.lit([], pl.List(pl.String)),
        note=pl.lit(DESCRIBES),
    )
    return rows.select(RELEASE["mapping"].columns).cast(RELEASE["mapping"].schema)


def _left_out(published: pl.DataFrame, spec: DatasetSpec, status: str, reason: pl.Expr) -> pl.DataFrame:
    """Ledger rows of the genes that the spec does not want, or that the file does not measure."""
    rows = published.select(
        entity=pl.lit("gene"),
        original=pl.col(spec.genes.id).cast(pl.String),
        target_id=pl.lit(None),
        status=pl.lit(status),
        method=pl.lit("spec"),
        candidates=pl.lit([], pl.List(pl.String)),
        note=pl.concat_str(reason, *_quoted(spec), separator="; ", ignore_nulls=True),
    )
    return rows.cast(RELEASE["mapping"].schema)


def _quoted(spec: DatasetSpec) -> list[pl.Expr]:
    """Quote columns of the gene table from the gene table: ``feature_space = landmark``."""
    return [pl.format(f"{name} = {{}}", pl.col(name)) for name in spec.genes.notes]
