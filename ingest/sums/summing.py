"""The files of a dataset are summed: here, one after another, or by the workers of a cluster, and never twice.

Sums are whole numbers, so neither who summed which rows nor the order in which sums are added changes a digit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from ingest.conditions.axis import GeneAxis
from ingest.conditions.given import GivenRows
from ingest.kernel import Totals
from ingest.progress import step
from ingest.reader import LeavesOut, Reader
from ingest.spec import DatasetSpec
from ingest.sums.accumulate import accumulate
from ingest.sums.by_gene import RowGroups
from ingest.sums.capped import BYTES_PER_SUM, CappedSums, Rows
from ingest.sums.group_sums import GroupSums
from ingest.sums.journal import Journal
from ingest.sums.partial import About, add_partial, write_partial
from ingest.sums.portion import Portion, portions_of
from ingest.sums.shared_cells import refuse_shared_cells
from ingest.sums.values import ValueCheck

PORTIONS_OF_A_THREAD = 3
"""A cluster's threads get several portions each, so that they end at about the same time."""
LEAST_ROWS = 10_000
"""A portion has so many rows at least, if its file has: the sums of each are written to the disk."""
MOST_ROWS = 200_000
"""And so many at most, if its file can be cut: what is lost with a process that is interrupted."""


class Summing(Protocol):
    """Others who sum."""

    @property
    def n_threads(self) -> int:
        """How many portions they sum at a time."""
        ...

    def summed(self, portions: Sequence[Portion], journal: Journal) -> Iterator[tuple[Path, Portion]]:
        """Sum portions into partials of a journal, and yield each as it is there."""
        ...


def sum_files(
    sources: Sequence[tuple[Reader, GeneAxis]],
    groups: RowGroups,
    given: GivenRows,
    spec: DatasetSpec,
    capped: CappedSums,
    journal: Journal,
    cluster: Summing | None = None,
) -> Counter[str]:
    """Sum all files, but for what a journal has of them.

    Parameters
    ----------
    sources
        The files in order, each with its gene axis.
    groups
        Groups of every row of all files, -1 for none. Shape (rows, 4 or 5).
    given
        What is known of every row.
    spec
        The dataset's spec.
    capped
        What the sums are added to.
    journal
        What was summed before, and where to write down what is.
    cluster
        Who sums; this process where None.

    Returns
    -------
    The identifiers that are in no gene table, with the number of their values.

    Raises
    ------
    ValuesError
        The values are not what the spec says.
    SpecError
        Two files hold the same cells.
    """
    before = journal.partials()
    done = [rows for about in before.values() for rows in about.rows]
    n_parts = cluster.n_threads * PORTIONS_OF_A_THREAD if cluster else 1
    most_rows = (
        min(MOST_ROWS, max(LEAST_ROWS, -(-len(groups) // n_parts))) if cluster or capped.is_whole else len(groups)
    )
    portions = list(portions_of(sources, groups, given, spec, done, most_rows))
    total, added = About(), set[tuple[int, int]]()
    if cluster and portions:
        n_rows = sum(portion.last - portion.first for portion in portions)
        title = f"{n_rows:,} rows in {len(portions):,} portions, {cluster.n_threads} at a time on the cluster"
        with step(title, n_rows) as advance:
            for path, portion in cluster.summed(portions, journal):
                add_partial(path, capped)
                added.add(portion.rows)
                advance(portion.last - portion.first)
    elif portions:
        total = _sum_here(portions, {reader.path: reader for reader, _ in sources}, capped, journal)
    partials = journal.partials()
    for path in partials if not before else _shown(partials, before):
        if not added.issuperset(partials[path].rows):
            add_partial(path, capped)
    for about in partials.values():
        total.add(about)
    declared = "counts" if spec.value_kind.is_additive else "log1p"
    for name, (n_seen, n_fractional, largest) in total.evidence.items():
        ValueCheck(declared, Path(name), n_seen, n_fractional, largest=largest).finish()
    if len(capped.totals):
        readers = [reader for reader, _ in sources]
        sizes = [reader.n_rows for reader in readers]
        refuse_shared_cells([reader.path for reader in readers], sizes, given.draw, given.combo, capped.totals)
    return total.left_out


def sum_portion(portion: Portion, place: Path, memory_limit: int) -> None:
    """Sum a portion into a partial.

    Parameters
    ----------
    portion
        The portion.
    place
        The file of the partial.
    memory_limit
        Most that sums take in memory: where the portion's groups do not fit, it is read again for every share of them.
        Unit: bytes.

    Raises
    ------
    FeatureStoreError
        The file is at fault.
    """
    reader = portion.open()
    about = About([portion.rows])
    totals = np.zeros(portion.last - portion.first if portion.has_counts else 0, np.float32)

    def chunks() -> Iterator[tuple[Rows, GroupSums]]:
        needed = np.unique(portion.groups[portion.groups >= 0])
        room = max(1, memory_limit // max(1, portion.n_genes * BYTES_PER_SUM))
        for first in range(0, max(1, needed.size), room):
            share = needed[first : first + room]
            sums = GroupSums.zeros(max(1, share.size), portion.n_genes, has_counts=portion.has_counts)
            position = np.full(int(portion.groups.max(initial=-1)) + 2, -1, np.int32)
            position[share] = np.arange(share.size, dtype=np.int32)
            seen = _add(portion, reader, position[portion.groups], sums, totals, lambda _: None)
            about.left_out, about.evidence = seen.left_out, seen.evidence
            yield share, sums

    try:
        write_partial(place, chunks(), about, [totals])
    finally:
        reader.close()


def _sum_here(
    portions: Sequence[Portion], readers: Mapping[Path, Reader], capped: CappedSums, journal: Journal
) -> About:
    """Sum portions one after another, and say of what the sums are that were not written down."""
    waiting = About()
    for portion in portions:
        if waiting.rows and journal.is_due():
            journal.write(capped.drain(), waiting, capped.totals)
            waiting = About()
        seen: list[About] = []
        totals = capped.totals[slice(*portion.rows)]
        capped.add(portion.groups, partial(_add_shown, portion, readers[portion.path], totals, seen))
        waiting.add(seen[-1])
    return waiting


def _add_shown(
    portion: Portion, reader: Reader, totals: Totals, seen: list[About], groups: RowGroups, sums: GroupSums
) -> None:
    with step(portion.title, portion.last - portion.first) as advance:
        seen.append(_add(portion, reader, groups, sums, totals, advance))


def _add(
    portion: Portion,
    reader: Reader,
    groups: RowGroups,
    sums: GroupSums,
    totals: Totals,
    advance: Callable[[int], None],
) -> About:
    """Add a portion to sums, in which ``groups`` are positions, and note the totals of its rows."""
    check = portion.check(reader)
    source, rows, slots = portion.source(reader)
    noted = totals[rows] if portion.has_counts else totals
    accumulate(source, groups[rows], slots, sums, noted, check, advance)
    if portion.has_counts:
        totals[rows] = noted
    seen = About([portion.rows], Counter(reader.left_out()) if isinstance(reader, LeavesOut) else Counter())
    if portion.is_whole:
        check.finish()
    else:
        seen.evidence[str(portion.path)] = check.n_seen, check.n_fractional, check.largest
    return seen


def _shown(partials: Mapping[Path, About], before: Mapping[Path, About]) -> Iterator[Path]:
    """Yield partials, with a word on those that an ingest that was interrupted left."""
    n_rows = sum(about.n_rows for about in before.values())
    with step(f"{n_rows:,} rows were summed before, and are not read again", len(partials)) as advance:
        for path in partials:
            yield path
            advance(1)
