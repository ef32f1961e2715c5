"""Sums of absolute or squared differences of all pairs of rows: the arithmetic of distances that no product gives."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from featurestore.metrics.rows import Matrix

Places = npt.NDArray[np.integer]
_ABREAST = 4
"""Rows of one side that are compared with a row of the other while that is at hand."""
_ANY_ORDER = {"reassoc", "nsz", "contract"}
"""Sums may be made in any order; NaN and infinity are what they are."""


@njit(nogil=True, cache=True, fastmath=_ANY_ORDER)
def sum_differences(
    ours: Matrix, hidden: Places, first_hidden: Places, theirs: Matrix, power: int, sums: Matrix
) -> None:
    """Sum the differences of every row of ours from every row of theirs, genes that a row hides left out.

    A hidden gene is given the value of the other side: it adds exactly nothing.

    Parameters
    ----------
    ours, theirs
        Rows without gaps, shape (rows, genes).
    hidden, first_hidden
        Genes that rows of ours hide, row by row, and where those of each row start and end.
    power
        1 for absolute differences, 2 for their squares.
    sums
        What is filled, shape (rows of ours, rows of theirs).
    """
    n, n_genes = ours.shape
    some = np.zeros((_ABREAST, n_genes))
    for first in range(0, n, _ABREAST):
        n_some = min(_ABREAST, n - first)
        some[:n_some] = ours[first : first + n_some]
        a, b, c, d = some[0], some[1], some[2], some[3]
        for q in range(len(theirs)):
            other = theirs[q]
            for k in range(n_some):
                for place in range(first_hidden[first + k], first_hidden[first + k + 1]):
                    some[k, hidden[place]] = other[hidden[place]]
            of_a, of_b, of_c, of_d = 0.0, 0.0, 0.0, 0.0
            if power == 2:  # noqa: PLR2004
                for g in range(n_genes):
                    value = other[g]
                    of_a += (a[g] - value) ** 2
                    of_b += (b[g] - value) ** 2
                    of_c += (c[g] - value) ** 2
                    of_d += (d[g] - value) ** 2
            else:
                for g in range(n_genes):
                    value = other[g]
                    of_a += abs(a[g] - value)
                    of_b += abs(b[g] - value)
                    of_c += abs(c[g] - value)
                    of_d += abs(d[g] - value)
            of_all = (of_a, of_b, of_c, of_d)
            for k in range(n_some):
                sums[first + k, q] = of_all[k]
