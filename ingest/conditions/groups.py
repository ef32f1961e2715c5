"""Which cells are summed together: a condition's two halves, and for controls also each batch by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from ingest.conditions.label import Labels


@dataclass(frozen=True, slots=True)
class Grouping:
    """The groups of a dataset's cells.

    Attributes
    ----------
    of_row
        Group of every row, -1 for rejected ones. Shape (rows,).
    n_groups
        How many groups there are.
    cells
        Cells by condition, batch and half. Shape (conditions, batches, 2).
    plain
        First and second half of each condition that is no control: condition -> groups of shape (2, 1).
    controls
        The same for each batch of each control: (condition, batch) -> groups of shape (2, 1).
    batches
        Names of the batches.
    """

    of_row: npt.NDArray[np.int32]
    n_groups: int
    cells: npt.NDArray[np.int64]
    plain: dict[int, npt.NDArray[np.intp]]
    controls: dict[tuple[int, int], npt.NDArray[np.intp]]
    batches: list[str | None]

    def of_condition(self, index: int) -> npt.NDArray[np.intp]:
        """Return the groups of a condition: row 0 its first half, row 1 its second. Shape (2, batches or 1)."""
        if index in self.plain:
            return self.plain[index]
        return np.concatenate([groups for (c, _), groups in self.controls.items() if c == index], axis=1)

    def control_batches(self, controls: list[int]) -> list[int]:
        """List the batches in which any of some controls has cells."""
        return sorted({batch for control, batch in self.controls if control in controls})

    def condition_batch(self) -> pl.DataFrame:
        """Return the release's condition_batch table."""
        condition, batch = np.nonzero(self.cells.sum(axis=2))
        return pl.DataFrame(
            {
                "condition_index": condition.astype(np.int32),
                "batch": pl.Series([self.batches[b] for b in batch.tolist()], dtype=pl.String),
                "n_cells": self.cells.sum(axis=2)[condition, batch],
                "n_cells_half": self.cells[condition, batch, 0],
            }
        )

    def comparisons(self, condition: pl.DataFrame) -> Iterator[tuple[list[int], npt.NDArray[np.int32]]]:
        """Yield controls and the conditions to compare with them.

        Controls are those of the same context, cluster and time; where that time has none, of the same context and
        cluster. Conditions whose context and cluster have no control are in no comparison.

        Parameters
        ----------
        condition
            The release's condition table, with the ``time_text`` of times that are no number of hours.
        """
        exact, loose = ("context_id", "cluster", "time_h", "time_text"), ("context_id", "cluster")
        controls = condition.filter("is_control")
        treated = condition.filter(~pl.col("is_control"))
        by_time = treated.join(controls.select(exact).unique(), on=list(exact), how="semi", nulls_equal=True)
        others = treated.join(by_time, on="condition_index", how="anti")
        for members, key in ((by_time, exact), (others, loose)):
            references = controls.group_by(key).agg(controls="condition_index")
            groups = members.group_by(key, maintain_order=True).agg("condition_index")
            matched = groups.join(references, on=list(key), how="inner", nulls_equal=True, maintain_order="left")
            for indices, reference in matched.select("condition_index", "controls").rows():
                yield sorted(reference), np.array(sorted(indices), np.int32)


def group_cells(labels: Labels, half: npt.NDArray[np.int32]) -> Grouping:
    """Assign every cell to its group.

    Parameters
    ----------
    labels
        Condition and batch of every row.
    half
        Half of every row, 0 or 1. Shape (rows,).
    """
    n_conditions, n_batches = labels.condition.height, len(labels.batches)
    kept = labels.condition_of_row >= 0
    condition, batch = labels.condition_of_row[kept], labels.batch_of_row[kept]
    flat = (condition.astype(np.int64) * n_batches + batch) * 2 + half[kept]
    cells = np.bincount(flat, minlength=n_conditions * n_batches * 2).reshape(n_conditions, n_batches, 2)
    is_control = labels.condition["is_control"].to_numpy()
    first_group = np.zeros((n_conditions, n_batches), np.int64)
    plain: dict[int, npt.NDArray[np.intp]] = {}
    controls: dict[tuple[int, int], npt.NDArray[np.intp]] = {}
    following = 0
    for index in range(n_conditions):
        for b in np.flatnonzero(cells[index].sum(axis=1)).tolist() if is_control[index] else [None]:
            pair = np.array([[following], [following + 1]])
            if b is None:
                plain[index] = pair
                first_group[index] = following
            else:
                controls[index, b] = pair
                first_group[index, b] = following
            following += 2
    of_row = np.full(kept.size, -1, np.int32)
    of_row[kept] = first_group[condition, batch] + half[kept]
    return Grouping(of_row, following, cells, plain, controls, labels.batches)
