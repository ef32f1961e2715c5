"""All against all: the similarity of signatures with each other, as one product of matrices where genes allow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from featurestore.errors import QueryError
from featurestore.features.effects.similarity import Kind, Rows, Side, compare_sides
from featurestore.search.engine import Report, conditions_where, signatures_of
from featurestore.storage.whole import beside

if TYPE_CHECKING:
    from featurestore.query.warehouse import Warehouse

ROWS_AT_ONCE = 500
"""Lines of the matrix that are made and written at once."""


def write_similarities(
    warehouse: Warehouse,
    path: Path,
    *,
    score: Kind = "cosine",
    where: str | None = None,
    report: Report = lambda _: None,
) -> int:
    """Write the similarity of every responder with every other, some lines at a time; return how many they are.

    A line has dataset_id and condition_id; columns are named ``DATASET:ID``, in the order of the lines.

    Raises
    ------
    QueryError
        There is no responder, or ``where`` is no SQL.
    """
    asked = where or "is_responder"
    names, rows = _chosen(warehouse, conditions_where(warehouse, asked), report)
    if not len(rows):
        raise QueryError("There is nothing to compare.", where=asked, do='choose others: --where "n_cells > 50"')
    labels = (names["dataset_id"] + ":" + names["condition_id"]).to_list()
    schema = pa.schema(
        [("dataset_id", pa.string()), ("condition_id", pa.string()), *((label, pa.float32()) for label in labels)]
    )
    whole = Side.of(rows)
    with beside(path) as work, pq.ParquetWriter(work, schema, compression="zstd") as writer:
        for first in range(0, len(rows), ROWS_AT_ONCE):
            part = slice(first, min(first + ROWS_AT_ONCE, len(rows)))
            report(f"comparing {first:,} of {len(rows):,} signatures with all")
            found = compare_sides(whole.part(part.start, part.stop), whole, score)
            keys = [pa.array(names[name][part].to_list()) for name in ("dataset_id", "condition_id")]
            writer.write_table(pa.table([*keys, *map(pa.array, found.T)], schema=schema))
    return len(rows)


def _chosen(warehouse: Warehouse, wanted: pl.DataFrame, report: Report) -> tuple[pl.DataFrame, Rows]:
    """Return some signatures of all datasets on the genes of any, and what they are."""
    parts: list[tuple[pl.DataFrame, npt.NDArray[np.str_], Rows]] = []
    for block in signatures_of(warehouse, report=report).blocks:
        at = block.conditions.with_row_index("at").join(
            wanted, on=["dataset_id", "condition_id"], how="semi", maintain_order="left"
        )
        parts.append((at.select("dataset_id", "condition_id"), block.genes, block.rows[at["at"].to_numpy()]))
    genes = np.unique(np.concatenate([part[1] for part in parts])) if parts else np.zeros(0, np.str_)
    rows = np.zeros((sum(len(part[2]) for part in parts), len(genes)), np.float32)
    first = 0
    for _, columns, values in parts:
        rows[first : first + len(values), np.searchsorted(genes, columns)] = values
        first += len(values)
    empty = pl.DataFrame(schema={"dataset_id": pl.String(), "condition_id": pl.String()})
    return pl.concat([empty, *(part[0] for part in parts)]), rows
