"""All against all: the similarity of signatures with each other, as one product of matrices where genes allow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from featurestore.errors import QueryError
from featurestore.search.engine import Report, conditions_where, signatures_of
from featurestore.search.scores import FEWEST_GENES, Rows
from featurestore.storage.whole import beside

if TYPE_CHECKING:
    from featurestore.query.warehouse import Warehouse

ROWS_AT_ONCE = 500
"""Lines of the matrix that are made and written at once."""
_MOSTLY_MISSING = 0.02
"""Share of missing values above which the squares are multiplied as matrices too."""


def similarities(one: Rows, other: Rows, kind: Literal["cosine", "pearson"] = "cosine") -> npt.NDArray[np.float32]:
    """Return the similarity of every row with every other over the genes that both have, shape (ones, others).

    Rows are encoded (:func:`featurestore.search.scores.encoded`); NaN below ten shared genes.
    """
    dot = one @ other.T
    here, there = (one != 0), (other != 0)
    if here.all() and there.all():
        n = np.full(dot.shape, one.shape[1], np.float32)
        of_one, of_other = (np.einsum("ij,ij->i", each, each) for each in (one, other))
        squares = np.sqrt(of_one)[:, None] * np.sqrt(of_other)[None]
        sums = (one.sum(axis=1)[:, None], other.sum(axis=1)[None])
    else:
        n = _shared(np.ones_like(one) * here, there)
        squares = np.sqrt(_shared(one * one, there)) * np.sqrt(_shared(other * other, here)).T
        sums = (_shared(one, there), _shared(other, here).T) if kind == "pearson" else (dot, dot)
    with np.errstate(invalid="ignore", divide="ignore"):
        if kind == "pearson":
            vx = _shared(one * one, there) - sums[0] ** 2 / n
            vy = _shared(other * other, here).T - sums[1] ** 2 / n
            found = (dot - sums[0] * sums[1] / n) / np.sqrt(vx * vy)
        else:
            found = dot / squares
    found[n < FEWEST_GENES] = np.nan
    return np.asarray(np.clip(found, -1, 1, out=found), np.float32)


def _shared(values: Rows, is_there: npt.NDArray[np.bool_]) -> Rows:
    """Sum values over the genes that each row of the other side has: all of them, less those few that it lacks."""
    lacking = ~is_there
    if lacking.mean() > _MOSTLY_MISSING:
        return np.asarray(values @ is_there.T.astype(np.float32))
    from scipy.sparse import csr_array  # noqa: PLC0415, few need it

    return np.asarray(values.sum(axis=1)[:, None] - (csr_array(lacking.astype(np.float32)) @ values.T).T)


def write_similarities(
    warehouse: Warehouse,
    path: Path,
    *,
    score: Literal["cosine", "pearson"] = "cosine",
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
    with beside(path) as work, pq.ParquetWriter(work, schema, compression="zstd") as writer:
        for first in range(0, len(rows), ROWS_AT_ONCE):
            part = slice(first, first + ROWS_AT_ONCE)
            report(f"comparing {first:,} of {len(rows):,} signatures with all")
            found = similarities(rows[part], rows, score)
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
