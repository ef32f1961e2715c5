"""Turn a mapping into the gene axis of a matrix: one slot per gene, whichever inputs measure it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from ingest.harmonise.gene_mapping import STATUSES, GeneMapping

RELIABILITY = {status: position for position, status in enumerate(STATUSES)}
"""Of two inputs for one gene, the one whose status is lower here is better."""


@dataclass(frozen=True, slots=True)
class CollapsedGenes:
    """Where each input column goes.

    Parameters
    ----------
    gene_ids
        Genes in order of first appearance; no gene twice.
    column_to_slot
        For each input its position in ``gene_ids``, int32, shape (inputs,); -1 where it is left out.
    n_collapsed
        Inputs beyond the first of their gene, whether summed or left out.
    mapping
        The mapping, with a note in the rows of those inputs.
    """

    gene_ids: tuple[str, ...]
    column_to_slot: npt.NDArray[np.int32]
    n_collapsed: int
    mapping: GeneMapping

    def members(self) -> pl.DataFrame:
        """Genes that several inputs were mapped to: gene_id, gene_symbol, originals, n_inputs, n_used."""
        table = self.mapping.table.with_columns(slot=pl.Series(self.column_to_slot))
        genes = table.filter(pl.col("gene_id").is_not_null()).group_by("gene_id", maintain_order=True)
        counted = genes.agg(
            pl.col("gene_symbol").first(),
            pl.col("original").alias("originals"),
            n_inputs=pl.len(),
            n_used=(pl.col("slot") >= 0).sum(),
        )
        return counted.filter(pl.col("n_inputs") > 1)


def collapse(
    mapping: GeneMapping,
    *,
    value_is_additive: bool,
    priority: Sequence[int] | None = None,
    is_listed: bool = False,
) -> CollapsedGenes:
    """Give every gene one slot.

    Parameters
    ----------
    mapping
        One row per column of the matrix.
    value_is_additive
        Whether values are counts. Counts of one gene are summed. Of any other value the best input stands for the
        gene: the lowest ``priority``, then the most reliable status, then the first. An input whose numeric suffix
        was set aside is another gene of the same name more often than not, so it never joins a gene that another
        input has.
    priority
        One number per input, lower is better, such as landmark 0, best inferred 1, inferred 2.
    is_listed
        Whether the inputs are the names in many lists, each of which may have its own name for a gene. Inputs of one
        gene then share its slot, and which of two in one list is better is left to who reads the lists.

    Returns
    -------
    The axis. Rows without a gene are at -1, as are inputs that lost.
    """
    table = mapping.table.with_row_index("row").with_columns(
        priority=pl.Series(priority, dtype=pl.Int64) if priority is not None else pl.lit(0),
        reliability=pl.col("status").replace_strict(RELIABILITY, return_dtype=pl.Int64),
    )
    mapped = table.filter(pl.col("gene_id").is_not_null())
    chosen = mapped.sort("priority", "reliability", "row").unique("gene_id", keep="first", maintain_order=True)
    chosen = chosen.select("gene_id", winner="row", winner_name="original")
    rivals = mapped.join(chosen, on="gene_id").with_columns(is_winner=pl.col("row") == pl.col("winner"))
    joins = pl.lit(value_is_additive or is_listed) & (pl.col("status") != "suffix_flagged")
    used = rivals.filter(pl.col("is_winner") | joins).sort("row")
    gene_ids = used["gene_id"].unique(maintain_order=True)
    slots = pl.DataFrame({"gene_id": gene_ids, "slot": np.arange(len(gene_ids), dtype=np.int32)})
    column_to_slot = np.full(len(mapping), -1, dtype=np.int32)
    placed = used.join(slots, on="gene_id")
    column_to_slot[placed["row"].to_numpy()] = placed["slot"].to_numpy()
    lost = rivals.filter(~pl.col("is_winner"))
    outcome = pl.when(joins).then(pl.lit("summed with '")).otherwise(pl.lit("left out for '"))
    told = lost.filter(~joins) if is_listed else lost
    remarks = told.select("row", remark=outcome + pl.col("winner_name") + pl.lit("'"))
    return CollapsedGenes(tuple(gene_ids), column_to_slot, lost.height, _annotated(mapping, remarks))


def _annotated(mapping: GeneMapping, remarks: pl.DataFrame) -> GeneMapping:
    table = mapping.table.with_row_index("row").join(remarks, on="row", how="left", maintain_order="left")
    note = pl.concat_str("note", "remark", separator="; ", ignore_nulls=True)
    has_note = pl.col("note").is_not_null() | pl.col("remark").is_not_null()
    return mapping.with_table(table.with_columns(pl.when(has_note).then(note).alias("note")))
