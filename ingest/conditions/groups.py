"""Which cells are summed together: a condition's two halves, and for controls also each batch by itself.

Control cells are summed three times: as controls, for the moments of their counts, and as pretend conditions, in which
nothing happened (:mod:`ingest.conditions.null`). Where replicates are named, all cells are summed by these too.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from ingest.conditions.comparisons import Comparison, compare_by
from ingest.conditions.label import LabelledRows
from ingest.conditions.null import NullCondition, deal
from ingest.conditions.replicates import Replicate, Replicates

N_COLUMNS = 5
OF_CONDITION, OF_MOMENTS, OF_NULL, OF_GUIDE, OF_REPLICATE = range(N_COLUMNS)
"""What a row is summed for: the columns of its groups; the last is there where replicates are named."""

Groups = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Grouping:
    """The groups of a dataset's cells.

    Attributes
    ----------
    of_row
        Groups of every row, -1 for none: of its condition, of moments, of a pretend condition, of a guide's, and where
        replicates are named of its replicate's. Shape (rows, 4 or 5).
    n_groups
        How many groups there are.
    cells
        Cells by condition, batch and half. Shape (conditions, batches, 2).
    plain
        First and second half of each condition that is no control: condition -> groups of shape (2, 1), or (2, 2) where
        some of its cells come from batches with a control, which are the first column, and some do not.
    controls
        The same for each batch of each control: (condition, batch) -> groups of shape (2, 1).
    moments
        Groups of moments of each batch of each control, as ``controls``; none where no counts are summed.
    nulls
        The conditions in which nothing happened, each the union of some groups.
    null_cells
        Cells by group of pretend conditions and batch: group -> shape (batches,).
    batches
        Names of the batches.
    comparisons
        Which conditions are compared with which controls; those of a context and cluster without control with none.
    replicates
        What is tested over replicates, by condition and name of the replicate: cells that are compared, where they are
        enough.
    """

    of_row: npt.NDArray[np.int32]
    n_groups: int
    cells: npt.NDArray[np.int64]
    plain: dict[int, Groups]
    controls: dict[tuple[int, int], Groups]
    moments: dict[tuple[int, int], Groups]
    nulls: list[NullCondition]
    null_cells: dict[int, npt.NDArray[np.int64]]
    batches: list[str | None]
    comparisons: list[Comparison] = field(default_factory=list)
    replicates: dict[tuple[int, str], Replicate] = field(default_factory=dict)

    def of_condition(self, index: int) -> Groups:
        """Return the groups of a condition: row 0 its first half, row 1 its second. Shape (2, batches or parts)."""
        if index in self.plain:
            return self.plain[index]
        return np.concatenate([groups for (c, _), groups in self.controls.items() if c == index], axis=1)

    def compared(self, index: int) -> Groups:
        """Return the groups of a condition that are compared: of batches with a control, where there are any."""
        return self.plain[index][:, :1]

    def whole(self) -> npt.NDArray[np.int32]:
        """Return the row of each group in sums that both halves of a condition share. Shape (groups,).

        How far halves agree is seen by their logarithms; of conditions that are no controls, counts, squares and cells
        with a count are summed of both together.
        """
        first = np.arange(self.n_groups)
        for pair in self.plain.values():
            first[pair[1]] = pair[0]
        return np.unique(first, return_inverse=True)[1].astype(np.int32)

    def control_batches(self, controls: tuple[int, ...]) -> list[int]:
        """List the batches in which any of some controls has cells."""
        return sorted({batch for control, batch in self.controls if control in controls})

    def is_split(self, index: int) -> bool:
        """Say whether some of a condition's cells, but not all, come from batches with a control."""
        return bool(self.plain[index].shape[1] > 1)


def group_cells(
    rows: LabelledRows,
    condition: pl.DataFrame,
    draw: npt.NDArray[np.uint32],
    guide: npt.NDArray[np.int32],
    *,
    has_counts: bool,
    replicates: Replicates | None = None,
) -> Grouping:
    """Assign every cell to its groups.

    Parameters
    ----------
    rows
        Condition and batch of every row.
    condition
        The condition table, with ``time_text``.
    draw
        A random number for every row, whose first bit is its half. Shape (rows,).
    guide
        Number of the guide, or label, of every row. Shape (rows,).
    has_counts
        Whether counts are summed, and of controls their moments.
    replicates
        What was repeated, where that is known.
    """
    comparisons = list(compare_by(condition))
    n_conditions, n_batches = rows.n_conditions, len(rows.batches)
    kept = rows.condition >= 0
    half = (draw >> np.uint32(31)).astype(np.int64)
    index = np.where(kept, rows.condition, 0).astype(np.int64)
    flat = (index * n_batches + rows.batch) * 2 + half
    cells = np.bincount(flat[kept], minlength=n_conditions * n_batches * 2).reshape(n_conditions, n_batches, 2)
    numbering = _Numbering(cells, rows.is_control, comparisons, has_counts=has_counts)
    of_row = np.full((kept.size, N_COLUMNS if replicates else OF_REPLICATE), -1, np.int32)
    of_row[kept, OF_CONDITION] = numbering.first[flat[kept] >> 1] + half[kept]
    of_moments = numbering.moments_of[flat[kept] >> 1]
    of_row[kept, OF_MOMENTS] = np.where(of_moments >= 0, of_moments + half[kept], -1)
    sizes = condition.filter(~pl.col("is_control"))["n_cells"].to_numpy()
    pools = list(dict.fromkeys(comparison.controls for comparison in comparisons if comparison.same_time))
    controls = np.flatnonzero(kept & rows.is_control[index])
    dealt = deal(rows.condition[controls], draw[controls], guide[controls], pools, sizes, numbering.n_groups)
    of_row[controls, OF_NULL], of_row[controls, OF_GUIDE] = dealt.unit, dealt.guide_unit
    null_cells = {}
    for column in (dealt.unit, dealt.guide_unit):
        for group in np.unique(column[column >= 0]).tolist():
            null_cells[group] = np.bincount(rows.batch[controls[column == group]], minlength=n_batches)
    n_groups = dealt.n_groups
    repeated: dict[tuple[int, str], Replicate] = {}
    if replicates:
        compared = np.where(numbering.is_compared[flat >> 1] & kept, index, -1)
        n_groups, repeated = replicates.number(compared, n_groups, of_row[:, OF_REPLICATE])
    return Grouping(
        of_row,
        n_groups,
        cells,
        numbering.plain,
        numbering.controls,
        numbering.moments,
        dealt.conditions,
        null_cells,
        rows.batches,
        comparisons,
        repeated,
    )


class _Numbering:
    """Numbers of the groups of conditions: two for each part of a condition and for each batch of a control.

    ``first`` and ``moments_of`` have shape (conditions x batches,): the group of the first half of the cells there, and
    that of moments, -1 for cells that are no controls. So has ``is_compared``: whether the cells there are.
    """

    def __init__(
        self,
        cells: npt.NDArray[np.int64],
        is_control: npt.NDArray[np.bool_],
        comparisons: list[Comparison],
        *,
        has_counts: bool,
    ) -> None:
        n_conditions, n_batches, _ = cells.shape
        self.first = np.zeros(n_conditions * n_batches, np.int64)
        self.moments_of = np.full(n_conditions * n_batches, -1, np.int64)
        self.is_compared = np.ones(n_conditions * n_batches, bool)
        self.plain: dict[int, Groups] = {}
        self.controls: dict[tuple[int, int], Groups] = {}
        self.moments: dict[tuple[int, int], Groups] = {}
        self.n_groups = 0
        has_cells = cells.sum(axis=2) > 0
        has_control = np.zeros((n_conditions, n_batches), bool)
        for comparison in comparisons:
            has_control[comparison.members] = has_cells[list(comparison.controls)].any(axis=0)
        for index in range(n_conditions):
            place = index * n_batches
            if is_control[index]:
                for batch in np.flatnonzero(has_cells[index]).tolist():
                    self.first[place + batch] = self.n_groups
                    self.controls[index, batch] = self._pair()
                    if has_counts:
                        self.moments_of[place + batch] = self.n_groups
                        self.moments[index, batch] = self._pair()
                continue
            inside, outside = has_cells[index] & has_control[index], has_cells[index] & ~has_control[index]
            parts = [part for part in (inside, outside) if part.any()] or [inside]
            pairs: list[Groups] = []
            for part in parts:
                self.first[place + np.flatnonzero(part)] = self.n_groups
                self.is_compared[place + np.flatnonzero(part)] = not pairs
                pairs.append(self._pair())
            self.plain[index] = np.concatenate(pairs, axis=1)

    def _pair(self) -> Groups:
        self.n_groups += 2
        return np.array([[self.n_groups - 2], [self.n_groups - 1]])
