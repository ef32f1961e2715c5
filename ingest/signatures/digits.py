"""How many digits of a number a release keeps: no more than are known of it, since most of a release is such digits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

Doubles = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

CUT_BITS = 32
"""Last bits of a double that are not kept: what is left, three bytes and its size, is off by a millionth at most."""
ROUNDED_BITS = 8
"""Last bits of a single that are rounded off: what is left is off by 1.6e-5 of itself at most."""
LEAST_NORMAL = int(np.finfo(np.float64).tiny.view(np.int64))
"""The bits, as a whole number, of the smallest double that has all digits."""


def cut(values: Doubles) -> Doubles:
    """Cut numbers to six digits, three bytes of a release rather than seven: p is no more than it was, and q no less.

    Examples
    --------
    >>> cut(np.array([1.0, 0.3, 5e-324])).tolist()
    [1.0, 0.2999999523162842, 5e-324]
    """
    kept = np.empty(values.shape)
    _cut(values.reshape(-1).view(np.int64), kept.reshape(-1).view(np.int64))
    return kept


@njit(cache=True, nogil=True)
def _cut(bits: npt.NDArray[np.int64], kept: npt.NDArray[np.int64]) -> None:
    for at in range(bits.size):
        kept[at] = bits[at] & -(1 << CUT_BITS) if bits[at] >= LEAST_NORMAL else bits[at]


def rounded(values: Doubles) -> Singles:
    """Round numbers to 16 bits, nearly five digits: two bytes of a release and their size, not three; NaN stays.

    Examples
    --------
    >>> rounded(np.array([1.0, -0.3, np.inf])).tolist()
    [1.0, -0.3000030517578125, inf]
    """
    kept = values.astype(np.float32)
    _round(kept.reshape(-1).view(np.int32))
    return kept


@njit(cache=True, nogil=True)
def _round(bits: npt.NDArray[np.int32]) -> None:
    half, last = (1 << (ROUNDED_BITS - 1)) - 1, -(1 << ROUNDED_BITS)
    for at in range(bits.size):
        bits[at] = (bits[at] + half + ((bits[at] >> ROUNDED_BITS) & 1)) & last
