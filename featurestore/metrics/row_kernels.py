"""What metrics walk: rows of two sides, side by side, over the genes that both have, in double precision."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from featurestore.metrics.differences import ANY_ORDER
from featurestore.metrics.rows import RESOLUTION, Effects, Matrix, Scores


@njit(cache=True, nogil=True, fastmath=ANY_ORDER)
def correlate(predicted: Effects, measured: Effects, centre: Matrix, r: Scores) -> None:
    """Correlate the rows of two sides, each less the centre; NaN where a side does not vary, or has one gene.

    Parameters
    ----------
    predicted, measured
        Shape (rows, genes); NaN is missing.
    centre
        Shape (rows, genes), or (1, genes) for all rows; a gene without one is missing.
    r
        What is filled, shape (rows,).
    """
    for i in range(len(predicted)):
        a, b, c = predicted[i], measured[i], centre[i if len(centre) > 1 else 0]
        n = 0
        length_a = length_b = mean_a = mean_b = 0.0
        for g in range(len(a)):
            ours, theirs = np.float64(a[g]), np.float64(b[g])
            if np.isfinite(ours) and np.isfinite(theirs) and np.isfinite(c[g]):
                n += 1
                length_a += ours * ours
                length_b += theirs * theirs
                mean_a += ours - c[g]
                mean_b += theirs - c[g]
        mean_a /= max(n, 1)
        mean_b /= max(n, 1)
        of_a = of_b = of_both = 0.0
        for g in range(len(a)):
            ours, theirs = np.float64(a[g]), np.float64(b[g])
            if np.isfinite(ours) and np.isfinite(theirs) and np.isfinite(c[g]):
                ours -= c[g] + mean_a
                theirs -= c[g] + mean_b
                of_a += ours * ours
                of_b += theirs * theirs
                of_both += ours * theirs
        of_a, of_b = math.sqrt(of_a), math.sqrt(of_b)
        varies = of_a > RESOLUTION * math.sqrt(length_a) and of_b > RESOLUTION * math.sqrt(length_b)
        r[i] = min(max(of_both / (of_a * of_b), -1.0), 1.0) if varies and n > 1 else np.nan


@njit(cache=True, nogil=True, fastmath=ANY_ORDER)
def average_errors(predicted: Effects, measured: Effects, power: int, errors: Scores) -> None:
    """Average the errors of every row over the genes that both sides have; NaN where there are none.

    Parameters
    ----------
    predicted, measured
        Shape (rows, genes); NaN is missing.
    power
        1 for absolute errors, 2 for their squares.
    errors
        What is filled, shape (rows,).
    """
    for i in range(len(predicted)):
        a, b = predicted[i], measured[i]
        n = 0
        absolute = squared = 0.0
        for g in range(len(a)):
            ours, theirs = np.float64(a[g]), np.float64(b[g])
            if np.isfinite(ours) and np.isfinite(theirs):
                error = ours - theirs
                n += 1
                absolute += abs(error)
                squared += error * error
        errors[i] = (absolute if power == 1 else squared) / n if n else np.nan
