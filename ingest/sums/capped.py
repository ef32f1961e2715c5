"""Sums that outgrow the memory limit: some groups at a time in memory, added to those on disk when others are due.

Adding is exact, so a release does not depend on the limit. A file whose groups fit is read once, whatever was held
before stays held as long as there is room; one with more groups than fit is read again for every share of them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from featurestore.errors import WarehouseError
from ingest.sums.group_sums import ALL, GroupSums, Pools, Whole

if TYPE_CHECKING:
    from ingest.kernel import Totals

BYTES_PER_SUM = 28
"""What one group holds in memory and on disk for each gene."""
PAGE = 4096
"""Unit: bytes."""
SHARE_OF_MEMORY = 4
"""The default limit is one part in so many of the machine's memory."""

Rows = npt.NDArray[np.integer[Any]]


def default_memory_limit() -> int:
    """Return a quarter of the machine's memory. Unit: bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // SHARE_OF_MEMORY


class CappedSums:
    """Sums of all groups, of which memory holds as many as a limit allows.

    Parameters
    ----------
    folder
        Where the rest is kept; made if need be.
    n_groups, n_genes
        Shape of the sums.
    n_rows
        Rows of the dataset, whose totals are noted one by one.
    has_counts
        Whether counts are summed, beside their logarithms.
    memory_limit
        Most that the sums in memory take; one group is held in any case. Unit: bytes.
    whole
        Groups that share sums where all are held, as in :class:`ingest.sums.group_sums.GroupSums`; none by default.

    Raises
    ------
    WarehouseError
        The disk has no room for what memory cannot hold.
    """

    def __init__(
        self,
        folder: Path,
        n_groups: int,
        n_genes: int,
        n_rows: int,
        *,
        has_counts: bool,
        memory_limit: int,
        whole: npt.NDArray[np.int32] | None = None,
    ) -> None:
        per_group = n_genes * BYTES_PER_SUM
        n_held = min(n_groups, max(1, memory_limit // max(per_group, 1)))
        self.is_whole = n_held == n_groups
        if not self.is_whole:
            _require_room(folder, n_groups * per_group)
        whole = whole if self.is_whole else None
        self._held = GroupSums.zeros(n_held, n_genes, has_counts=has_counts, whole=whole)
        self._group_of: Rows = np.arange(n_held if self.is_whole else 0)
        self._disk = None if self.is_whole else _DiskSums(folder, self._held, n_groups)
        self._n_groups = n_groups
        self.totals: Totals = np.zeros(n_rows if has_counts else 0, np.float32)

    def clear_pages(self) -> None:
        """Have the system clear the pages of the sums in memory, which it else does when they are first added to."""
        for array in arrays_of(self._held).values():
            array.reshape(-1)[:: PAGE // array.itemsize] = 0

    def add(self, groups: npt.NDArray[np.int32], add_to: Callable[[npt.NDArray[np.int32], GroupSums], None]) -> None:
        """Add a file.

        Parameters
        ----------
        groups
            Group or groups of every row, -1 for none. Shape (rows,) or (rows, 4 or 5).
        add_to
            Reads the file and adds it to the sums it is given, with the position in them of every row's groups, -1
            for what to leave out; called once for each share of the groups.
        """
        if self.is_whole:
            add_to(groups, self._held)
            return
        for share in self._shares(np.unique(groups[groups >= 0])):
            position = np.full(self._n_groups + 1, -1, np.int32)
            position[share] = np.arange(share.size, dtype=np.int32)
            add_to(position[groups], self._held)

    def drain(self) -> Iterator[tuple[Rows, GroupSums]]:
        """Yield group numbers and their sums, wherever they are, and begin again from nothing."""
        if self._disk is None:
            yield self._group_of, self._held
        else:
            self._write_held()
            yield from self._disk.drain(len(self._held.log_sum))
        for array in arrays_of(self._held).values():
            array[:] = 0

    def finish(self) -> GroupSums | _DiskSums:
        """Return the sums, to be read from."""
        if self._disk is None:
            return self._held
        self._write_held()
        return self._disk

    def _shares(self, needed: Rows) -> Iterator[Rows]:
        """Yield the groups held, in rounds that have all those needed between them; those held already first."""
        room = len(self._held.log_sum)
        together = np.union1d(self._group_of, needed)
        if together.size <= room:
            self._group_of = np.append(self._group_of, np.setdiff1d(needed, self._group_of))
            yield self._group_of
            return
        for first in range(0, needed.size, room):
            self._write_held()
            self._group_of = needed[first : first + room]
            yield self._group_of

    def _write_held(self) -> None:
        if self._disk is not None:
            self._disk.add(self._group_of, self._held)
        for array in arrays_of(self._held).values():
            array[:] = 0
        self._group_of = np.empty(0, np.intp)


class _DiskSums:
    """Sums in files, a row for each group."""

    def __init__(self, folder: Path, like: GroupSums, n_groups: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._files: dict[str, tuple[Path, np.dtype[Any], int]] = {}
        for name, array in arrays_of(like).items():
            path = folder / name
            with path.open("wb") as file:
                file.truncate(n_groups * array[0].nbytes)
            self._files[name] = path, array.dtype, array.shape[1]
        self._is_written = np.zeros(n_groups, dtype=bool)

    def add(self, groups: Rows, sums: GroupSums) -> None:
        """Add the first rows of some sums, which are of these groups."""
        for name, array in arrays_of(sums).items():
            path, _, _ = self._files[name]
            with path.open("r+b") as file:
                for at in np.argsort(groups).tolist():
                    group, row = int(groups[at]), array[at]
                    if self._is_written[group]:
                        row = row + self._row(file.fileno(), name, group)
                    file.seek(group * row.nbytes)
                    file.write(row.tobytes())
        self._is_written[groups] = True

    def drain(self, at_once: int) -> Iterator[tuple[Rows, GroupSums]]:
        """Yield the groups written, so many at once, and forget them."""
        written = np.flatnonzero(self._is_written)
        for groups in (written[first : first + at_once] for first in range(0, written.size, at_once)):
            arrays = {}
            for name, (path, _, _) in self._files.items():
                with path.open("rb") as file:
                    arrays[name] = np.stack([self._row(file.fileno(), name, group) for group in groups.tolist()])
            arrays.setdefault("count", np.zeros((0, arrays["log_sum"].shape[1]), np.int64))
            yield groups, GroupSums(**arrays, whole=np.arange(groups.size, dtype=np.int32))
        self._is_written[:] = False

    @property
    def has_counts(self) -> bool:
        """Whether counts are summed, beside their logarithms."""
        return "count" in self._files

    def added(self, name: str, pools: Pools, genes: slice = ALL) -> Whole:
        """Add the groups of each pool up; groups are group numbers."""
        path, _, n_genes = self._files[name]
        first, last, _ = genes.indices(n_genes)
        total = np.zeros((len(pools), last - first), np.int64)
        with path.open("rb") as file:
            for position, pool in enumerate(pools):
                for group in pool.tolist():
                    total[position] += self._row(file.fileno(), name, group, first, last)
        return total

    def _row(self, descriptor: int, name: str, group: int, first: int = 0, last: int | None = None) -> npt.NDArray[Any]:
        _, dtype, n_genes = self._files[name]
        n_taken = (n_genes if last is None else last) - first
        start = (group * n_genes + first) * dtype.itemsize
        return np.frombuffer(os.pread(descriptor, n_taken * dtype.itemsize, start), dtype)


def arrays_of(sums: GroupSums) -> dict[str, npt.NDArray[Any]]:
    """Name the arrays of some sums; counts where they are summed."""
    names = ("log_sum", "square_sum", "expressing", *(("count",) if sums.has_counts else ()))
    return {name: getattr(sums, name) for name in names}


def _require_room(folder: Path, needed: int) -> None:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise WarehouseError(
            "The sums of the dataset fit neither in memory nor on the disk.",
            where=str(existing),
            expected=f"{needed / 1e9:.1f} GB free, for conditions x genes",
            got=f"{free / 1e9:.1f} GB",
            do="make room, raise --memory, or filter cells with where under [condition]",
        )
