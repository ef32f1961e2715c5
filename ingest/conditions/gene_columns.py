"""Which columns of a matrix are genes to keep: what the gene table says of them, and what the spec wants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.errors import SourceFormatError, SpecError, did_you_mean
from ingest.conditions.evaluated import evaluated
from ingest.conditions.feature_types import FeatureTypes, feature_types, require_rna
from ingest.conditions.rows import columns_of
from ingest.conditions.side_tables import SideTable, join_tables
from ingest.reader import Tables, with_matrix
from ingest.readers.padding import zero_genes
from ingest.spec import DatasetSpec


class GeneColumns(NamedTuple):
    """Which columns are genes to keep, and why others are not: not wanted, no RNA, or not measured."""

    is_wanted: npt.NDArray[np.bool_]
    types: FeatureTypes | None
    is_absent: npt.NDArray[np.bool_]
    is_kept: npt.NDArray[np.bool_]


def gene_columns(published: pl.DataFrame, reader: Tables, spec: DatasetSpec) -> GeneColumns:
    """Tell which columns of a matrix are genes to keep."""
    is_wanted = is_chosen(published, spec.genes.where, "genes.where")
    types = _types(published, spec, reader)
    is_kept = is_wanted if types is None else is_wanted & types.is_rna
    is_absent = is_kept & zero_genes(with_matrix(reader)) if spec.genes.absent == "all_zero" else np.zeros_like(is_kept)
    return GeneColumns(is_wanted, types, is_absent, is_kept & ~is_absent)


def published_genes(reader: Tables, tables: Sequence[SideTable], spec: DatasetSpec) -> pl.DataFrame:
    """Return the gene table as published, with the columns of separate tables that the spec names.

    Raises
    ------
    SourceFormatError
        It lacks a column that the spec names.
    """
    given = spec.genes
    wanted = [given.id, given.symbol, *given.notes, *columns_of(given.where), *columns_of(given.landmarks)]
    named = [name for name in wanted if name is not None]
    genes = join_tables(reader.genes(), tables, named)
    for name in named:
        if name not in genes.columns:
            known = [*genes.columns, *(column for table in tables for column in table.columns)]
            raise SourceFormatError(
                f"The gene table has no column '{name}'.",
                where=f"{reader.path}, named under [genes]",
                do=did_you_mean(name, known),
            )
    return genes


def is_chosen(published: pl.DataFrame, where: str | None, place: str) -> npt.NDArray[np.bool_]:
    """Evaluate a condition on the gene table; shape (columns,).

    Raises
    ------
    SpecError
        It cannot be evaluated, or takes no gene.
    """
    if where is None:
        return np.ones(published.height, bool)
    holds = evaluated(published, where, place).to_numpy()
    if holds.size and not holds.any():
        raise SpecError(
            f"'{place.rpartition('.')[2]}' takes no gene.",
            where=f"{place}: {where}",
            expected="at least one gene for which it is true",
            got=f"none of {holds.size:,}",
            do="compare with a value as it is written there; text goes in single quotation marks",
        )
    return holds


def _types(published: pl.DataFrame, spec: DatasetSpec, reader: Tables) -> FeatureTypes | None:
    """Tell RNA from antibodies and guides, unless the spec does so itself."""
    types = feature_types(published)
    if types is None or types.column in columns_of(spec.genes.where):
        return None
    require_rna(types, str(reader.path))
    return types


def refuse_duplicates(ids: pl.Series, reader: Tables, spec: DatasetSpec) -> None:
    """Refuse identifiers that are given twice, unless the spec adds them up.

    Raises
    ------
    SourceFormatError
        There are such.
    """
    if spec.genes.duplicates == "collapse":
        return
    repeated = (
        ids.drop_nulls().value_counts().filter(pl.col("count") > 1).sort("count", ids.name, descending=[True, False])
    )
    if repeated.height:
        first = ", ".join(f"{name!r} ({count} times)" for name, count in repeated.head(3).rows())
        raise SourceFormatError(
            f"The file gives {repeated.height:,} gene identifiers more than once.",
            where=f"{reader.path}, gene column '{spec.genes.id}'",
            expected="one column of the matrix for each gene identifier",
            got=first,
            do='name a column of distinct identifiers as id under [genes], or set duplicates = "collapse" there: '
            "counts of one gene are then added in each cell",
        )
