"""Perturbation discrimination: is a prediction nearer to its own measured effect than to those of others."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from featurestore.metrics.registry import metric
from featurestore.metrics.rows import Effects, Labels, Matrix, Scores, Truths, checked, ratio

Distance = Literal["l1", "l2", "cosine"]

_TIE = 1e-12
"""Distances closer than this tie: equal effects need not give equal sums in the last bit."""
_ROWS_AT_ONCE = 128
_ROUNDINGS = 8
"""Of a difference in single precision, beside those of its sum."""
_TINY = 2 * float(np.finfo(np.float32).tiny)
"""What a difference of values too small for single precision may be wrong by."""
_THREADS = min(4, os.cpu_count() or 1)


@metric("PDS", best=1.0, chance=0.5)
def pds(
    predicted: Effects,
    measured: Effects,
    *,
    distance: Distance = "l1",
    left_out: Truths | None = None,
    labels: Labels | None = None,
) -> Scores:
    r"""Perturbation discrimination score: is a prediction nearest to its own measured effect of all, by L1 distance.

    .. math:: 1 - k / (n - 1), \quad k = \#\text{nearer} + \tfrac12 \#\text{as near}

    over the ``n - 1`` other measured perturbations. Best value 1, chance 0.5, worst 0; undefined without competitors.

    Loophole: With L1 and L2 larger predicted effects score higher whatever their direction, so report the cosine,
    which is blind to scale, beside them; and the target's own knock-down gives it away, hence ``left_out``.

    Source: ``discrimination_score_*`` of cell-eval 0.8.2, whose value is ``1 - k / n`` with ties broken by position, so
    perfect is 1, chance ``(n + 1) / 2n``, and ours is ``1 - (1 - theirs) * n / (n - 1)`` where nothing ties. The scale
    and the half ties are those of ``pds_cosine`` in cell-eval2 (Virtual Cell Challenge 2026).

    Parameters
    ----------
    distance
        ``l1``, ``l2`` or ``cosine``; averaged over the genes that a pair shares. With ``cosine`` a vector of zeros is
        at distance 1 from everything.
    left_out
        Genes that are left out of row p's distances, its own targets above all; shape (perturbations, genes).
    labels
        Perturbation of each row, where several rows share one: those do not compete with each other.
    """
    if distance not in get_args(Distance):
        raise ValueError(f"distance is one of {', '.join(get_args(Distance))}; got {distance!r}")
    predicted, measured = checked(predicted, measured)
    n = len(measured)
    skip = np.zeros(measured.shape, dtype=bool) if left_out is None else left_out
    names = np.arange(n) if labels is None else np.asarray(labels)
    scores = np.full(n, np.nan)
    for rows, d in _distances(predicted, measured, skip, distance):
        own = d[np.arange(len(rows)), rows]
        rivals = (names[rows][:, None] != names) & np.isfinite(d)
        ahead = own[:, None] - d
        k = ((ahead > _TIE) & rivals).sum(axis=1) + ((np.abs(ahead) <= _TIE) & rivals).sum(axis=1) / 2
        defined = rivals.any(axis=1) & np.isfinite(own)
        scores[rows[defined]] = 1 - k[defined] / rivals.sum(axis=1)[defined]
    return scores


@metric("PDS L2", best=1.0, chance=0.5)
def pds_l2(
    predicted: Effects, measured: Effects, left_out: Truths | None = None, labels: Labels | None = None
) -> Scores:
    """Perturbation discrimination score by Euclidean distance; see :func:`pds`.

    Loophole: Larger predicted effects score higher whatever their direction, more so than with L1.

    Source: ``discrimination_score_l2`` of cell-eval 0.8.2, on the scale of :func:`pds`.
    """
    return pds(predicted, measured, distance="l2", left_out=left_out, labels=labels)


@metric("PDS cosine", best=1.0, chance=0.5)
def pds_cosine(
    predicted: Effects, measured: Effects, left_out: Truths | None = None, labels: Labels | None = None
) -> Scores:
    """Perturbation discrimination score by cosine distance, which is blind to scale; see :func:`pds`.

    Loophole: Blind to scale: a prediction of the right direction and absurd size is perfect; read it with the MAE.

    Source: ``discrimination_score_cosine`` of cell-eval 0.8.2, on the scale of :func:`pds`.
    """
    return pds(predicted, measured, distance="cosine", left_out=left_out, labels=labels)


@dataclass(frozen=True, slots=True)
class _Pattern:
    """Rows that have the same genes: which genes, which rows, and their effects with 0 for missing."""

    present: Truths
    rows: npt.NDArray[np.intp]
    effects: Matrix


@dataclass(frozen=True, slots=True)
class _Rough:
    """Effects of a pattern in single precision, and the sums of what a distance could be made of, shape (rows,)."""

    pattern: _Pattern
    effects: npt.NDArray[np.float32]
    sizes: Scores

    @staticmethod
    def of(pattern: _Pattern, power: int) -> _Rough:
        return _Rough(pattern, _narrow(pattern.effects), _terms(pattern.effects, power).sum(axis=1))


def _patterns(measured: Matrix) -> list[_Pattern]:
    finite = np.isfinite(measured)
    if finite.all():
        return [_Pattern(finite[0], np.arange(len(measured)), measured)]
    found, group = np.unique(finite, axis=0, return_inverse=True)
    members = [np.flatnonzero(group == i) for i in range(len(found))]
    return [_Pattern(found[i], rows, np.nan_to_num(measured[rows])) for i, rows in enumerate(members)]


def _distances(
    predicted: Matrix, measured: Matrix, skip: Truths, distance: Distance
) -> Iterator[tuple[npt.NDArray[np.intp], Matrix]]:
    """Yield rows and their distances to every measured row, a mean over shared genes; NaN where none is shared.

    L1 and L2 are first summed in single precision. What then is as near as the row's own, to within the error of that,
    is summed again in double precision: which others are nearer is the same as if all were.
    """
    patterns = _patterns(measured) if len(measured) else []
    power = 2 if distance == "l2" else 1
    rough = [] if distance == "cosine" else [_Rough.of(pattern, power) for pattern in patterns]

    def look(rows: npt.NDArray[np.intp]) -> tuple[npt.NDArray[np.intp], Matrix]:
        usable = np.isfinite(predicted[rows]) & ~skip[rows]
        some = np.where(usable, predicted[rows], 0.0)
        d, error = np.full((2, len(rows), len(measured)), np.nan)
        for pattern in patterns if distance == "cosine" else ():
            d[:, pattern.rows] = _cosine(some, usable, pattern)
        for each in rough:
            d[:, each.pattern.rows], error[:, each.pattern.rows] = _sums(some, usable, each, power)
        for pattern in patterns:
            n_shared = (usable & pattern.present).sum(axis=1)[:, None]
            d[:, pattern.rows] = np.where(n_shared > 0, d[:, pattern.rows], np.nan)
        if rough:
            _settle(d, error, rows, some, usable, measured, power)
        return rows, d

    starts = range(_ROWS_AT_ONCE, len(predicted), _ROWS_AT_ONCE)
    shares = np.split(np.arange(len(predicted)), starts)
    if len(shares) == 1:
        yield look(shares[0])
        return
    with ThreadPoolExecutor(min(_THREADS, len(shares))) as pool:
        yield from pool.map(look, shares)


def _narrow(values: Matrix) -> npt.NDArray[np.float32]:
    with np.errstate(over="ignore"):
        return values.astype(np.float32)


def _terms(differences: Matrix, power: int) -> Matrix:
    return np.square(differences) if power == 2 else np.abs(differences)  # noqa: PLR2004


def _sums(predicted: Matrix, usable: Truths, rough: _Rough, power: int) -> tuple[Matrix, Matrix]:
    """L1 or squared L2 distance per shared gene from single precision, and its largest possible error."""
    from featurestore.metrics.differences import AT_ONCE, sum_differences  # noqa: PLC0415, numba takes half a second

    present = rough.pattern.present
    hidden, ours = present & ~usable, predicted * present
    first_hidden = np.append(0, np.cumsum(hidden.sum(axis=1)))
    sums: Matrix = np.empty((len(ours), len(rough.effects)))
    sum_differences(_narrow(ours), np.nonzero(hidden)[1], first_hidden, rough.effects, power, np.float32(0), sums)
    unit = power**2 * (AT_ONCE + _ROUNDINGS) * float(np.finfo(np.float32).eps) / 2
    error = unit * (_terms(ours, power).sum(axis=1)[:, None] + rough.sizes) + _TINY * len(present)
    n_shared = np.maximum((usable & present).sum(axis=1), 1)[:, None]
    return sums / n_shared, np.where(np.isfinite(sums), error, np.inf) / n_shared


def _settle(
    d: Matrix,
    error: Matrix,
    rows: npt.NDArray[np.intp],
    predicted: Matrix,
    usable: Truths,
    measured: Matrix,
    power: int,
) -> None:
    """Put exact distances in place of rough ones: of each row's own, and of those that may be as near."""

    def exact(ours: Any, others: npt.NDArray[np.intp]) -> Matrix:
        there = measured[others]
        shared = usable[ours] & np.isfinite(there)
        sums = _terms(np.where(shared, predicted[ours] - there, 0.0), power).sum(axis=1)
        return ratio(sums, shared.sum(axis=1))

    place = np.arange(len(rows))
    own = exact(place, rows)
    near = ~np.isnan(d) & ~(np.abs(own[:, None] - d) > error + _TIE)
    for i in np.flatnonzero(near.any(axis=1)):
        others = np.flatnonzero(near[i])
        d[i, others] = exact(i, others)
    d[place, rows] = own


def _cosine(predicted: Matrix, usable: Truths, pattern: _Pattern) -> Matrix:
    """Cosine distance over the shared genes; 1 where either side has no length there."""
    squares, by_all = np.square(pattern.effects), usable.all(axis=0)
    lengths = usable[:, ~by_all].astype(np.float64) @ squares[:, ~by_all].T
    lengths = np.sqrt(lengths + squares @ by_all)
    lengths *= np.sqrt(np.square(predicted) @ pattern.present)[:, None]
    cosine = np.zeros(lengths.shape)
    np.divide(predicted @ pattern.effects.T, lengths, out=cosine, where=lengths > 0)
    return 1 - cosine
