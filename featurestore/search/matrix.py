"""All against all: the similarity of signatures with each other, as one product of matrices where genes allow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from numba import njit

from featurestore.errors import QueryError
from featurestore.search.engine import Report, conditions_where, signatures_of
from featurestore.search.scores import FEWEST_GENES, Rows, in_shares
from featurestore.storage.whole import beside

if TYPE_CHECKING:
    from featurestore.query.warehouse import Warehouse

ROWS_AT_ONCE = 500
"""Lines of the matrix that are made and written at once."""
_MOSTLY_MISSING = 0.02
"""Share of missing values above which the squares are multiplied as matrices too."""
Kind = Literal["cosine", "pearson"]
Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Side:
    """Signatures on one side of a comparison, with what is needed of each.

    Parameters
    ----------
    rows
        Encoded (:func:`featurestore.search.scores.encoded`).
    sums, squares
        Sum of each row, and of its squares.
    gaps, first_gap
        Genes that rows lack, row by row, and where those of each row start and end.
    """

    rows: Rows
    sums: Floats
    squares: Floats
    gaps: Places
    first_gap: Places

    @staticmethod
    def of(rows: Rows) -> Side:
        """Look at signatures once."""
        lacking, gaps = np.nonzero(rows == 0)
        first_gap = np.searchsorted(lacking, np.arange(len(rows) + 1))
        sums = rows.sum(axis=1, dtype=np.float64)
        squares = np.einsum("ij,ij->i", rows, rows, dtype=np.float64)
        return Side(rows, sums, squares, gaps, first_gap.astype(np.int64))

    @property
    def share_missing(self) -> float:
        """Missing values among all."""
        return float((self.first_gap[-1] - self.first_gap[0]) / max(self.rows.size, 1))

    def part(self, first: int, last: int) -> Side:
        """Return some of the signatures."""
        few = slice(first, last)
        return Side(self.rows[few], self.sums[few], self.squares[few], self.gaps, self.first_gap[first : last + 1])


def similarities(one: Rows, other: Rows, kind: Kind = "cosine") -> npt.NDArray[np.float32]:
    """Return the similarity of every row with every other; see :func:`compare_sides`."""
    here = Side.of(one)
    return compare_sides(here, here if one is other else Side.of(other), kind)


def compare_sides(one: Side, other: Side, kind: Kind = "cosine") -> npt.NDArray[np.float32]:
    """Return the similarity of every row with every other over the genes that both have, shape (ones, others).

    NaN below ten shared genes, and where one side does not vary. One product of matrices gives the sums of products;
    sums and norms are over all genes of a row, less the few that the other lacks.
    """
    found = one.rows @ other.rows.T
    if max(one.share_missing, other.share_missing) > _MOSTLY_MISSING:
        return _over_many_gaps(found, one.rows, other.rows, kind)

    def work(first: int, last: int) -> None:
        here = one.part(first, last)
        _divide(
            found[first:last],
            *(here.rows, here.sums, here.squares, here.gaps, here.first_gap),
            *(other.rows, other.sums, other.squares, other.gaps, other.first_gap),
            kind == "pearson",
        )

    in_shares(len(one.rows), work)
    return found


@njit(cache=True, nogil=True)
def _divide(
    found: Rows,
    one: Rows,
    one_sums: Floats,
    one_squares: Floats,
    one_gaps: Places,
    one_first: Places,
    other: Rows,
    other_sums: Floats,
    other_squares: Floats,
    other_gaps: Places,
    other_first: Places,
    is_centred: bool,  # noqa: FBT001
) -> None:
    """Turn sums of products into similarities."""
    n_genes = one.shape[1]
    for i in range(found.shape[0]):
        gaps = one_gaps[one_first[i] : one_first[i + 1]]
        for j in range(found.shape[1]):
            n = n_genes - gaps.size
            sx, sxx, sy, syy = one_sums[i], one_squares[i], other_sums[j], other_squares[j]
            for at in range(other_first[j], other_first[j + 1]):
                x = np.float64(one[i, other_gaps[at]])
                n -= x != 0
                sx -= x
                sxx -= x * x
            for gap in gaps:
                y = np.float64(other[j, gap])
                sy -= y
                syy -= y * y
            xy = np.float64(found[i, j])
            if is_centred and n > 0:
                xy, sxx, syy = xy - sx * sy / n, sxx - sx * sx / n, syy - sy * sy / n
            is_known = n >= FEWEST_GENES and sxx > 0.0 and syy > 0.0
            found[i, j] = min(1.0, max(-1.0, xy / np.sqrt(sxx * syy))) if is_known else np.nan


def _over_many_gaps(dot: Rows, one: Rows, other: Rows, kind: Kind) -> npt.NDArray[np.float32]:
    """Turn sums of products into similarities, the sums over shared genes being products of matrices too."""
    here, there = (np.asarray(rows != 0, np.float32) for rows in (one, other))
    n = here @ there.T
    squares = np.square(one) @ there.T, here @ np.square(other).T
    with np.errstate(invalid="ignore", divide="ignore"):
        if kind == "pearson":
            sums = one @ there.T, here @ other.T
            dot -= sums[0] * sums[1] / n
            squares = squares[0] - sums[0] ** 2 / n, squares[1] - sums[1] ** 2 / n
        found = dot / np.sqrt(squares[0] * squares[1])
    found[n < FEWEST_GENES] = np.nan
    return np.asarray(np.clip(found, -1, 1, out=found), np.float32)


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
