"""Wells of plates: read by their number, and expression brought to z-scores against the controls of their own plate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ingest.conditions.axis import GeneAxis
from ingest.conditions.label import LabelledRows
from ingest.reader import Reader
from ingest.readers.selection import selected_blocks

Doubles = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]
ReadWells = Callable[[Rows], Doubles]
"""Reads the values of wells, given by ascending row numbers over all files. Shape (wells, genes)."""

MAD_TO_SD = 1.4826
LEAST_MAD = 0.1
"""Spread below which a gene's controls are taken not to differ, as by cmapPy. Unit: log2."""
LEAST_CONTROLS = 3


@dataclass(frozen=True, slots=True)
class Wells:
    """The wells of all files of a dataset, one file after another.

    Parameters
    ----------
    sources
        The files in order, each with its gene axis.
    """

    sources: Sequence[tuple[Reader, GeneAxis]]

    def read(self, rows: Rows) -> Doubles:
        """Read wells by ascending row numbers; genes in the order of the release. Shape (wells, genes)."""
        parts, first = [], 0
        for reader, axis in self.sources:
            own = rows[(rows >= first) & (rows < first + reader.n_rows)] - first
            if own.size:
                columns = np.flatnonzero(axis.slots >= 0)
                columns = columns[np.argsort(axis.slots[columns])]
                parts += [block.values.astype(np.float64) for block in selected_blocks(reader, own, columns)]
            first += reader.n_rows
        return np.concatenate(parts)


@dataclass(frozen=True, slots=True)
class PlateScale:
    """Median and spread of every gene among the control wells of each plate.

    ``median`` and ``spread`` have shape (plates, genes) and are NaN for a plate with fewer than three control wells;
    ``plate_of_row`` has shape (rows,).
    """

    read_expression: ReadWells
    plate_of_row: npt.NDArray[np.int32]
    median: npt.NDArray[np.float32]
    spread: npt.NDArray[np.float32]

    @classmethod
    def measure(cls, wells: Wells, labelled: LabelledRows) -> PlateScale:
        """Measure all plates, one after another."""
        n_genes, n_plates = wells.sources[0][1].genes.height, len(labelled.batches)
        median, spread = (np.full((n_plates, n_genes), np.nan, np.float32) for _ in range(2))
        is_control = np.append(labelled.is_control, False)[labelled.condition]
        for plate in range(n_plates):
            rows = np.flatnonzero(is_control & (labelled.batch == plate))
            if rows.size >= LEAST_CONTROLS:
                values = wells.read(rows)
                middle = np.median(values, axis=0)
                mad = np.median(np.abs(values - middle), axis=0)
                median[plate], spread[plate] = middle, MAD_TO_SD * np.maximum(mad, LEAST_MAD)
        return cls(wells.read, labelled.batch, median, spread)

    def read(self, rows: Rows) -> Doubles:
        """Read wells as robust z-scores; NaN on plates without controls. Shape (wells, genes)."""
        plates = self.plate_of_row[rows]
        return (self.read_expression(rows) - self.median[plates]) / self.spread[plates]
