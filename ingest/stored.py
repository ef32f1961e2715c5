"""What stored numbers are like, in one compiled pass: their range, whether they are whole, and whether indices rise."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from ingest.reader import Integers, Numbers


@njit(cache=True, nogil=True)
def rises(indptr: Integers, indices: Integers) -> bool:
    """Say whether the indices of every row are in order and none is given twice."""
    n_falls = 0
    for k in range(1, indices.size):
        n_falls += indices[k] <= indices[k - 1]
    for row in range(1, indptr.size - 1):  # a row may begin below the end of the row before
        first = indptr[row]
        if indptr[row + 1] > first > 0:
            n_falls -= indices[first] <= indices[first - 1]
    return n_falls == 0


@njit(cache=True, nogil=True)
def fits(indptr: Integers, indices: Integers, end: int) -> bool:
    """Say whether the indices of every row rise, from 0 at least to below ``end``."""
    n_outside = 0
    for k in range(indices.size):
        n_outside += (indices[k] < 0) | (indices[k] >= end)
    return n_outside == 0 and rises(indptr, indices)


@njit(cache=True, nogil=True)
def count_fractional(data: Numbers) -> int:
    """Count the values that are not whole, of such as are all finite."""
    n_fractional = 0
    for k in range(data.size):
        n_fractional += data[k] != np.floor(data[k])
    return n_fractional


@njit(cache=True, nogil=True)
def survey(data: Numbers) -> tuple[float, float, int, int]:
    """Return the smallest and largest value, how many are not whole, and how many are not finite."""
    smallest, largest = math.inf, -math.inf
    n_fractional, n_undefined = 0, 0
    for k in range(data.size):
        value = data[k]
        if not math.isfinite(value):
            n_undefined += 1
            continue
        smallest = min(smallest, value)
        largest = max(largest, value)
        if value != np.floor(value):
            n_fractional += 1
    return smallest, largest, n_fractional, n_undefined
