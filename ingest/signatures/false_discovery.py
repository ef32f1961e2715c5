"""False discovery rates: how many of the genes with so small a p would have one where nothing happened.

Every condition has as many p-values as there are genes, so they are not sorted by comparisons but put in places, about
as many as genes, by a function of p that is as steep where p is near 1 as where it is 1e-300.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from featurestore.contract import FALSE_DISCOVERY_RATE

Doubles = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.int32]

N_PLACES = 2**14
"""Places that p-values are put in."""
BIAS, OCTAVE = 1023.0, 2.0**-52
"""A double is, read as a whole number, almost its base-2 logarithm: bits x 2**-52 - 1023."""


def benjamini_hochberg(p_value: Doubles, p_of_none: Doubles | None = None) -> Doubles:
    """Adjust p-values for the false discovery rate along the last axis; NaN is no test and stays NaN.

    Parameters
    ----------
    p_value
        Shape (conditions, genes), or (genes,).
    p_of_none
        The p-value of no count at all, where counts were tested. A gene of which so few are expected that none of them
        would not have as small a p can have it by too many counts only, and counts as half a test. Same shape.

    References
    ----------
    Benjamini and Hochberg (1995), https://doi.org/10.1111/j.2517-6161.1995.tb02031.x; of discrete tests, Heyse (2011),
    https://doi.org/10.1142/9789814366533_0015
    """
    rows = np.ascontiguousarray(np.atleast_2d(p_value), np.float64)
    none = rows[:, :0] if p_of_none is None else np.ascontiguousarray(np.atleast_2d(p_of_none), np.float64)
    adjusted = np.empty_like(rows)
    _adjust(rows, rows.view(np.int64), none, np.ascontiguousarray(none).view(np.int64), adjusted)
    return adjusted.reshape(p_value.shape)


def significant(q_value: Doubles, is_counted: npt.NDArray[np.bool_] | None = None) -> tuple[Whole, Doubles]:
    """Return how many genes are significant in each condition, of those that count, and the least q; NaN for none.

    Both have shape (conditions,); all genes count by default.
    """
    is_counted = np.ones(q_value.shape, bool) if is_counted is None else is_counted
    number, least = np.empty(len(q_value), np.int64), np.empty(len(q_value))
    _significant(q_value, is_counted, number, least)
    return number, least


@njit(cache=True, nogil=True)
def _significant(q_value: Doubles, is_counted: npt.NDArray[np.bool_], number: Whole, least: Doubles) -> None:
    for row in range(number.size):
        n_below, smallest = 0, np.inf
        for gene in range(q_value.shape[1]):
            if is_counted[row, gene] and q_value[row, gene] < np.inf:
                n_below += q_value[row, gene] < FALSE_DISCOVERY_RATE
                smallest = min(smallest, q_value[row, gene])
        number[row], least[row] = n_below, smallest if smallest < np.inf else np.nan


@njit(cache=True, nogil=True)
def _adjust(p_value: Doubles, p_bits: Whole, none: Doubles, none_bits: Whole, adjusted: Doubles) -> None:
    """Adjust each row; ``none`` has no columns where no counts were tested, and bits are the same numbers as whole."""
    n_genes = p_value.shape[1]
    first, place = np.empty(N_PLACES + 2, np.int32), np.empty(n_genes, np.int32)
    order, unused = np.empty(n_genes, np.int32), np.empty(n_genes, np.int32)
    ranked, lowest = np.empty(n_genes), np.empty(n_genes)
    for row in range(p_value.shape[0]):
        n_tests = _descending(p_value[row], p_value[row], p_bits[row], first, place, ranked, order)
        n_lower = n_tests
        if none.shape[1]:
            _descending(none[row], p_value[row], none_bits[row], first, place, lowest, unused)
        adjusted[row] = np.nan
        least = 1.0
        for at in range(n_tests):
            value = ranked[at]
            n_possible = float(n_tests)
            if none.shape[1]:
                while n_lower > 0 and lowest[n_tests - n_lower] > value:
                    n_lower -= 1
                n_possible = 0.5 * (n_tests + n_lower)
            least = min(least, max(value * n_possible / (n_tests - at), value))
            adjusted[row, order[at]] = least


@njit(cache=True, nogil=True)
def _descending(
    values: Doubles, tested: Doubles, bits: Whole, first: Numbers, place: Numbers, ranked: Doubles, order: Numbers
) -> int:
    """Sort the values of what was tested, largest first; return how many they are."""
    for gene in range(values.size):  # several at a time
        below = max(BIAS - bits[gene] * OCTAVE, 0.0)
        place[gene] = N_PLACES if np.isnan(tested[gene]) else int(N_PLACES * (below / (1.0 + below)))
    first[:] = 0
    for gene in range(values.size):
        first[place[gene] + 1] += 1
    for at in range(1, first.size):
        first[at] += first[at - 1]
    n_tests = first[N_PLACES]
    for gene in range(values.size):  # what was not tested comes last
        at = first[place[gene]]
        first[place[gene]] += 1
        ranked[at], order[at] = values[gene], gene
    for last in range(1, n_tests):  # those of one place, which are few
        value = ranked[last]
        if ranked[last - 1] < value:
            at, gene = last, order[last]
            while at > 0 and ranked[at - 1] < value:
                ranked[at], order[at] = ranked[at - 1], order[at - 1]
                at -= 1
            ranked[at], order[at] = value, gene
    return int(n_tests)
