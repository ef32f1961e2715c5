"""What rows of logarithms add up to in a base, and in which base they are logarithms of counts."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ingest.sums.some_rows import ROWS_AT_ONCE, Csr

BASES = (math.e, 2.0, 10.0)
SAME_TOTAL = 1e-3
"""Coefficient of variation below which totals are one number; in another base it is some percent."""
FEWEST_ROWS = 3
"""Rows by which anything is concluded, at least; so with the multiples in a row."""
SMALL, NEAR_WHOLE = 20.0, 0.02
"""Multiples of a row's smallest value up to the first tell its base; they are whole within the second."""
WHOLE, NOT_WHOLE = 0.9, 0.6
"""Least part of the multiples that are whole in the right base, and most of them in a wrong one."""
Doubles = npt.NDArray[np.float64]


def totals_in(rows: Csr, base: float) -> Doubles:
    """Add up the rows that have values, not as logarithms."""
    with np.errstate(over="ignore"):
        values = np.expm1(rows.data * math.log(base))
    totals = np.bincount(np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr)), values, minlength=rows.shape[0])
    return np.asarray(totals[totals > 0], np.float64)


def are_one(totals: Doubles) -> bool:
    """Say whether rows, of which there are some, add up to one number."""
    if totals.size < FEWEST_ROWS or not np.isfinite(totals).all():
        return False
    shares = totals / totals.max()  # whose squares are finite, as those of what no logarithms are logarithms of are not
    return bool(shares.std() < SAME_TOTAL * shares.mean())


def base_of_counts(rows: Csr) -> float | None:
    """Find the base in which the small values of rows are whole multiples of the smallest; None where none is it."""
    shares = {base: _whole_share(rows, base) for base in BASES}
    best = max(shares, key=lambda base: shares[base])
    others = [share for base, share in shares.items() if base != best]
    return best if shares[best] > WHOLE and max(others) < NOT_WHOLE else None


def _whole_share(rows: Csr, base: float) -> float:
    shares = []
    for first, last in zip(rows.indptr[:ROWS_AT_ONCE], rows.indptr[1:], strict=False):
        values = np.unique(rows.data[first:last])
        counts = np.expm1(values[values > 0] * math.log(base))
        multiples = counts[1:] / counts[:1] if counts.size > 1 else counts[:0]
        multiples = multiples[multiples < SMALL]
        if multiples.size >= FEWEST_ROWS:
            shares.append(float((np.abs(multiples - np.round(multiples)) < NEAR_WHOLE).mean()))
    return float(np.median(shares)) if len(shares) >= FEWEST_ROWS else 0.0
