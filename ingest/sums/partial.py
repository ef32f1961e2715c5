"""A partial: sums of some rows of a dataset in a file of their own, to be added to others once, in any order.

Only sums that some cell added to are kept. The file is Parquet with a checksum for each page, under a name that it gets
when it is complete.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from ingest.kernel import Groups
from ingest.release.staging import flush
from ingest.sums.accumulate import GroupSums, refuse_overflow
from ingest.sums.ceiling import CappedSums, Rows, arrays_of

SUFFIX = ".sums"
ABOUT = b"about"
VALUES_AT_ONCE = 2**20
"""About how many sums are brought to or from the file at a time."""
SCHEMA = pa.schema(
    {
        "group": pa.int32(),
        "gene": pa.int32(),
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


def write_partial(path: Path, chunks: Iterable[tuple[Rows, GroupSums]], about: About) -> None:
    """Write a partial.

    Parameters
    ----------
    path
        Its file.
    chunks
        Group numbers and their sums, no group twice; sums beyond the groups are left alone.
    about
        What it is of; read when all chunks are there.
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

        def add_to(held: Groups, sums: GroupSums) -> None:
            position = np.full(int(groups[-1]) + 1, -1, np.int64)
            position[groups] = held
            for batch in file.iter_batches(VALUES_AT_ONCE):
                columns = {name: batch.column(name).to_numpy() for name in SCHEMA.names}
                row = position[columns["group"]]
                kept = row >= 0
                flat = row[kept] * sums.log_sum.shape[1] + columns["gene"][kept]
                for name, target in arrays_of(sums).items():
                    target.reshape(-1)[flat] += columns[name][kept]
            refuse_overflow(sums, path)

        if groups.size:
            capped.add(groups, add_to)


def _table(groups: Rows, sums: GroupSums, part: slice) -> pa.Table:
    row, gene = np.nonzero(sums.expressing[part])
    columns: dict[str, npt.NDArray[Any]] = {"group": groups[row].astype(np.int32), "gene": gene.astype(np.int32)}
    for name, array in arrays_of(sums).items():
        columns[name] = array[part][row, gene]
    columns.setdefault("count", np.zeros(row.size, np.int64))
    return pa.table([columns[name] for name in SCHEMA.names], schema=SCHEMA)
