"""The gene axis of a release: the published gene table, harmonised, and each matrix column's place on the axis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.contract import RELEASE
from featurestore.errors import SourceFormatError, SpecError, did_you_mean
from ingest.conditions.described import DESCRIBED, named_columns
from ingest.conditions.feature_types import FeatureTypes, feature_types, require_rna
from ingest.conditions.rows import columns_of
from ingest.conditions.side_tables import SideTable, join_tables
from ingest.harmonise.genes import CollapsedGenes, GeneMapping, collapse, decide_by_context, map_genes
from ingest.harmonise.online import OnlineGenes
from ingest.reader import OUTSIDE, Reader, Tables, described_columns, with_matrix
from ingest.readers.padding import zero_genes
from ingest.spec import DatasetSpec

NOT_COUNTED = "non_gene"
OF_ANOTHER = "of another species: no part of a cell's total"
DESCRIBES = "a column of numbers called like no gene, where the others are: taken to describe the rows"
ALL_ZERO = "zero in every row of the file: taken as not measured"


@dataclass(frozen=True, slots=True)
class GeneAxis:
    """Genes of a release and where the columns of one file go.

    ``genes`` and ``mapping`` have the columns of the release's tables; ``slots`` has shape (columns,), -1 for a column
    that is no gene of the axis, -2 for one that is no part of a library either: counters, spike-ins, antibodies and
    guides, genes of another species, and what the spec leaves out; ``is_landmark`` (genes,) tells the genes that were
    measured rather than inferred. ``ledger_row`` (columns,) is the row of ``mapping`` that tells of a column, -1 for
    one that ``where`` leaves out or that is absent.
    """

    genes: pl.DataFrame
    slots: npt.NDArray[np.int32]
    mapping: pl.DataFrame
    n_published: int
    is_landmark: npt.NDArray[np.bool_]
    ledger_row: npt.NDArray[np.int32]


def read_axes(
    readers: Sequence[Reader], tables: Sequence[SideTable], spec: DatasetSpec, online: OnlineGenes | None = None
) -> list[GeneAxis]:
    """Map the genes of all files of a dataset, which have to be the same, to one axis.

    Parameters
    ----------
    readers
        The open files.
    tables
        Separate gene tables.
    spec
        The dataset's spec.
    online
        A service to ask for names that are not known, if any.

    Raises
    ------
    SourceFormatError
        A file measures other genes than the first, or its identifier column is missing, or names a gene twice.
    SpecError
        A condition on the gene table cannot be evaluated.
    HarmonisationError
        Too few identifiers are known.
    """
    first, genes = read_axis(readers[0], tables, spec, online), readers[0].genes()
    axes = [first]
    for reader in readers[1:]:
        is_same = spec.genes.absent is None and reader.genes().equals(genes)
        axes.append(first if is_same else same_genes(first, read_axis(reader, tables, spec, online), reader))
    return axes


def read_axis(
    reader: Tables, tables: Sequence[SideTable], spec: DatasetSpec, online: OnlineGenes | None = None
) -> GeneAxis:
    """Map the genes of a file.

    Parameters
    ----------
    reader
        The open file.
    tables
        Separate gene tables.
    spec
        The dataset's spec.
    online
        What to ask for genes that the reference leaves open.

    Raises
    ------
    SourceFormatError
        The identifier column is missing, or names a gene twice.
    SpecError
        A condition on the gene table cannot be evaluated.
    HarmonisationError
        Too few identifiers are known.
    """
    published = _published(reader, tables, spec)
    columns = _chosen_columns(published, reader, spec)
    kept = published.filter(pl.Series(columns.is_kept))
    _refuse_duplicates(kept[spec.genes.id].cast(pl.String), reader, spec)
    mapping = _mapped(kept, spec, online)
    is_outside = (mapping.table["status"] == NOT_COUNTED) | mapping.of_second_species
    mapping = _noted(mapping)
    _of_the_organism(mapping).require_mapped(
        spec.genes.max_unmapped, where=f"{reader.path}, gene column '{spec.genes.id}'"
    )
    axis = collapse(mapping, value_is_additive=spec.value_kind.is_additive, is_listed=spec.table is not None)
    genes = _gene_table(axis)
    slots = np.full(published.height, OUTSIDE, np.int32)
    slots[columns.is_kept] = np.where(is_outside, OUTSIDE, axis.column_to_slot)
    is_landmark = np.ones(genes.height, bool)
    is_landmark[slots[slots >= 0]] = _chosen(published, spec.genes.landmarks, "genes.landmarks")[slots >= 0]
    of_kept = _ledger(axis.mapping.table, kept, spec)
    ledger = pl.concat([of_kept, *_ledger_of_others(published, columns, spec), _described(reader, spec)])
    ledger_row = np.where(columns.is_kept, np.cumsum(columns.is_kept, dtype=np.int32) - 1, np.int32(-1))
    return GeneAxis(genes, slots, ledger, published.height, is_landmark, ledger_row)


class _Columns(NamedTuple):
    """Which columns of a matrix are genes to keep, and why others are not: not wanted, no RNA, or not measured."""

    is_wanted: npt.NDArray[np.bool_]
    types: FeatureTypes | None
    is_absent: npt.NDArray[np.bool_]
    is_kept: npt.NDArray[np.bool_]


def _chosen_columns(published: pl.DataFrame, reader: Tables, spec: DatasetSpec) -> _Columns:
    is_wanted = _chosen(published, spec.genes.where, "genes.where")
    types = _types(published, spec, reader)
    is_kept = is_wanted if types is None else is_wanted & types.is_rna
    is_absent = is_kept & zero_genes(with_matrix(reader)) if spec.genes.absent == "all_zero" else np.zeros_like(is_kept)
    return _Columns(is_wanted, types, is_absent, is_kept & ~is_absent)


def _mapped(kept: pl.DataFrame, spec: DatasetSpec, online: OnlineGenes | None) -> GeneMapping:
    """Map the identifiers of a file, each by what it says and then by what the others say, and ask a service."""
    ids = kept[spec.genes.id].cast(pl.String)
    symbols = kept[spec.genes.symbol].cast(pl.String) if spec.genes.symbol else None
    mapping = map_genes(ids, symbols=symbols, kind=spec.genes.kind, translate_mouse=spec.genes.translate_mouse)
    mapping = decide_by_context(mapping, each_gene_once=spec.table is None)
    return online.complete(mapping) if online is not None else mapping


def _gene_table(axis: CollapsedGenes) -> pl.DataFrame:
    table = axis.mapping.table
    symbol_of = dict(zip(table["gene_id"], table["gene_symbol"], strict=True))
    return pl.DataFrame(
        {
            "gene_index": np.arange(len(axis.gene_ids), dtype=np.int32),
            "gene_id": axis.gene_ids,
            "gene_symbol": [symbol_of[gene] for gene in axis.gene_ids],
        },
        schema=RELEASE["gene"].schema,
    )


def _ledger_of_others(published: pl.DataFrame, columns: _Columns, spec: DatasetSpec) -> Iterator[pl.DataFrame]:
    """Give the ledger rows of the columns that are not kept, by why."""
    unwanted, absent = (published.filter(pl.Series(which)) for which in (~columns.is_wanted, columns.is_absent))
    yield _left_out(unwanted, spec, "left_out", pl.lit(f"where: {spec.genes.where}"))
    yield _left_out(absent, spec, "absent", pl.lit(ALL_ZERO))
    if columns.types is not None:
        others = published.filter(pl.Series(columns.is_wanted & ~columns.types.is_rna))
        told = pl.format(f"{columns.types.column}: {{}}, no RNA", columns.types.column)
        yield _left_out(others, spec, "left_out", told)


def same_genes(first: GeneAxis, other: GeneAxis, reader: Reader) -> GeneAxis:
    """Bring the axis of a further file of a dataset to the first file's.

    Raises
    ------
    SourceFormatError
        The file measures other genes: a sum over both would take not measured for zero.
    """
    position = {gene: index for index, gene in enumerate(first.genes["gene_id"])}
    genes = other.genes["gene_id"].to_list()
    if set(genes) != set(position):
        raise SourceFormatError(
            "The files of the dataset do not measure the same genes.",
            where=str(reader.path),
            expected=f"the {len(position):,} genes of the first file",
            got=f"{len(genes):,} genes, {len(set(genes) & set(position)):,} of them shared",
            do="ingest them as separate datasets",
        )
    place = np.array([position[gene] for gene in genes], np.int32)
    slots = np.where(other.slots < 0, other.slots, place[np.maximum(other.slots, 0)])
    return replace(other, genes=first.genes, slots=slots, is_landmark=first.is_landmark)


def gene_ledger(axes: Sequence[GeneAxis]) -> pl.DataFrame:
    """Return the ledger of the first axis, and after it what those of the others say besides."""
    ledger, *others = {id(axis): axis.mapping for axis in axes}.values()
    said = [name for name in ledger.columns if name != "candidates"]
    for other in others:
        further = other.join(ledger, on=said, how="anti", nulls_equal=True, maintain_order="left")
        ledger = pl.concat([ledger, further.unique(maintain_order=True)], rechunk=True)
    return ledger


def _published(reader: Tables, tables: Sequence[SideTable], spec: DatasetSpec) -> pl.DataFrame:
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


def _chosen(published: pl.DataFrame, where: str | None, place: str) -> npt.NDArray[np.bool_]:
    """Evaluate a condition on the gene table; shape (columns,)."""
    if where is None:
        return np.ones(published.height, bool)
    try:
        return published.select(pl.sql_expr(where).fill_null(value=False)).to_series().to_numpy()
    except (pl.exceptions.PolarsError, TypeError) as error:
        raise SpecError("A condition cannot be evaluated.", where=f"{place}: {where}", got=str(error)) from None


def _types(published: pl.DataFrame, spec: DatasetSpec, reader: Tables) -> FeatureTypes | None:
    """Tell RNA from antibodies and guides, unless the spec does so itself."""
    types = feature_types(published)
    if types is None or types.column in columns_of(spec.genes.where):
        return None
    require_rna(types, str(reader.path))
    return types


def _of_the_organism(mapping: GeneMapping) -> GeneMapping:
    """Leave out the genes of a second species: cells of two may share a file."""
    others = mapping.of_second_species
    return mapping.with_table(mapping.table.filter(~others)) if others.any() else mapping


def _noted(mapping: GeneMapping) -> GeneMapping:
    """Note which genes are of a second species."""
    note = pl.concat_str("note", pl.lit(OF_ANOTHER), separator="; ", ignore_nulls=True)
    is_other = pl.lit(mapping.of_second_species)
    return mapping.with_table(mapping.table.with_columns(pl.when(is_other).then(note).otherwise("note").alias("note")))


def _refuse_duplicates(ids: pl.Series, reader: Tables, spec: DatasetSpec) -> None:
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


def _ledger(table: pl.DataFrame, published: pl.DataFrame, spec: DatasetSpec) -> pl.DataFrame:
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


def _described(reader: Tables, spec: DatasetSpec) -> pl.DataFrame:
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
