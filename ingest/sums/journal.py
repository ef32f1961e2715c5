"""What an ingest has summed so far, kept so that one that is interrupted continues where it stopped.

Partials lie in a folder under ``staging/`` named by the work that they are part of and by the code that summed them.
The folder is made when the first is written, which small datasets never do; it is locked while its process lives,
and whoever ingests the same again takes it over. It is gone when the release is published, or when the input turns out
to be at fault, and ``gc`` removes what nobody came back for.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import pyarrow as pa

from featurestore.errors import HarmonisationError, SourceError
from featurestore.storage.locks import OWNER, own, owner_text
from ingest.sums.capped import Rows
from ingest.sums.group_sums import GroupSums
from ingest.sums.partial import SUFFIX, About, read_about, write_partial

if TYPE_CHECKING:
    from ingest.kernel import Totals

LEAST_SECONDS = 60.0
"""What is written down at the earliest after so long. Unit: seconds."""
COST = 20.0
"""Summing goes on for so many times as long as it took to write down what was summed before."""
FAULTS_OF_INPUT = (SourceError, HarmonisationError)


class Journal:
    """The partials of one release to be.

    Parameters
    ----------
    staging
        The warehouse's folder for work in progress.
    work
        Names what is summed, and how.
    """

    def __init__(self, staging: Path, work: str) -> None:
        self.folder = staging / f"sums-{work}-{code_id()}"
        self._owner: int | None = None
        self._since = time.monotonic()
        self._last_cost = 0.0

    def partials(self) -> dict[Path, About]:
        """List what was written down, in this run and before; what is damaged, or has a row again, is removed."""
        found: dict[Path, About] = {}
        taken: list[tuple[int, int]] = []
        for path in sorted(self.folder.glob(f"*{SUFFIX}")) if self._owner is not None else []:
            try:
                about = read_about(path)
            except (OSError, pa.ArrowException, ValueError, LookupError, TypeError):
                about = About()
            is_new = all(first >= b or last <= a for first, last in about.rows for a, b in taken)
            if about.rows and is_new:
                taken += about.rows
                found[path] = about
            else:
                path.unlink(missing_ok=True)
        return found

    def is_due(self) -> bool:
        """Say whether what was summed since the last time should be written down."""
        return time.monotonic() - self._since > max(LEAST_SECONDS, COST * self._last_cost)

    def write(self, chunks: Iterable[tuple[Rows, GroupSums]], about: About, totals: Totals) -> None:
        """Write down sums, which are of all the rows since the last time; ``totals`` are of all rows of the dataset."""
        self.make()
        started = time.monotonic()
        write_partial(self.place(about.rows), chunks, about, [totals[first:last] for first, last in about.rows])
        self._since = time.monotonic()
        self._last_cost = self._since - started

    def place(self, rows: list[tuple[int, int]]) -> Path:
        """Name the file of a partial."""
        return self.folder / f"{min(rows)[0]:012d}-{max(rows)[1]:012d}-{len(rows)}{SUFFIX}"

    def make(self) -> None:
        """Make the folder and lock it."""
        while self._owner is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._take()

    def _take(self) -> None:
        """Lock the folder, or turn to another where a living process has it."""
        try:
            descriptor = own(self.folder)
        except FileNotFoundError:
            return
        if descriptor is None:
            self.folder = self.folder.with_name(f"{self.folder.name}-{uuid.uuid4().hex[:8]}")
            return
        os.truncate(descriptor, 0)
        os.write(descriptor, owner_text().encode())
        self._owner = descriptor

    def __enter__(self) -> Self:
        if self.folder.is_dir():
            self._take()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._owner is None:
            return
        if kind is None or issubclass(kind, FAULTS_OF_INPUT):
            _remove(self.folder)
        os.close(self._owner)


def gaps(first: int, last: int, taken: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield what others leave of a range.

    Examples
    --------
    >>> list(gaps(0, 10, [(2, 4), (8, 12)]))
    [(0, 2), (4, 8)]
    """
    for begin, end in sorted(taken):
        if begin > first and first < last:
            yield first, min(begin, last)
        first = max(first, end)
    if first < last:
        yield first, last


@cache
def code_id() -> str:
    """Name the code that sums: other code may sum otherwise."""
    hashed = hashlib.sha256()
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        hashed.update(path.read_bytes())
    return hashed.hexdigest()[:12]


def _remove(folder: Path) -> None:
    """Remove a folder; the mark of its owner goes last."""
    for path in folder.iterdir():
        if path.name != OWNER:
            path.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        folder.parent.rmdir()
