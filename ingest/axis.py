"""The gene axis of a release: the published gene table, harmonised, and each matrix column's place on the axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.contract import RELEASE
from featurestore.errors import SourceFormatError, did_you_mean
from ingest.harmonise.genes import collapse, decide_by_context, map_genes
from ingest.reader import INDEX, Reader
from ingest.spec import DatasetSpec


@dataclass(frozen=True, slots=True)
class GeneAxis:
    """Genes of a release and where the columns of one file go.

    ``genes`` and ``mapping`` have the columns of the release's tables; ``slots`` has shape (columns,), -1 for a column
    that is no gene of the axis.
    """

    genes: pl.DataFrame
    slots: npt.NDArray[np.int32]
    mapping: pl.DataFrame
    n_published: int


def read_axis(reader: Reader, table: pl.DataFrame | None, spec: DatasetSpec) -> GeneAxis:
    """Map the genes of a file.

    Parameters
    ----------
    reader
        The open file.
    table
        A separate gene table, keyed by ``[genes] key``, or None.
    spec
        The dataset's spec.

    Raises
    ------
    SourceFormatError
        The identifier column is missing, or names a gene twice.
    HarmonisationError
        Too few identifiers are known.
    """
    published = _published(reader, table, spec)
    ids = published["id"]
    _refuse_duplicates(ids, reader, spec)
    symbols = published["symbol"] if spec.genes.symbol else None
    mapping = decide_by_context(map_genes(ids, symbols=symbols, kind=spec.genes.kind))
    mapping.require_mapped(spec.genes.max_unmapped, where=f"{reader.path}, gene column '{spec.genes.id}'")
    axis = collapse(mapping, value_is_additive=spec.dataset.values == "counts")
    symbol_of = dict(zip(mapping.table["gene_id"], mapping.table["gene_symbol"], strict=True))
    genes = pl.DataFrame(
        {
            "gene_index": np.arange(len(axis.gene_ids), dtype=np.int32),
            "gene_id": axis.gene_ids,
            "gene_symbol": [symbol_of[gene] for gene in axis.gene_ids],
        },
        schema=RELEASE["gene"].schema,
    )
    return GeneAxis(genes, axis.column_to_slot, _ledger(axis.mapping.table), ids.len())


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
    place = np.array([*(position[gene] for gene in genes), -1], np.int32)
    return GeneAxis(first.genes, place[other.slots], first.mapping, first.n_published)


def _published(reader: Reader, table: pl.DataFrame | None, spec: DatasetSpec) -> pl.DataFrame:
    genes = reader.genes()
    if table is not None and spec.genes.key is not None:
        keyed = table.with_columns(pl.col(spec.genes.key).cast(pl.String).alias(INDEX)).unique(INDEX, keep="first")
        genes = genes.with_columns(pl.col(INDEX).cast(pl.String)).join(
            keyed, on=INDEX, how="left", maintain_order="left"
        )
    wanted = {"id": spec.genes.id, "symbol": spec.genes.symbol}
    for column in wanted.values():
        if column is not None and column not in genes.columns:
            raise SourceFormatError(
                f"The gene table has no column '{column}'.",
                where=f"{reader.path}, named under [genes]",
                do=did_you_mean(column, genes.columns),
            )
    return genes.select(pl.col(c).cast(pl.String).alias(n) for n, c in wanted.items() if c is not None)


def _refuse_duplicates(ids: pl.Series, reader: Reader, spec: DatasetSpec) -> None:
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


def _ledger(table: pl.DataFrame) -> pl.DataFrame:
    return table.select(
        entity=pl.lit("gene"),
        original="original",
        target_id="gene_id",
        status="status",
        method="method",
        candidates="candidates",
        note="note",
    ).select(pl.col(name).cast(dtype) for name, dtype in RELEASE["mapping"].schema.items())
