"""What is compared: a dataset of cells, summed, and conditions taken out of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from ingest.conditions.groups import Grouping
from ingest.kernel import UNIT
from ingest.signatures.digits import cut
from ingest.signatures.library import Libraries, Library
from ingest.signatures.moments import Doubles, Moments
from ingest.sums.group_sums import ALL, Sums, Whole

Pools = Sequence[npt.NDArray[np.intp]]
Columns = dict[str, Any]
"""Columns of the contract, each an array or None: NULL throughout."""
LOGARITHMS = ("sum_log1p", "sum_log1p_square")
COUNTS, LOGS, SAMPLES = "counts", "moderated_log1p", "replicates"
"""What a test is called: of counts, of logarithms of cells, of logarithms of samples."""


@dataclass(frozen=True, slots=True)
class Summed:
    """A dataset of cells, summed.

    Attributes
    ----------
    condition, genes
        The release's tables; ``condition`` with ``time_text``.
    grouping, sums, libraries
        Groups of cells, their sums, and their counts of all genes together.
    is_bulk
        Whether rows are samples, of which a condition has a few, rather than cells.
    """

    condition: pl.DataFrame
    genes: pl.DataFrame
    grouping: Grouping
    sums: Sums
    libraries: Libraries
    is_bulk: bool = False

    @property
    def test(self) -> str:
        """What its conditions are tested by."""
        if self.is_bulk:
            return SAMPLES
        return COUNTS if self.sums.has_counts else LOGS

    def columns(self, pools: Pools, genes: slice) -> Columns:
        """Return sums of pools of groups by their names in the contract: shape (pools, genes), None for no counts."""
        return _in_units(self._added(pools, genes))

    def columns_of_conditions(self, pools: Pools, genes: slice) -> Columns:
        """Return the same of both halves of conditions, and ``sum_log1p_half``, all that is known of the first alone.

        The first row of a pool is its first half, the second its second.
        """
        return self.columns([pool.ravel() for pool in pools], genes) | {
            "sum_log1p_half": self._first_half(pools, genes)
        }

    def halves(self, pools: Pools) -> tuple[Whole, Whole]:
        """Return sums of logarithms of first halves, as they are kept, and what is left of all; in fixed point."""
        first = np.rint(self._first_half(pools, ALL) * UNIT).astype(np.int64)
        return first, self.sums.added("log_sum", [pool.ravel() for pool in pools]) - first

    def _first_half(self, pools: Pools, genes: slice) -> Doubles:
        return cut(self.sums.added("log_sum", [pool[0] for pool in pools], genes) / UNIT)

    def columns_of_controls(self, pools: Pools, genes: slice) -> Columns:
        """Return the same of batches of controls, of which the first half of each sum is known; each is read once."""
        first, second = (self._added([pool[half] for pool in pools], genes) for half in (0, 1))
        whole = {name: values if values is None else values + second[name] for name, values in first.items()}
        return _in_units(whole) | {f"{name}_half": values for name, values in _in_units(first).items()}

    def _added(self, pools: Pools, genes: slice) -> Columns:
        added = partial(self.sums.added, pools=pools, genes=genes)
        return {
            "count": added("count") if self.sums.has_counts else None,
            "sum_log1p": added("log_sum"),
            "sum_log1p_square": added("square_sum"),
            "n_expressing": added("expressing"),
        }


def _in_units(columns: Columns) -> Columns:
    """Return sums of logarithms as numbers that are no longer in fixed point."""
    return {name: values / UNIT if name in LOGARITHMS else values for name, values in columns.items()}


@dataclass(frozen=True, slots=True)
class Treated:
    """Cells to be compared: groups of each condition, and its cells and library in each batch of the control.

    ``moments`` are of all groups of a condition together; ``cells`` and ``library`` have shape (conditions, batches).
    """

    pools: Pools
    moments: Moments
    cells: Doubles
    library: Library
