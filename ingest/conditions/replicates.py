"""What was repeated, such as donors: the cells of each replicate of a condition, as groups that are summed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Replicate:
    """The group of a condition's cells of one replicate, and how many they are."""

    group: int
    n_cells: int


@dataclass(frozen=True, slots=True)
class Replicates:
    """What was repeated.

    ``names`` are those of the replicates, ``of_row`` is the number of every row's, -1 for none, shape (rows,); one of
    fewer than ``least`` cells in a condition does not count.
    """

    names: list[str]
    of_row: npt.NDArray[np.int32]
    least: int

    def number(
        self, condition: npt.NDArray[np.int64], n_groups: int, groups: npt.NDArray[np.int32]
    ) -> tuple[int, dict[tuple[int, str], Replicate]]:
        """Make a group for each condition and replicate, and note it for every row.

        Parameters
        ----------
        condition
            Condition of every row, -1 for those that are not compared. Shape (rows,).
        n_groups
            Groups there are already.
        groups
            Written to: the group of every row. Shape (rows,).

        Returns
        -------
        How many groups there are then, and the groups.
        """
        rows = np.flatnonzero((condition >= 0) & (self.of_row >= 0))
        key = condition[rows] * len(self.names) + self.of_row[rows]
        pairs, place, n_cells = np.unique(key, return_inverse=True, return_counts=True)
        is_enough = n_cells >= self.least
        number = np.where(is_enough, n_groups + np.cumsum(is_enough) - 1, -1)
        groups[rows] = number[place]
        found = zip(pairs[is_enough].tolist(), number[is_enough].tolist(), n_cells[is_enough].tolist(), strict=True)
        repeated = {
            (pair // len(self.names), self.names[pair % len(self.names)]): Replicate(group, n)
            for pair, group, n in found
        }
        return n_groups + int(is_enough.sum()), repeated
