"""A partial: sums of some rows of a dataset in a file of their own, to be added to others once, in any order.

Only sums that some cell added to are kept, and beside them the total of every cell: under the group ``TOTALS``, with
the row of the dataset where others have the gene. The file is Parquet with a checksum for each page, under a name that
it gets when it is complete.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from featurestore.storage.whole import flush
from ingest.sums.capped import CappedSums, Rows, arrays_of
from ingest.sums.group_sums import GroupSums, refuse_overflow

if TYPE_CHECKING:
    from ingest.kernel import Groups, Totals

SUFFIX = ".sums"
TOTALS = -1
ABOUT = b"about"
VALUES_AT_ONCE = 2**20
"""About how many sums are brought to or from the file at a time."""
SCHEMA = pa.schema(
    {
        "group": pa.int32(),
        "gene": pa.int64(),
        "count": pa.int64(),
        "log_sum": pa.int64(),
        "square_sum": pa.int64(),
        "expressing": pa.int32(),
    }
)


@dataclass(slots=True)
class About:
    """What a partial is of.

    Attributes
    ----------
    rows
        The dataset's rows that were summed, from one up to another.
    left_out
        Identifiers that are in no gene table, with the number of their values.
    evidence
        For files of which only some rows were seen: how many values, how many of them not whole, and the largest.
    """

    rows: list[tuple[int, int]] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    evidence: dict[str, tuple[int, int, float]] = field(default_factory=dict)

    def add(self, other: About) -> None:
        """Take in what another is of."""
        self.rows += other.rows
        self.left_out.update(other.left_out)
        for path, (n_seen, n_fractional, largest) in other.evidence.items():
            before = self.evidence.get(path, (0, 0, -np.inf))
            self.evidence[path] = before[0] + n_seen, before[1] + n_fractional, max(before[2], largest)

    @property
    def n_rows(self) -> int:
        """How many rows these are."""
        return sum(last - first for first, last in self.rows)


def write_partial(path: Path, chunks: Iterable[tuple[Rows, GroupSums]], about: About, totals: Sequence[Totals]) -> None:
    """Write a partial.

    Parameters
    ----------
    path
        Its file.
    chunks
        Group numbers and their sums, no group twice; sums beyond the groups are left alone.
    about
        What it is of; read when all chunks are there.
    totals
        Counts of every cell, for each range of ``about.rows``; read then as well.
    """
    begun = path.with_name(f"{path.name}.{os.uname().nodename}.{os.getpid()}")
    with pq.ParquetWriter(
        begun,
        SCHEMA,
        compression="zstd",
        compression_level=1,
        use_dictionary=False,
        column_encoding=dict.fromkeys(SCHEMA.names, "DELTA_BINARY_PACKED"),
        write_page_checksum=True,
    ) as writer:
        for groups, sums in chunks:
            at_once = max(1, VALUES_AT_ONCE // max(1, sums.log_sum.shape[1]))
            for first in range(0, len(groups), at_once):
                part = slice(first, min(first + at_once, len(groups)))
                writer.write_table(_table(groups[part], sums, part))
        for (start, _), part_totals in zip(about.rows, totals, strict=True):
            for first in range(0, part_totals.size, VALUES_AT_ONCE):
                writer.write_table(_table_of_totals(start + first, part_totals[first : first + VALUES_AT_ONCE]))
        rows = [[int(first), int(last)] for first, last in about.rows]
        content = {"rows": rows, "left_out": about.left_out, "evidence": about.evidence}
        writer.add_key_value_metadata({ABOUT.decode(): json.dumps(content)})
    flush(begun)
    begun.replace(path)


def read_about(path: Path) -> About:
    """Read what a partial is of.

    Raises
    ------
    OSError, pyarrow.ArrowException, ValueError
        It is damaged.
    """
    content = json.loads((pq.read_metadata(path).metadata or {})[ABOUT])
    evidence = {name: (n_seen, n_odd, largest) for name, (n_seen, n_odd, largest) in content["evidence"].items()}
    return About([(first, last) for first, last in content["rows"]], Counter(content["left_out"]), evidence)


def add_partial(path: Path, capped: CappedSums) -> None:
    """Add a partial to the sums of the dataset."""
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        groups = np.unique(file.read(["group"]).column(0).to_numpy()).astype(np.int32)
        groups = groups[groups != TOTALS]
        _read_totals(file, capped.totals)

        def add_to(held: Groups, sums: GroupSums) -> None:
            position = np.full(int(groups[-1]) + 1, -1, np.int64)
            position[groups] = held
            whole = sums.whole.astype(np.int64)
            for batch in file.iter_batches(VALUES_AT_ONCE):
                columns = {name: batch.column(name).to_numpy() for name in SCHEMA.names}
                row = np.where(columns["group"] == TOTALS, -1, position[columns["group"]])
                kept = row >= 0
                own, shared = (
                    at * sums.log_sum.shape[1] + columns["gene"][kept] for at in (row[kept], whole[row[kept]])
                )
                for name, target in arrays_of(sums).items():
                    np.add.at(target.reshape(-1), own if name == "log_sum" else shared, columns[name][kept])
            refuse_overflow(sums, path)

        if groups.size:
            capped.add(groups, add_to)


def _table(groups: Rows, sums: GroupSums, part: slice) -> pa.Table:
    found = sums.of_groups(part)
    row, gene = np.nonzero((found["expressing"] != 0) | (found["log_sum"] != 0))
    columns: dict[str, npt.NDArray[Any]] = {"group": groups[row].astype(np.int32), "gene": gene}
    for name, array in found.items():
        columns[name] = array[row, gene]
    columns.setdefault("count", np.zeros(row.size, np.int64))
    return pa.table([columns[name] for name in SCHEMA.names], schema=SCHEMA)


def _table_of_totals(first: int, totals: Totals) -> pa.Table:
    """Write totals down bit by bit, since they need not be whole."""
    columns: dict[str, npt.NDArray[Any]] = dict.fromkeys(SCHEMA.names, np.zeros(totals.size, np.int64))
    columns |= {
        "group": np.full(totals.size, TOTALS),
        "gene": np.arange(first, first + totals.size),
        "count": totals.view(np.int32),
    }
    return pa.table([pa.array(columns[field.name], field.type) for field in SCHEMA], schema=SCHEMA)


def _read_totals(file: pq.ParquetFile, totals: Totals) -> None:
    """Put the totals that a partial has where they belong."""
    if totals.size:
        for batch in file.iter_batches(VALUES_AT_ONCE, columns=["group", "gene", "count"]):
            group, row, bits = (batch.column(at).to_numpy() for at in range(3))
            is_total = group == TOTALS
            totals[row[is_total]] = bits[is_total].astype(np.int32).view(np.float32)
