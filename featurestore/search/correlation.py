"""How alike two signatures are: cosine, Pearson and Spearman over shared genes.

Signatures are encoded, see :mod:`featurestore.features.effects.similarity`. Rows are read once; each core takes a share
of them. Sums are float64.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from featurestore.features.effects.similarity import FEWEST_GENES, Floats, Rows, in_shares


def correlate(rows: Rows, query: Rows, kind: str) -> tuple[Floats, Floats, npt.NDArray[np.int64]]:
    """Compare every row with a query.

    Parameters
    ----------
    rows
        Signatures, shape (signatures, genes), encoded.
    query
        The values of the query for the same genes, encoded.
    kind
        ``cosine``, ``pearson`` or ``spearman``.

    Returns
    -------
    The scores, NaN below :data:`FEWEST_GENES` shared genes or where one side does not vary; their z under the null that
    the sign of each gene's product is by chance; and the number of shared genes.
    """
    n = len(rows)
    score, z, shared = np.empty(n), np.empty(n), np.empty(n, np.int64)
    columns = np.flatnonzero(query).astype(np.int32)
    wanted = query[columns].astype(np.float32)
    kernel = _spearman if kind == "spearman" else _moments

    def work(first: int, last: int) -> None:
        part = slice(first, last)
        kernel(rows[part], columns, wanted, kind != "cosine", score[part], z[part], shared[part])

    in_shares(n, work)
    return score, z, shared


def count_known(rows: Rows, columns: npt.NDArray[np.intp]) -> npt.NDArray[np.int64]:
    """Count for each row those of some genes that it has, shape (rows,)."""
    counts = np.zeros(len(rows), np.int64)
    wanted = np.asarray(columns, np.int32)
    in_shares(len(rows), lambda first, last: _count(rows[first:last], wanted, counts[first:last]))
    return counts


@njit(cache=True, nogil=True)
def _count(rows: Rows, columns: npt.NDArray[np.int32], counts: npt.NDArray[np.int64]) -> None:
    for i in range(rows.shape[0]):
        for column in columns:
            counts[i] += rows[i, column] != 0


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz", "arcp"})
def _moments(
    rows: Rows,
    columns: npt.NDArray[np.int32],
    query: Rows,
    is_centred: bool,  # noqa: FBT001
    score: Floats,
    z: Floats,
    shared: npt.NDArray[np.int64],
) -> None:
    m = columns.size
    is_whole = m == rows.shape[1]
    kept = np.empty(m, np.float32)
    for i in range(rows.shape[0]):
        if is_whole:
            kept[:] = rows[i]
        else:
            for k in range(m):
                kept[k] = rows[i, columns[k]]
        score[i], z[i], shared[i] = _pair(kept, query, is_centred)


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz", "arcp"})
def _pair(one: Rows, other: Rows, is_centred: bool) -> tuple[float, float, int]:  # noqa: FBT001
    """Cosine or Pearson's r, z of the centred products, and the number of genes that ``one`` has."""
    n, sx, sy, sxx, syy, sxy = 0, 0.0, 0.0, 0.0, 0.0, 0.0
    for k in range(one.size):
        is_here = one[k] != 0
        x = np.float64(one[k])
        y = np.float64(other[k]) if is_here else 0.0
        n += 1 if is_here else 0
        sx += x
        sy += y
        sxx += x * x
        syy += y * y
        sxy += x * y
    if n < FEWEST_GENES:
        return np.nan, np.nan, n
    mx, my = sx / n, sy / n
    squares = 0.0
    for k in range(one.size):
        is_here = one[k] != 0
        product = (np.float64(one[k]) - mx) * (np.float64(other[k]) - my) if is_here else 0.0
        squares += product * product
    covariance, vx, vy = sxy - n * mx * my, sxx - n * mx * mx, syy - n * my * my
    if not (sxx > 0.0 and syy > 0.0) or (is_centred and not (vx > 1e-12 * sxx and vy > 1e-12 * syy)):
        return np.nan, np.nan, n
    r = covariance / np.sqrt(vx * vy) if is_centred else sxy / np.sqrt(sxx * syy)
    return min(1.0, max(-1.0, r)), covariance / np.sqrt(squares) if squares > 0.0 else 0.0, n


@njit(cache=True, nogil=True)
def _mean_ranks(values: Rows, ranks: Rows) -> None:
    """Write the ranks of values, from 1, the mean of them where they are equal."""
    order = np.argsort(values, kind="mergesort")
    first = 0
    while first < values.size:
        last = first
        while last + 1 < values.size and values[order[last + 1]] == values[order[first]]:
            last += 1
        for k in range(first, last + 1):
            ranks[order[k]] = 0.5 * (first + last) + 1.0
        first = last + 1


@njit(cache=True, nogil=True)
def _spearman(
    rows: Rows,
    columns: npt.NDArray[np.int32],
    query: Rows,
    is_centred: bool,  # noqa: FBT001
    score: Floats,
    z: Floats,
    shared: npt.NDArray[np.int64],
) -> None:
    m = columns.size
    one, other = np.empty(m, np.float32), np.empty(m, np.float32)
    ranks, whole, part = np.empty(m, np.float32), np.empty(m, np.float32), np.empty(m, np.float32)
    _mean_ranks(query, whole)
    for i in range(rows.shape[0]):
        n = 0
        for k in range(m):
            x = rows[i, columns[k]]
            if x != 0:
                one[n], other[n] = x, query[k]
                n += 1
        _mean_ranks(one[:n], ranks[:n])
        if n == m:
            score[i], z[i], shared[i] = _pair(ranks, whole, is_centred)
        else:
            _mean_ranks(other[:n], part[:n])
            score[i], z[i], shared[i] = _pair(ranks[:n], part[:n], is_centred)
