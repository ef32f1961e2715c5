"""Sums of absolute or squared differences of all pairs of rows: the arithmetic of distances that no product gives."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from featurestore.metrics.rows import Effects, Matrix, Truths

Places = npt.NDArray[np.integer]
AT_ONCE = 512
"""Genes whose differences are added up in the precision of the values, before they are added to a pair's sum."""
_ABREAST = 4
"""Rows of one side that are compared with a row of the other while that is at hand."""
ANY_ORDER = {"reassoc", "nsz", "contract"}
"""Sums may be made in any order; NaN and infinity are what they are."""


@njit(nogil=True, cache=True, fastmath=ANY_ORDER)
def sum_differences(
    ours: Effects, hidden: Places, first_hidden: Places, theirs: Effects, power: int, zero: np.floating, sums: Matrix
) -> None:
    """Sum the differences of every row of ours from every row of theirs, genes that a row hides left out.

    A hidden gene is given the value of the other side: it adds exactly nothing. Rows in single precision are twice as
    fast; see :data:`AT_ONCE` for what that costs.

    Parameters
    ----------
    ours, theirs
        Rows without gaps, shape (rows, genes), of one precision.
    hidden, first_hidden
        Genes that rows of ours hide, row by row, and where those of each row start and end.
    power
        1 for absolute differences, 2 for their squares.
    zero
        0 in the precision of the rows.
    sums
        What is filled, shape (rows of ours, rows of theirs).
    """
    n, n_genes = ours.shape
    sums[:] = 0.0
    for start in range(0, n_genes, AT_ONCE):
        end = min(start + AT_ONCE, n_genes)
        for first in range(0, n, _ABREAST):
            n_some = min(_ABREAST, n - first)
            some = np.zeros((_ABREAST, end - start), ours.dtype)
            some[:n_some] = ours[first : first + n_some, start:end]
            a, b, c, d = some[0], some[1], some[2], some[3]
            which, where = _hidden_between(hidden, first_hidden[first : first + n_some + 1], start, end)
            for q in range(len(theirs)):
                other = theirs[q, start:end]
                for i in range(len(which)):
                    some[which[i], where[i]] = other[where[i]]
                of_a = of_b = of_c = of_d = zero
                if power == 2:  # noqa: PLR2004
                    for g in range(len(other)):
                        value = other[g]
                        of_a += (a[g] - value) ** 2
                        of_b += (b[g] - value) ** 2
                        of_c += (c[g] - value) ** 2
                        of_d += (d[g] - value) ** 2
                else:
                    for g in range(len(other)):
                        value = other[g]
                        of_a += abs(a[g] - value)
                        of_b += abs(b[g] - value)
                        of_c += abs(c[g] - value)
                        of_d += abs(d[g] - value)
                of_all = (of_a, of_b, of_c, of_d)
                for k in range(n_some):
                    sums[first + k, q] += of_all[k]


@njit(nogil=True, cache=True, fastmath=ANY_ORDER)
def sum_of_pairs(
    ours: Effects, usable: Truths, theirs: Effects, first: Places, second: Places, power: int, sums: Matrix
) -> None:
    """Sum the differences of some pairs of rows in double precision, over the genes that both have.

    Parameters
    ----------
    ours, theirs
        Rows, shape (rows, genes); NaN in theirs is missing.
    usable
        Which genes of ours count, in the shape of ours.
    first, second
        Row of ours and row of theirs of each pair.
    power
        1 for absolute differences, 2 for their squares.
    sums
        What is filled: the sum of each pair, and the number of genes in it, shape (pairs, 2).
    """
    for k in range(len(first)):
        a, counts, b = ours[first[k]], usable[first[k]], theirs[second[k]]
        n = 0
        absolute = squared = 0.0
        for g in range(len(a)):
            value, other = np.float64(a[g]), np.float64(b[g])
            if counts[g] and np.isfinite(other):
                n += 1
                absolute += abs(value - other)
                squared += (value - other) ** 2
        sums[k, 0] = absolute if power == 1 else squared
        sums[k, 1] = n


@njit(nogil=True, cache=True)
def _hidden_between(hidden: Places, first_hidden: Places, start: int, end: int) -> tuple[Places, Places]:
    """Return what some rows hide of the genes from start to end: rows, and genes counted from start."""
    places = np.arange(first_hidden[0], first_hidden[-1])
    among = hidden[places]
    places = places[(among >= start) & (among < end)]
    return np.searchsorted(first_hidden, places, side="right") - 1, hidden[places] - start
