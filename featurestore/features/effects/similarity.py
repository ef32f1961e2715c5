"""How alike signatures are, all of one side with all of another: one product of matrices, whatever genes they lack.

A signature is a row of float32, as :func:`encoded` writes it: 0 where a gene was not measured, or is the target of its
perturbation, and :data:`ZERO` where its value is 0. So rows can be multiplied as they are.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from numba import njit

Kind = Literal["cosine", "pearson"]
Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]

ZERO = np.float32(1e-30)
"""What stands for a measured 0: no sum can tell, and no gene that is missing looks like it."""
FEWEST_GENES = 10
"""Shared genes below which there is no score."""
THREADS = min(8, os.cpu_count() or 1)
_LEAST_SHARE = 256
"""Rows that are worth a thread."""
_MOSTLY_MISSING = 0.02
"""Share of missing values above which the squares are multiplied as matrices too."""


def encoded(values: npt.ArrayLike) -> Rows:
    """Return values as rows that scores read; NaN is a gene that was not measured."""
    rows = np.array(values, np.float32)
    rows[rows == 0.0] = ZERO
    return np.nan_to_num(rows, copy=False, nan=0.0)


def in_shares(n_rows: int, work: Callable[[int, int], None]) -> None:
    """Call ``work(first, last)`` for shares of some rows, at the same time."""
    edges = np.linspace(0, n_rows, max(1, min(THREADS, n_rows // _LEAST_SHARE)) + 1).astype(int)
    if len(edges) == 2:  # noqa: PLR2004, one share
        work(0, n_rows)
        return
    with ThreadPoolExecutor(len(edges) - 1) as pool:
        list(pool.map(work, edges[:-1].tolist(), edges[1:].tolist()))


@dataclass(frozen=True)
class Side:
    """Signatures on one side of a comparison, with what is needed of each.

    Parameters
    ----------
    rows
        Encoded (:func:`encoded`).
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
    """Return the similarity of each row of one and each of the other, shape (rows, rows); see :func:`compare_sides`."""
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
