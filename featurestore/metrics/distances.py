"""Distances of every prediction from every measured effect, over the genes that both have and the prediction shows.

L1 and L2 are first summed in single precision. What then is as near as the row's own, to within the error of that, is
summed again in double precision: which others are nearer is the same as if all were.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from featurestore.metrics.rows import Effects, Matrix, Scores, Truths, ratio

Distance = Literal["l1", "l2", "cosine"]
Rows = npt.NDArray[np.intp]

TIE = 1e-12
"""Distances closer than this tie: equal effects need not give equal sums in the last bit."""
_ROWS_AT_ONCE = 128
_ROUNDINGS = 8
"""Of a difference in single precision, beside those of its sum."""
_TINY = 2 * float(np.finfo(np.float32).tiny)
"""What a difference of values too small for single precision may be wrong by."""
_THREADS = min(4, os.cpu_count() or 1)


@dataclass(frozen=True)
class _Pattern:
    """Measured rows that have the same genes: which genes, which rows, and their effects with 0 for missing."""

    present: Truths
    rows: Rows
    effects: Effects

    @cached_property
    def single(self) -> npt.NDArray[np.float32]:
        """Effects in single precision."""
        return _narrow(self.effects)

    @cached_property
    def double(self) -> Matrix:
        """Effects in double precision."""
        return self.effects.astype(np.float64, copy=False)

    @cached_property
    def squares(self) -> Matrix:
        """Squared effects, in double precision."""
        return np.square(self.double)


def _patterns(measured: Effects) -> list[_Pattern]:
    finite = np.isfinite(measured)
    if finite.all():
        return [_Pattern(finite[0], np.arange(len(measured)), measured)] if len(measured) else []
    found, group = np.unique(finite, axis=0, return_inverse=True)
    members = [np.flatnonzero(group == i) for i in range(len(found))]
    return [_Pattern(found[i], rows, np.nan_to_num(measured[rows])) for i, rows in enumerate(members)]


@dataclass(frozen=True, slots=True)
class _Shown:
    """Predicted rows that follow each other: which, which of their genes are shown, and effects with 0 for others."""

    rows: slice
    usable: Truths
    effects: Effects

    @staticmethod
    def of(rows: slice, predicted: Effects, skip: Truths) -> _Shown:
        """Take some rows of all that are predicted, and of what each leaves out."""
        usable = np.isfinite(predicted[rows]) & ~skip[rows]
        return _Shown(rows, usable, np.where(usable, predicted[rows], predicted.dtype.type(0)))


def distances(
    predicted: Effects, measured: Effects, skip: Truths, distance: Distance
) -> Iterator[tuple[slice, Matrix]]:
    """Yield rows that follow each other, and their distances to every measured row: means over the genes they share.

    NaN where they share none.

    Parameters
    ----------
    predicted, measured
        Effects of one precision, shape (rows, genes); NaN is missing.
    skip
        Genes that are left out of the distances of each predicted row.
    distance
        Which distance. Where it is not the cosine, only those to rows as near as the row's own are exact.
    """
    patterns = _patterns(measured)
    power = 2 if distance == "l2" else 1
    lengths = [] if distance == "cosine" else [_lengths(each.effects, power) for each in patterns]

    def look(rows: slice) -> tuple[slice, Matrix]:
        shown = _Shown.of(rows, predicted, skip)
        if distance != "cosine":
            return rows, _differences(shown, measured, patterns, lengths, power)
        d = np.full((len(shown.effects), len(measured)), np.nan)
        for pattern in patterns:
            d[:, pattern.rows] = _cosine(shown, pattern)
        return rows, d

    shares = [slice(first, first + _ROWS_AT_ONCE) for first in range(0, len(predicted), _ROWS_AT_ONCE)]
    if len(shares) <= 1:
        yield from map(look, shares)
        return
    with ThreadPoolExecutor(min(_THREADS, len(shares))) as pool:
        yield from pool.map(look, shares)


def _narrow(values: Effects) -> npt.NDArray[np.float32]:
    with np.errstate(over="ignore"):
        return values.astype(np.float32, copy=False)


def _pairs(ours: Effects, usable: Truths, theirs: Effects, pairs: tuple[Rows, Rows], power: int) -> Matrix:
    """Sum the differences of pairs of rows, and count their genes, shape (2, pairs)."""
    from featurestore.metrics.differences import sum_of_pairs  # noqa: PLC0415, numba takes half a second

    sums: Matrix = np.empty((len(pairs[0]), 2))
    sum_of_pairs(ours, usable, theirs, *pairs, power, sums)
    return sums.T


def _lengths(effects: Effects, power: int) -> Scores:
    """Sum what the distance of each row from no effect is made of: what a distance could be wrong by is a share."""
    n = len(effects)
    nothing, every = np.zeros((1, effects.shape[1]), effects.dtype), np.ones(effects.shape, dtype=bool)
    return np.asarray(_pairs(effects, every, nothing, (np.arange(n), np.zeros(n, dtype=np.intp)), power)[0])


def _differences(
    shown: _Shown, measured: Effects, patterns: list[_Pattern], lengths: list[Scores], power: int
) -> Matrix:
    """L1 or squared L2 distance per shared gene; exact for the row's own, and for those that may be as near."""
    d, error = np.full((2, len(shown.effects), len(measured)), np.nan)
    for pattern, length in zip(patterns, lengths, strict=True):
        d[:, pattern.rows], error[:, pattern.rows] = _rough(shown, pattern, length, power)
    place = np.arange(len(shown.effects))
    itself = place, place + shown.rows.start
    own = ratio(*_pairs(shown.effects, shown.usable, measured, itself, power))
    near = ~np.isnan(d) & ~(np.abs(own[:, None] - d) > error + TIE)
    near[itself] = False
    row, other = np.nonzero(near)
    d[row, other] = ratio(*_pairs(shown.effects, shown.usable, measured, (row, other), power))
    d[itself] = own
    return d


def _rough(shown: _Shown, pattern: _Pattern, lengths: Scores, power: int) -> tuple[Matrix, Matrix]:
    """Distances from sums in single precision, and their largest possible errors; NaN where no gene is shared."""
    from featurestore.metrics.differences import AT_ONCE, sum_differences  # noqa: PLC0415, numba takes half a second

    hidden, ours = pattern.present & ~shown.usable, shown.effects
    if not pattern.present.all():
        ours = ours * pattern.present
    n_hidden = hidden.sum(axis=1)
    n_shared = (int(pattern.present.sum()) - n_hidden)[:, None]
    first_hidden = np.append(0, np.cumsum(n_hidden))
    sums: Matrix = np.empty((len(ours), len(pattern.rows)))
    sum_differences(_narrow(ours), np.nonzero(hidden)[1], first_hidden, pattern.single, power, np.float32(0), sums)
    sums[np.isnan(sums)] = np.inf
    unit = power**2 * (AT_ONCE + _ROUNDINGS) * float(np.finfo(np.float32).eps) / 2
    error = unit * (_lengths(ours, power)[:, None] + lengths) + _TINY * len(pattern.present)
    error = np.where(np.isfinite(sums), error, np.inf) / np.maximum(n_shared, 1)
    return np.where(n_shared > 0, sums / np.maximum(n_shared, 1), np.nan), error


def _cosine(shown: _Shown, pattern: _Pattern) -> Matrix:
    """Cosine distance over the shared genes; 1 where either side has no length, NaN where no gene is shared."""
    predicted, by_all = shown.effects.astype(np.float64, copy=False), shown.usable.all(axis=0)
    lengths = shown.usable[:, ~by_all].astype(np.float64) @ pattern.squares[:, ~by_all].T
    lengths = np.sqrt(lengths + pattern.squares @ by_all)
    lengths *= np.sqrt(np.square(predicted) @ pattern.present)[:, None]
    cosine = np.zeros(lengths.shape)
    np.divide(predicted @ pattern.double.T, lengths, out=cosine, where=lengths > 0)
    is_shared = np.asarray((shown.usable & pattern.present).any(axis=1))
    return np.where(is_shared[:, None], 1 - cosine, np.nan)
