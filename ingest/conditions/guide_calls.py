"""Guides called from their own counts, where a matrix has them as rows beside the genes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.errors import SpecError
from ingest.conditions.feature_types import feature_types
from ingest.reader import INDEX, Block, CountsGuides, CscBlock, CsrBlock, Integers, Reader

GUIDE_CALL = "guide_call"
"""The column of the row table that calls are in."""
LEAST_COUNT = 5
"""Counts from which on a draft calls a guide."""
BETWEEN = "|"
"""What the guides of a cell are joined by, as Cell Ranger does."""


def call_guides(reader: Reader, min_count: int) -> pl.Series:
    """Call the guides of every row in one pass over the matrix: those with ``min_count`` counts or more.

    They are columns of the matrix itself, or of one of their own beside it, whose rows have the same keys.

    Returns
    -------
    Their names as the gene table's key has them, joined by ``|`` in its order; null where a row has none.

    Raises
    ------
    SpecError
        No row of the gene table is of guides.
    """
    if isinstance(reader, CountsGuides) and (counted := reader.guides()) is not None:
        return _called_beside(reader, counted, min_count)
    genes = reader.genes()
    types = feature_types(genes)
    if types is None or not types.is_guide.any():
        raise SpecError(
            "[guides] calls guides from their own counts, and the gene table has none.",
            where=str(reader.path),
            expected="rows of the type 'CRISPR Guide Capture'",
            got="no column of types" if types is None else types.told(),
            do="take [guides] out, and name a column of the row table as perturbation",
        )
    parts = [called_entries(block, types.is_guide, min_count) for block in reader.blocks()]
    rows, guides = (np.concatenate(part) for part in zip(*parts, strict=True))
    return joined_calls(rows, genes[INDEX].gather(guides), reader.n_rows)


def _called_beside(reader: Reader, counted: Reader, min_count: int) -> pl.Series:
    """Call guides from a matrix of their own, and bring the calls to the rows of the other by their keys."""
    is_guide = np.ones(counted.n_genes, bool)
    parts = [called_entries(block, is_guide, min_count) for block in counted.blocks()]
    rows, guides = (np.concatenate(part) for part in zip(*parts, strict=True))
    calls = joined_calls(rows, counted.genes()[INDEX].gather(guides), counted.n_rows)
    found = counted.rows([INDEX]).with_columns(calls)
    return reader.rows([INDEX]).join(found, on=INDEX, how="left", maintain_order="left")[GUIDE_CALL]


def called_entries(block: Block, is_guide: npt.NDArray[np.bool_], min_count: int) -> tuple[Integers, Integers]:
    """Find the rows and columns of a block's values that are guides with enough counts."""
    if isinstance(block, (CsrBlock, CscBlock)):
        outer = np.repeat(np.arange(block.start, block.start + block.indptr.size - 1), np.diff(block.indptr))
        rows, columns = (outer, block.indices) if isinstance(block, CsrBlock) else (block.indices, outer)
        values = block.data
    else:
        at, columns = np.nonzero(block.values)
        rows, values = at + block.start, block.values[at, columns]
    is_called = is_guide[columns] & (values >= min_count)
    return rows[is_called], columns[is_called]


def joined_calls(rows: Integers, names: pl.Series, n_rows: int) -> pl.Series:
    """Join the names of each row's guides; ``rows`` and ``names`` are one for each call."""
    calls = pl.DataFrame([pl.Series("row", rows, dtype=pl.Int64), names.alias("name")])
    joined = calls.sort("row", maintain_order=True).group_by("row", maintain_order=True)
    every = pl.DataFrame({"row": np.arange(n_rows)}).join(
        joined.agg(pl.col("name").str.join(BETWEEN)), on="row", how="left", maintain_order="left"
    )
    return every["name"].alias(GUIDE_CALL)
