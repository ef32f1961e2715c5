"""The gene axis of a release: the published gene table, harmonised, and each matrix column's place on the axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.contract import RELEASE
from featurestore.errors import SourceFormatError, unlike
from ingest.conditions.gene_columns import gene_columns, is_chosen, published_genes, refuse_duplicates
from ingest.conditions.gene_ledger import ledger_of_described, ledger_of_kept, ledger_of_others
from ingest.conditions.side_tables import SideTable
from ingest.harmonise.genes import CollapsedGenes, GeneMapping, collapse, decide_by_context, map_genes
from ingest.harmonise.online import OnlineGenes
from ingest.reader import OUTSIDE, Reader, Tables
from ingest.spec import DatasetSpec

NOT_COUNTED = "non_gene"
OF_ANOTHER = "of another species: no part of a cell's total"


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
    published = published_genes(reader, tables, spec)
    columns = gene_columns(published, reader, spec)
    kept = published.filter(pl.Series(columns.is_kept))
    refuse_duplicates(kept[spec.genes.id].cast(pl.String), reader, spec)
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
    is_landmark[slots[slots >= 0]] = is_chosen(published, spec.genes.landmarks, "genes.landmarks")[slots >= 0]
    of_kept = ledger_of_kept(axis.mapping.table, kept, spec)
    ledger = pl.concat([of_kept, *ledger_of_others(published, columns, spec), ledger_of_described(reader, spec)])
    ledger_row = np.where(columns.is_kept, np.cumsum(columns.is_kept, dtype=np.int32) - 1, np.int32(-1))
    return GeneAxis(genes, slots, ledger, is_landmark, ledger_row)


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
            got=f"{len(genes):,} genes{unlike(genes, list(position))}",
            do="ingest them as separate datasets, or count all over one annotation",
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


def _of_the_organism(mapping: GeneMapping) -> GeneMapping:
    """Leave out the genes of a second species: cells of two may share a file."""
    others = mapping.of_second_species
    return mapping.with_table(mapping.table.filter(~others)) if others.any() else mapping


def _noted(mapping: GeneMapping) -> GeneMapping:
    """Note which genes are of a second species."""
    note = pl.concat_str("note", pl.lit(OF_ANOTHER), separator="; ", ignore_nulls=True)
    is_other = pl.lit(mapping.of_second_species)
    return mapping.with_table(mapping.table.with_columns(pl.when(is_other).then(note).otherwise("note").alias("note")))
