"""Sums of groups of cells, gene by gene: what is kept of a file, exact whatever the order it was read in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

import numpy as np
import numpy.typing as npt

from featurestore.errors import ValuesError
from ingest.reader import Integers

if TYPE_CHECKING:  # sums are made before the compiler of kernels is loaded
    from ingest.kernel import Slots

Whole = npt.NDArray[np.int64]
Pools = Sequence[npt.NDArray[np.intp]]

ALL = slice(None)
OVERFLOW = 2**62


@dataclass(frozen=True, slots=True)
class GroupSums:
    """Sums per group and gene; adding two of them is exact.

    ``log_sum`` has shape (groups, genes); ``count``, ``square_sum`` and ``expressing`` have shape (rows, genes), of
    which ``whole`` says which is a group's: the halves of a condition share one. The two log sums are in units of
    2**-28. ``count`` has no rows where the source has no counts. A group of moments has the squares of counts as
    ``count``, and counts times the totals of their cells as ``log_sum``.
    """

    count: npt.NDArray[np.int64]
    log_sum: npt.NDArray[np.int64]
    square_sum: npt.NDArray[np.int64]
    expressing: npt.NDArray[np.int32]
    whole: npt.NDArray[np.int32]

    @classmethod
    def zeros(
        cls, n_groups: int, n_genes: int, *, has_counts: bool, whole: npt.NDArray[np.int32] | None = None
    ) -> GroupSums:
        """Return empty sums; each group has a row of its own, if ``whole`` does not say otherwise."""
        whole = np.arange(n_groups, dtype=np.int32) if whole is None else whole
        shape = (int(whole.max(initial=-1)) + 1, n_genes)
        return cls(
            np.zeros(shape if has_counts else (0, n_genes), np.int64),
            np.zeros((n_groups, n_genes), np.int64),
            np.zeros(shape, np.int64),
            np.zeros(shape, np.int32),
            whole,
        )

    def __add__(self, other: GroupSums) -> GroupSums:
        return GroupSums(
            self.count + other.count,
            self.log_sum + other.log_sum,
            self.square_sum + other.square_sum,
            self.expressing + other.expressing,
            self.whole,
        )

    @property
    def has_counts(self) -> bool:
        """Whether counts are summed, beside their logarithms."""
        return bool(self.count.size)

    def of_groups(self, part: slice) -> dict[str, Whole]:
        """Return the sums of some groups by name, shape (groups, genes): what groups share is of the first of them."""
        row = self.whole[part]
        is_first = np.isin(np.arange(len(self.whole))[part], np.unique(self.whole, return_index=True)[1])
        found = {"log_sum": self.log_sum[part]}
        for name in ("square_sum", "expressing", *(("count",) if self.has_counts else ())):
            found[name] = np.where(is_first[:, None], getattr(self, name)[row], 0)
        return found

    def added(self, name: str, pools: Pools, genes: slice = ALL) -> Whole:
        """Add the groups of each pool up; groups are row numbers.

        Raises
        ------
        ValueError
            A pool has some but not all of the groups that share what is added.
        """
        from ingest.kernel import add_pools  # noqa: PLC0415, see above

        values = getattr(self, name)
        start, stop, _ = genes.indices(values.shape[1])
        total = np.empty((len(pools), stop - start), np.int64)
        groups: Integers = np.concatenate([np.empty(0, np.intp), *pools])
        first = np.cumsum([0, *map(len, pools)])
        if name != "log_sum":
            groups, first = self._rows(groups, first)
        add_pools(values, groups, first, start, total)
        return total

    def _rows(self, groups: Integers, first: Whole) -> tuple[Integers, Whole]:
        """Name the rows of groups in pools, each once."""
        row = self.whole[groups]
        if len(self.square_sum) == len(self.whole):
            return row, first
        pool = np.repeat(np.arange(first.size - 1), np.diff(first))
        place, n_groups = np.unique(pool * len(self.square_sum) + row, return_counts=True)
        pool, row = np.divmod(place, len(self.square_sum))
        if (n_groups != np.bincount(self.whole)[row]).any():
            raise ValueError(f"a pool takes one half of a condition, whose halves share their sums: {groups}")
        return row, np.searchsorted(pool, np.arange(first.size))


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
        Shape (pools, genes). Only ``log_sum`` is known of one half of a condition that is no control.
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
