"""Counts per cell of all genes together: summed, with their squares, over the cells of conditions and batches.

They are what a gene's counts are set against: a condition of few counts in all is not one in which genes went down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ingest.conditions.groups import OF_GUIDE, OF_NULL, Grouping
from ingest.conditions.label import LabelledRows
from ingest.kernel import Totals

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Library:
    """Totals of cells and their squares, summed; both of one shape."""

    total: Doubles
    square: Doubles

    def __getitem__(self, place: Any) -> Library:
        return Library(np.asarray(self.total[place]), np.asarray(self.square[place]))

    def sum(self, axis: int | tuple[int, ...]) -> Library:
        """Add up along an axis."""
        return Library(self.total.sum(axis=axis), self.square.sum(axis=axis))


@dataclass(frozen=True, slots=True)
class Libraries:
    """The libraries of a dataset.

    ``conditions`` has shape (conditions, batches, 2), the last axis being the halves; ``nulls`` those of each group of
    pretend conditions, shape (batches,).
    """

    conditions: Library
    nulls: dict[int, Library]

    @classmethod
    def gather(
        cls, grouping: Grouping, labelled: LabelledRows, half: npt.NDArray[np.int32], totals: Totals
    ) -> Libraries:
        """Add up the totals of all rows.

        Parameters
        ----------
        grouping, labelled, half
            Groups, condition, batch and half of every row.
        totals
            Counts of every row, shape (rows,); of no length where there are none, and libraries are 0.
        """
        n_batches = len(labelled.batches)
        shape = (labelled.n_conditions, n_batches, 2)
        if not totals.size:
            return cls(Library(np.zeros(shape), np.zeros(shape)), {})
        kept = np.flatnonzero(labelled.condition >= 0)
        flat = (labelled.condition[kept].astype(np.int64) * n_batches + labelled.batch[kept]) * 2 + half[kept]
        nulls = {}
        for column in (OF_NULL, OF_GUIDE):
            groups = grouping.of_row[:, column]
            rows = np.flatnonzero(groups >= 0)
            order = rows[np.argsort(groups[rows], kind="stable")]
            numbers, first = np.unique(groups[order], return_index=True)
            for group, members in zip(numbers.tolist(), np.split(order, first[1:]), strict=False):
                nulls[group] = _summed(labelled.batch[members], totals[members], (n_batches,))
        return cls(_summed(flat, totals[kept], shape), nulls)


def _summed(place: npt.NDArray[np.integer], totals: Totals, shape: tuple[int, ...]) -> Library:
    values = totals.astype(np.float64)
    length = int(np.prod(shape))
    total, square = (np.bincount(place, weights, length).astype(np.float64) for weights in (values, values**2))
    return Library(total.reshape(shape), square.reshape(shape))
