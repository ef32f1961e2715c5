"""What was counted beside RNA: guides, hashtags of samples and antibodies, as calls or as counts of each cell.

They are rows of the matrix beside the genes, told by a column of types, or a matrix of their own, whose rows have the
same keys. A cell that such a matrix lacks has no count, which is not 0.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.errors import SpecError, did_you_mean
from ingest.conditions.feature_types import feature_types
from ingest.reader import INDEX, Block, CscBlock, CsrBlock, HasModalities, Integers, Numbers, Reader
from ingest.readers.feature_words import is_guides, is_tags

GUIDE_CALL, TAG_CALL = "guide_call", "tag_call"
"""The columns of the row table that calls are in."""
LEAST_COUNT = 5
"""Counts from which on a draft calls a guide."""
BETWEEN = "|"
"""What the guides of a cell are joined by, as Cell Ranger does."""
OF = ":"
"""What joins a kind and a feature in the name of a column: ``adt:CD86``, ``Antibody Capture:CD86``."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Features of a kind: the matrix they are in, and which of its columns they are, shape (columns,)."""

    reader: Reader
    is_wanted: npt.NDArray[np.bool_]

    def entries(self) -> Iterator[tuple[Integers, Integers, Numbers]]:
        """Give the rows, columns and values of what was counted, in one pass over the matrix."""
        for block in self.reader.blocks():
            yield entries_of(block, self.is_wanted)

    def brought_to(self, reader: Reader, table: pl.DataFrame) -> pl.DataFrame:
        """Bring a table of its rows to those of another matrix by their keys; null where that has no such row."""
        if self.reader is reader:
            return table
        keyed = self.reader.rows([INDEX]).hstack(table)
        return reader.rows([INDEX]).join(keyed, on=INDEX, how="left", maintain_order="left").drop(INDEX)


def counted(reader: Reader, is_kind: Callable[[str], bool]) -> Counted | None:
    """Find the features of a kind, in a matrix of their own or among the genes; None where there are none."""
    if isinstance(reader, HasModalities):
        for name in filter(is_kind, reader.modalities):
            other = reader.counted(name)
            if other is not None:
                return Counted(other, np.ones(other.n_genes, bool))
    types = feature_types(reader.genes())
    if types is None:
        return None
    words = reader.genes()[types.column].cast(pl.String).fill_null("")
    is_wanted = np.array([is_kind(word) for word in words], bool)
    return Counted(reader, is_wanted) if is_wanted.any() else None


def call_guides(reader: Reader, min_count: int) -> pl.Series:
    """Call the guides of every row in one pass over their counts: those with ``min_count`` counts or more.

    Returns
    -------
    Their names as the gene table's key has them, joined by ``|`` in its order; null where a row has none.

    Raises
    ------
    SpecError
        No row of the gene table is of guides.
    """
    return _called(reader, min_count, is_guides, GUIDE_CALL, "[guides] calls guides", "CRISPR Guide Capture")


def call_tags(reader: Reader, min_count: int) -> pl.Series:
    """Call the hashtags of every row, as :func:`call_guides` does guides; a row of several is a doublet.

    Raises
    ------
    SpecError
        No row of the gene table is of hashtags.
    """
    return _called(reader, min_count, is_tags, TAG_CALL, "[tags] calls hashtags", "Multiplexing Capture")


def _called(
    reader: Reader, min_count: int, is_kind: Callable[[str], bool], column: str, what: str, word: str
) -> pl.Series:
    found = counted(reader, is_kind)
    if found is None:
        types = feature_types(reader.genes())
        raise SpecError(
            f"{what} from their own counts, and the gene table has none.",
            where=str(reader.path),
            expected=f"rows of the type '{word}'",
            got="no column of types" if types is None else types.told(),
            do=f"take {what.partition(' ')[0]} out, and name a column of the row table",
        )
    parts = [(rows[values >= min_count], columns[values >= min_count]) for rows, columns, values in found.entries()]
    rows, columns = (np.concatenate(part) for part in zip(*parts, strict=True))
    calls = joined_calls(rows, found.reader.genes()[INDEX].gather(columns), found.reader.n_rows, column)
    return found.brought_to(reader, calls.to_frame())[column]


def entries_of(block: Block, is_wanted: npt.NDArray[np.bool_]) -> tuple[Integers, Integers, Numbers]:
    """Find the rows, columns and values of a block that are in the columns wanted; zeros may be among them."""
    if isinstance(block, (CsrBlock, CscBlock)):
        outer = np.repeat(np.arange(block.start, block.start + block.indptr.size - 1), np.diff(block.indptr))
        rows, columns = (outer, block.indices) if isinstance(block, CsrBlock) else (block.indices, outer)
        values = block.data
    else:
        at, columns = np.nonzero(block.values)
        rows, values = at + block.start, block.values[at, columns]
    kept = is_wanted[columns]
    return rows[kept], columns[kept], values[kept]


def joined_calls(rows: Integers, names: pl.Series, n_rows: int, column: str = GUIDE_CALL) -> pl.Series:
    """Join the names of each row's guides; ``rows`` and ``names`` are one for each call."""
    calls = pl.DataFrame([pl.Series("row", rows, dtype=pl.Int64), names.alias("name")])
    joined = calls.sort("row", maintain_order=True).group_by("row", maintain_order=True)
    every = pl.DataFrame({"row": np.arange(n_rows)}).join(
        joined.agg(pl.col("name").str.join(BETWEEN)), on="row", how="left", maintain_order="left"
    )
    return every["name"].alias(column)


def counts_beside(reader: Reader, names: Sequence[str]) -> pl.DataFrame:
    """Read the counts of single features as columns of the cells: ``adt:CD86`` is CD86 in the modality ``adt``.

    Names of kinds that the file does not have are left out.

    Raises
    ------
    SpecError
        A kind has no such feature.
    """
    kinds = dict.fromkeys(name.partition(OF)[0] for name in names if OF in name)
    tables = []
    for kind in kinds:
        found = counted(reader, partial(operator.eq, kind))
        if found is not None:
            tables.append(_counts(reader, found, kind, [name for name in names if name.startswith(f"{kind}{OF}")]))
    return pl.concat(tables, how="horizontal") if tables else pl.DataFrame()


def _counts(reader: Reader, found: Counted, kind: str, names: Sequence[str]) -> pl.DataFrame:
    """Read the counts of features of one kind."""
    genes = found.reader.genes()
    there = {f"{kind}{OF}{genes[INDEX][at]}": at for at in np.flatnonzero(found.is_wanted).tolist()}
    for name in names:
        if name not in there:
            raise SpecError(f"There is no count of '{name}'.", where=str(reader.path), do=did_you_mean(name, there))
    place = np.full(genes.height, -1)
    place[[there[name] for name in names]] = np.arange(len(names))
    table = np.zeros((found.reader.n_rows, len(names)))
    for rows, columns, values in Counted(found.reader, place >= 0).entries():
        table[rows, place[columns]] = values
    return found.brought_to(reader, pl.DataFrame(table, schema=list(names)))
