"""Sums of groups of cells, gene by gene: what is kept of a file, exact whatever the order it was read in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Protocol

import numpy as np
import numpy.typing as npt

from featurestore.errors import ValuesError
from ingest.kernel import (
    Slots,
    add_pools,
)

Whole = npt.NDArray[np.int64]
Pools = Sequence[npt.NDArray[np.intp]]

ALL = slice(None)
OVERFLOW = 2**62


@dataclass(frozen=True, slots=True)
class GroupSums:
    """Sums per group and gene; adding two of them is exact.

    ``count``, ``log_sum``, ``square_sum`` and ``expressing`` have shape (groups, genes); the two log sums are in
    units of 2**-36. ``count`` has no rows where the source has no counts. A group of moments has the squares of counts
    as ``count``, and counts times the totals of their cells as ``log_sum``.
    """

    count: npt.NDArray[np.int64]
    log_sum: npt.NDArray[np.int64]
    square_sum: npt.NDArray[np.int64]
    expressing: npt.NDArray[np.int32]

    @classmethod
    def zeros(cls, n_groups: int, n_genes: int, *, has_counts: bool) -> GroupSums:
        """Return empty sums."""
        shape = (n_groups, n_genes)
        return cls(
            np.zeros(shape if has_counts else (0, n_genes), np.int64),
            np.zeros(shape, np.int64),
            np.zeros(shape, np.int64),
            np.zeros(shape, np.int32),
        )

    def __add__(self, other: GroupSums) -> GroupSums:
        return GroupSums(
            self.count + other.count,
            self.log_sum + other.log_sum,
            self.square_sum + other.square_sum,
            self.expressing + other.expressing,
        )

    @property
    def has_counts(self) -> bool:
        """Whether counts are summed, beside their logarithms."""
        return bool(self.count.size)

    def added(self, name: str, pools: Pools, genes: slice = ALL) -> Whole:
        """Add the groups of each pool up; groups are row numbers."""
        values = getattr(self, name)
        start, stop, _ = genes.indices(values.shape[1])
        total = np.empty((len(pools), stop - start), np.int64)
        first = np.cumsum([0, *map(len, pools)])
        add_pools(values, np.concatenate([np.empty(0, np.intp), *pools]), first, start, total)
        return total


class Sums(Protocol):
    """Sums that can be read, wherever they are kept."""

    @property
    def has_counts(self) -> bool:
        """Whether counts are summed, beside their logarithms."""
        ...

    def added(self, name: str, pools: Pools, genes: slice = ALL) -> Whole:
        """Add the groups of each pool up, for some genes.

        Parameters
        ----------
        name
            What is added: ``count``, ``log_sum``, ``square_sum`` or ``expressing``, as in :class:`GroupSums`.
        pools
            Group numbers of each pool.
        genes
            The genes wanted.

        Returns
        -------
        Shape (pools, genes).
        """
        ...


@dataclass(frozen=True, slots=True)
class Destination:
    """What cells are added to, and which gene each column of the matrix is."""

    slots: Slots
    is_shared: npt.NDArray[np.bool_]
    sums: GroupSums

    @property
    def logs(self) -> tuple[Any, ...]:
        """What logarithms are added to."""
        return self.sums.log_sum, self.sums.square_sum, self.sums.expressing

    @property
    def moments(self) -> tuple[Any, ...]:
        """What moments of counts are added to."""
        return self.sums.count, self.sums.log_sum, self.sums.expressing


def refuse_overflow(sums: GroupSums, path: Path) -> None:
    """Refuse sums that come near the largest number, or went past it; what two of them add up to is still one."""
    for array in (sums.count, sums.log_sum, sums.square_sum):
        if array.size and array.view(np.uint64).max() > OVERFLOW:  # of no sign, what is below 0 is larger still
            _refuse(path)


def _refuse(path: Path) -> NoReturn:
    raise ValuesError(
        "A group of cells is too large to be summed exactly.",
        where=str(path),
        do="name a batch column under [condition], or split the dataset",
    )
