"""Areas under precision-recall and ROC curves, a row at a time, with tied scores counted as ties.

Both are computed from one sort of each row. The precision-recall area is the average precision (a step function):
the trapezoidal area rewards ties, and gave predictions of no effect ten times their due until cell-eval dropped it in
November 2025.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from featurestore.metrics.rows import Matrix, Scores, Truths, ratio

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Ranked:
    """Rows sorted by falling score, what is left out at the end.

    ``hits`` says which places are positive and ``first``, ``last`` where the tie of each place begins and ends;
    ``n`` counts the places that are not left out.
    """

    hits: Truths
    first: Counts
    last: Counts
    n: Counts


def ranked(scores: Matrix, truth: Truths, keep: Truths) -> Ranked:
    """Sort each row by falling score.

    Parameters
    ----------
    scores
        The higher, the more likely positive, shape (rows, items).
    truth
        Which items are positive.
    keep
        Which items count.
    """
    falling = np.where(keep, -scores, np.inf)
    order = np.argsort(falling, axis=1)
    falling = np.take_along_axis(falling, order, axis=1)
    places = np.broadcast_to(np.arange(scores.shape[1]), scores.shape)
    is_end = np.ones(scores.shape, dtype=bool)
    is_end[:, :-1] = falling[:, 1:] != falling[:, :-1]
    is_start = np.ones(scores.shape, dtype=bool)
    is_start[:, 1:] = is_end[:, :-1]
    last = np.where(is_end, places, scores.shape[1])
    return Ranked(
        np.take_along_axis(truth & keep, order, axis=1),
        np.maximum.accumulate(np.where(is_start, places, 0), axis=1),
        np.minimum.accumulate(last[:, ::-1], axis=1)[:, ::-1],
        keep.sum(axis=1),
    )


def average_precision(scores: Matrix, truth: Truths, keep: Truths) -> Scores:
    """Average precision of each row: the mean over positives of the precision where their tie ends.

    NaN where nothing or everything is positive: there is nothing to rank.

    Examples
    --------
    >>> import numpy as np
    >>> everything = np.ones((1, 4), dtype=bool)
    >>> average_precision(np.array([[4.0, 3.0, 2.0, 1.0]]), np.array([[True, False, True, False]]), everything).round(3)
    array([0.833])
    """
    rows = ranked(scores, truth, keep)
    found = np.cumsum(rows.hits, axis=1)
    precision = np.take_along_axis(found, rows.last, axis=1) / (rows.last + 1)
    n_positive = rows.hits.sum(axis=1)
    area = ratio((precision * rows.hits).sum(axis=1), n_positive)
    area[n_positive == rows.n] = np.nan
    return area


def roc_area(scores: Matrix, truth: Truths, keep: Truths) -> Scores:
    """Area under the ROC curve of each row: how often a positive is above a negative, ties counting half.

    NaN where nothing or everything is positive.
    """
    rows = ranked(scores, truth, keep)
    found = np.cumsum(rows.hits, axis=1)
    rank = (rows.first + rows.last) / 2
    n_positive = found[:, -1] if found.shape[1] else np.zeros(len(found), dtype=np.int64)
    rank_sum = (rank * rows.hits).sum(axis=1)
    ahead = rank_sum - n_positive * (n_positive - 1) / 2
    n_pairs = n_positive * (rows.n - n_positive)
    return 1 - ratio(ahead, n_pairs)
