"""Gene sets in signatures: running sums down the genes by falling value, and what scores are made of them.

Signatures are encoded, see :mod:`featurestore.features.effects.similarity`. Rows are read once; each core takes a share
of them. Sums are float64.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from numba import njit

from featurestore.features.effects.similarity import Floats, Rows, in_shares

Ranks = npt.NDArray[np.unsignedinteger]
Members = npt.NDArray[np.intp]

_ABREAST = 16
"""Signatures whose running sums are made together."""
_ROUNDING = 1e-12
"""Peaks on both sides that differ by less are equal; the one above 0 is told."""
_AT_ONCE = 256
"""Rows whose most extreme genes are sought together."""


def set_enrichment(rows: Rows, ranks: Ranks, members: Members, power: float = 1.0) -> Floats:
    """Return the weighted enrichment score of one gene set in every row, shape (rows,); see :func:`sets_enrichment`."""
    return np.asarray(sets_enrichment(rows, ranks, [members], power)[0])


def sets_enrichment(rows: Rows, ranks: Ranks, sets: Sequence[Members], power: float = 1.0) -> Floats:
    """Return the weighted enrichment score of gene sets in every row (Subramanian et al. 2005), each row read once.

    Parameters
    ----------
    rows, ranks
        Signatures, and for each of their genes its place by falling value, from 0; see :func:`ranked`. The sum is
        looked at behind a place, so genes at one place are one step.
    sets
        Columns of each set's genes; a row takes those that it has.
    power
        Of the members' magnitudes; 0 leaves them unweighted.

    Returns
    -------
    The largest deviation of the running sum from 0, shape (sets, signatures); NaN where the row has no member, none but
    members, or only members that are 0.
    """
    score = np.empty((len(sets), len(rows)))
    columns = np.concatenate([np.sort(each) for each in sets]).astype(np.int32)
    edges = np.cumsum([0, *map(len, sets)])

    def work(first: int, last: int) -> None:
        _enrichment(rows[first:last], ranks[first:last], columns, edges, power, score[:, first:last])

    in_shares(len(rows), work)
    return score


def running_sum(values: npt.ArrayLike, members: npt.NDArray[np.intp], power: float = 1.0) -> Floats:
    """Return the running sum of a gene set down one signature, by falling value: the curve of an enrichment plot.

    Genes that are NaN are left out, equal ones are one straight step; the score is where the curve is farthest from 0.
    """
    row = np.asarray(values, np.float64)
    is_member = np.zeros(len(row), bool)
    is_member[members] = True
    known = np.flatnonzero(np.isfinite(row))
    order = known[np.argsort(-row[known], kind="stable")]
    weight = np.where(is_member[order], np.abs(row[order]) ** power, 0.0)
    n_others = max(1, len(order) - int(is_member[order].sum()))
    sums = np.cumsum(weight / max(weight.sum(), 1e-300) - ~is_member[order] / n_others)
    ends = np.flatnonzero(np.append(np.diff(row[order]) != 0, True)[: len(order)])
    return np.asarray(np.interp(np.arange(len(order)), np.append(-1, ends), np.append(0.0, sums[ends])))


def connectivity(up: Floats, down: Floats) -> Floats:
    """Return the weighted connectivity score of CMap from the enrichment of two sets: 0 where they have one sign."""
    return np.where(up * down < 0, (up - down) / 2, np.where(np.isnan(up) | np.isnan(down), np.nan, 0.0))


def extreme_sum(rows: Rows, up: npt.NDArray[np.intp], down: npt.NDArray[np.intp], n_extreme: int) -> Floats:
    """Return XSum: the values of an up set minus those of a down set, among each row's most extreme genes.

    One number a row, shape (rows,). Rows of fewer genes are taken whole.
    """
    score = np.empty(len(rows))

    def work(first: int, last: int) -> None:
        for at in range(first, last, _AT_ONCE):
            part = rows[at : min(at + _AT_ONCE, last)]
            size = np.abs(part)
            n = min(n_extreme, part.shape[1])
            least = np.partition(size, part.shape[1] - n, axis=1)[:, part.shape[1] - n]
            kept = np.where(size >= least[:, None], part, 0.0).astype(np.float64)
            score[at : at + len(part)] = kept[:, up].sum(axis=1) - kept[:, down].sum(axis=1)

    in_shares(len(rows), work)
    return score


def ranked(rows: Rows) -> Ranks:
    """Return each gene's place in its row by falling value, from 0; of equal ones, the last place of any.

    So a running sum takes them in one step, whatever order genes are in. Genes that were not measured are last.
    """
    small = rows.shape[1] <= np.iinfo(np.uint16).max
    places = np.empty(rows.shape, np.uint16 if small else np.uint32)

    def work(first: int, last: int) -> None:
        _rank(rows[first:last], places[first:last])

    in_shares(len(rows), work)
    return places


@njit(cache=True, nogil=True)
def _rank(rows: Rows, places: Ranks) -> None:
    for i in range(rows.shape[0]):
        keys = np.where(rows[i] == 0, np.float32(np.inf), -rows[i])
        order = np.argsort(keys, kind="mergesort")
        first = 0
        for place in range(order.size):
            if place + 1 == order.size or keys[order[place]] != keys[order[place + 1]] or np.isinf(keys[order[place]]):
                for equal in range(first, place + 1):
                    places[i, order[equal]] = place
                first = place + 1


@njit(cache=True, nogil=True)
def _enrichment(
    rows: Rows,
    ranks: Ranks,
    columns: npt.NDArray[np.int32],
    edges: npt.NDArray[np.intp],
    power: float,
    score: Floats,
) -> None:
    """Write the steps of some rows' running sums side by side, then sum them up together: a core adds many at once."""
    steps = np.empty((rows.shape[1], _ABREAST))
    weights = np.empty((_ABREAST, columns.size))
    measured = np.zeros(_ABREAST, np.int64)
    rise, fall = np.zeros(_ABREAST), np.zeros(_ABREAST)
    high, low = np.zeros(_ABREAST), np.zeros(_ABREAST)
    for first in range(0, rows.shape[0], _ABREAST):
        width = min(_ABREAST, rows.shape[0] - first)
        for k in range(width):
            measured[k] = _n_measured(rows[first + k])
        for each in range(edges.size - 1):
            members = columns[edges[each] : edges[each + 1]]
            for k in range(width):
                n_in, total = _weigh(rows[first + k], members, power, weights[k])
                is_known = 0 < n_in < measured[k] and total > 0.0
                rise[k] = 1.0 / total if is_known else np.nan
                fall[k] = -1.0 / (measured[k] - n_in) if is_known else 0.0
            _fall(steps, measured, fall)
            for k in range(width):
                _fall_together(steps[:, k], rows[first + k], ranks[first + k], fall[k])
                _rise(steps[:, k], ranks[first + k], members, weights[k], rise[k], fall[k])
            _extremes(steps, high, low)
            for k in range(width):
                peak = high[k] if high[k] >= -low[k] - _ROUNDING else low[k]
                score[each, first + k] = np.nan if np.isnan(rise[k]) else peak


@njit(cache=True, nogil=True)
def _n_measured(row: Rows) -> int:
    n = 0
    for x in row:
        n += x != 0
    return n


@njit(cache=True, nogil=True)
def _weigh(row: Rows, members: npt.NDArray[np.int32], power: float, weights: Floats) -> tuple[int, float]:
    """Write the members' weights, -1 where one was not measured; return how many were, and their sum."""
    n, total = 0, 0.0
    for m in range(members.size):
        size = abs(np.float64(row[members[m]]))
        n += size != 0
        total += size
        weights[m] = size if size != 0 else -1.0
    if power == 1.0:
        return n, total
    total = 0.0
    for m in range(members.size):
        if weights[m] >= 0:
            weights[m] = weights[m] ** power
            total += weights[m]
    return n, total


@njit(cache=True, nogil=True)
def _fall(steps: Floats, measured: npt.NDArray[np.int64], fall: Floats) -> None:
    for place in range(steps.shape[0]):
        for k in range(steps.shape[1]):
            steps[place, k] = fall[k] if place < measured[k] else 0.0


@njit(cache=True, nogil=True)
def _fall_together(steps: Floats, row: Rows, places: Ranks, fall: float) -> None:
    """Where genes are equal, fall at the place of all of them and not before."""
    total = 0
    for place in places:
        total += place
    if total == places.size * (places.size - 1) // 2:
        return  # every gene has a place of its own
    steps[:] = 0.0
    for gene in range(row.size):
        if row[gene] != 0:
            steps[places[gene]] += fall


@njit(cache=True, nogil=True)
def _rise(
    steps: Floats, places: Ranks, members: npt.NDArray[np.int32], weights: Floats, rise: float, fall: float
) -> None:
    """Let each member rise by its weight where it would have fallen."""
    for m in range(members.size):
        if weights[m] >= 0:
            steps[places[members[m]]] += weights[m] * rise - fall


@njit(cache=True, nogil=True)
def _extremes(steps: Floats, high: Floats, low: Floats) -> None:
    """Write the highest and the lowest sum that each column comes to, 0 where it starts among them."""
    total = np.zeros(steps.shape[1])
    high[:], low[:] = 0.0, 0.0
    for place in range(steps.shape[0]):
        for k in range(steps.shape[1]):
            here = total[k] + steps[place, k]
            total[k] = here
            high[k] = max(high[k], here)
            low[k] = min(low[k], here)
