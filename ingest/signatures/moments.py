"""Means and variances of groups of cells, from their sums; a spread that rounding alone could have made is none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from ingest.kernel import UNIT
from ingest.reader import Numbers

Doubles = npt.NDArray[np.float64]

ROUNDING = 0.5 / UNIT
"""How far a value in a sum may be off."""

EPSILON = float(np.finfo(float).eps)


@dataclass(frozen=True, slots=True)
class Moments:
    """Means and variances of some groups of cells.

    ``n`` has shape (groups,); ``mean`` and ``variance`` (unbiased, NaN below two cells) have shape (groups, genes).
    """

    n: Doubles
    mean: Doubles
    variance: Doubles

    @classmethod
    def from_sums(cls, n: Doubles, total: Numbers, square: Numbers, unit: float = 1.0) -> Moments:
        """Derive moments from cell numbers, and sums and sums of squares in some unit.

        A spread that rounding alone could have made is none: cells that are all alike have variance 0.
        """
        mean, variance = np.empty(total.shape), np.empty(total.shape)
        _spread(n, total, square, unit, ROUNDING, mean, variance)
        return cls(n, mean, variance)


@njit(cache=True, nogil=True, error_model="numpy")
def _spread(
    n: Doubles, total: Numbers, square: Numbers, unit: float, off: float, mean: Doubles, variance: Doubles
) -> None:
    """Find moments; ``off`` is given, not taken from the module: a cached function does not see that it has changed."""
    for row in range(n.size):
        for gene in range(total.shape[1]):
            added, squares = total[row, gene] / unit, square[row, gene] / unit
            centre = added / n[row]
            spread = squares - added * centre
            rounding = n[row] * off * (1.0 + 2.0 * abs(centre)) + 4.0 * EPSILON * squares
            mean[row, gene] = centre
            variance[row, gene] = (spread if spread > rounding else 0.0) / (n[row] - 1.0)
        if n[row] <= 1.0:
            variance[row] = np.nan
