"""Which cells are summed together: a condition's two halves, and for controls also each batch by itself.

Control cells are summed three times: as controls, for the moments of their counts, and as pretend conditions, in which
nothing happened (:mod:`ingest.conditions.null`). Where replicates are named, all cells are summed by these too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from ingest.conditions.label import Labels
from ingest.conditions.null import NullCondition, deal

EXACT, LOOSE = ("context_id", "cluster", "time_h", "time_text"), ("context_id", "cluster")
N_COLUMNS = 5
OF_CONDITION, OF_MOMENTS, OF_NULL, OF_GUIDE, OF_REPLICATE = range(N_COLUMNS)
"""What a row is summed for: the columns of its groups; the last is there where replicates are named."""

Groups = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Conditions and the controls they are set against.

    ``controls`` and ``members`` are condition indices; ``same_time`` says whether the controls have the members' time.
    """

    controls: tuple[int, ...]
    members: npt.NDArray[np.int32]
    same_time: bool


@dataclass(frozen=True, slots=True)
class Replicate:
    """The group of a condition's cells of one replicate, and how many they are."""

    group: int
    n_cells: int


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

    def control_batches(self, controls: tuple[int, ...]) -> list[int]:
        """List the batches in which any of some controls has cells."""
        return sorted({batch for control, batch in self.controls if control in controls})

    def is_split(self, index: int) -> bool:
        """Say whether some of a condition's cells, but not all, come from batches with a control."""
        return bool(self.plain[index].shape[1] > 1)


def compare_by(condition: pl.DataFrame) -> Iterator[Comparison]:
    """Yield controls and the conditions to compare with them.

    Controls are those of the same context, cluster and time; where that time has none, of the same context and cluster.
    Where no control of the context says its time, it has any.

    Parameters
    ----------
    condition
        The release's condition table, with the ``time_text`` of times that are no number of hours.
    """
    controls = condition.filter("is_control")
    treated = condition.filter(~pl.col("is_control"))
    by_time = treated.join(controls.select(EXACT).unique(), on=list(EXACT), how="semi", nulls_equal=True)
    others = treated.join(by_time, on="condition_index", how="anti")
    timed = controls.filter(pl.col("time_h").is_not_null() | pl.col("time_text").is_not_null()).select(LOOSE).unique()
    untimed = others.join(timed, on=list(LOOSE), how="anti", nulls_equal=True)
    strangers = others.join(untimed, on="condition_index", how="anti")
    for members, key, same_time in ((by_time, EXACT, True), (untimed, LOOSE, True), (strangers, LOOSE, False)):
        references = controls.group_by(key).agg(controls="condition_index")
        groups = members.group_by(key, maintain_order=True).agg("condition_index")
        matched = groups.join(references, on=list(key), how="inner", nulls_equal=True, maintain_order="left")
        for indices, reference in matched.select("condition_index", "controls").rows():
            yield Comparison(tuple(sorted(reference)), np.array(sorted(indices), np.int32), same_time)


def group_cells(
    labels: Labels,
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
    labels
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
    n_conditions, n_batches = labels.condition.height, len(labels.batches)
    kept = labels.condition_of_row >= 0
    half = (draw >> np.uint32(31)).astype(np.int64)
    index = np.where(kept, labels.condition_of_row, 0).astype(np.int64)
    flat = (index * n_batches + labels.batch_of_row) * 2 + half
    cells = np.bincount(flat[kept], minlength=n_conditions * n_batches * 2).reshape(n_conditions, n_batches, 2)
    is_control = labels.condition["is_control"].to_numpy()
    numbering = _Numbering(cells, is_control, comparisons, has_counts=has_counts)
    of_row = np.full((kept.size, N_COLUMNS if replicates else OF_REPLICATE), -1, np.int32)
    of_row[kept, OF_CONDITION] = numbering.first[flat[kept] >> 1] + half[kept]
    of_moments = numbering.moments_of[flat[kept] >> 1]
    of_row[kept, OF_MOMENTS] = np.where(of_moments >= 0, of_moments + half[kept], -1)
    sizes = condition.filter(~pl.col("is_control"))["n_cells"].to_numpy()
    pools = list(dict.fromkeys(comparison.controls for comparison in comparisons if comparison.same_time))
    rows = np.flatnonzero(kept & is_control[index])
    dealt = deal(labels.condition_of_row[rows], draw[rows], guide[rows], pools, sizes, numbering.n_groups)
    of_row[rows, OF_NULL], of_row[rows, OF_GUIDE] = dealt.unit, dealt.guide_unit
    null_cells = {}
    for column in (dealt.unit, dealt.guide_unit):
        for group in np.unique(column[column >= 0]).tolist():
            null_cells[group] = np.bincount(labels.batch_of_row[rows[column == group]], minlength=n_batches)
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
        labels.batches,
        comparisons,
        repeated,
    )


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
