"""Row groups of token lists, read page by page: each token becomes a gene as it is unpacked.

Arrow makes lists of all tokens and values first, which takes twice the time.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.reader import Integers, Numbers
from ingest.readers.damage import DAMAGE
from ingest.readers.page_values import MOST_LEVEL, keep_known, take_apart
from ingest.readers.parquet_pages import Pages, UnknownPageError, read_pages
from ingest.readers.token_columns import Names

Placed: TypeAlias = tuple[int, Integers, Integers, Numbers, dict[int, int]]
"""Number of the first cell, where each begins, genes, values, and how often there is each token that no gene has."""


def read_groups(
    path: Path, metadata: Any, names: Names, groups: list[int], start: int, position: npt.NDArray[np.int32]
) -> Placed | None:
    """Read some row groups.

    Parameters
    ----------
    path
        The file.
    metadata
        What it says of itself: ``pyarrow.parquet.FileMetaData``.
    names
        The columns of tokens and values.
    groups
        Numbers of the row groups.
    start
        The number of the first cell in them.
    position
        Gene by token, -1 for none; the last is for all other tokens. Shape (tokens,).

    Returns
    -------
    None where Arrow is to read them: pages of another kind, a cell without tokens or with one twice, any damage.
    """
    try:
        tokens, counts = (_Column(metadata, name) for name in (names.tokens, names.values))
        found = [metadata.row_group(group) for group in groups]
        n_items = sum(map(tokens.n_items, found))
        genes, values = np.empty(n_items, np.int32), np.empty(n_items, counts.dtype)
        begins, unknown, n_kept = [np.zeros(1, np.int64)], Counter[int](), 0
        with path.open("rb") as file:
            for group in found:
                part = slice(n_kept, n_kept + tokens.n_items(group))
                indptr, left_out = _place(file, group, tokens, counts, position, genes[part], values[part])
                begins.append(n_kept + indptr[1:])
                unknown.update(left_out)
                n_kept += int(indptr[-1])
    except DAMAGE:
        return None
    return start, np.concatenate(begins), genes[:n_kept], values[:n_kept], dict(unknown)


class _Column:
    """A column of lists: where it is in a row group, and what its items are."""

    def __init__(self, metadata: Any, name: str) -> None:
        schema = metadata.schema
        paths = [schema.column(place).path for place in range(metadata.num_columns)]
        self._place = [path.split(".")[0] for path in paths].index(name)
        levels, kind = schema.column(self._place), schema.to_arrow_schema().field(name).type
        self._level = int(levels.max_definition_level)
        if pa.types.is_fixed_size_list(kind) or levels.max_repetition_level != 1 or self._level > MOST_LEVEL:
            raise UnknownPageError
        self.dtype = np.dtype(kind.value_type.to_pandas_dtype())

    def n_items(self, group: Any) -> int:
        """Return how many items a row group has."""
        return int(group.column(self._place).num_values)

    def pages(self, file: BinaryIO, group: Any) -> Pages:
        """Read the pages of a row group."""
        return read_pages(file, group.column(self._place))

    def unpack(self, pages: Pages, meanings: Numbers, n_cells: int, found: Numbers) -> Integers:
        """Fill in what each item stands for, and return where each list begins, and the last ends."""
        begins, n_begun, at = np.empty(n_cells + 1, np.int64), 0, 0
        for page, n_items in pages:
            n_begun = take_apart(page, n_items, self._level, meanings, begins, n_begun, found, at)
            at += n_items
            if n_begun < 0:
                raise UnknownPageError
        if n_begun != n_cells or at != found.size or begins[0] != 0:
            raise UnknownPageError
        begins[-1] = at
        return begins


def _place(
    file: BinaryIO,
    group: Any,
    tokens: _Column,
    counts: _Column,
    position: npt.NDArray[np.int32],
    genes: npt.NDArray[np.int32],
    values: Numbers,
) -> tuple[Integers, dict[int, int]]:
    """Fill in the genes and values of a row group, and return where cells begin, and which tokens no gene has."""
    n_cells = int(group.num_rows)
    of_tokens, of_counts = tokens.pages(file, group), counts.pages(file, group)
    token = of_tokens.dictionary.astype(tokens.dtype)
    gene = position[np.where((token >= 0) & (token < position.size), token, position.size - 1).astype(np.intp)]
    meaning = np.where(gene < 0, -1 - np.arange(gene.size), gene).astype(np.int32)
    indptr = tokens.unpack(of_tokens, meaning, n_cells, genes)
    if not np.array_equal(indptr, counts.unpack(of_counts, of_counts.dictionary.astype(counts.dtype), n_cells, values)):
        raise UnknownPageError
    n_unknown = np.zeros(token.size, np.int64)
    if keep_known(indptr, genes, values, position.size, n_unknown) < 0:
        raise UnknownPageError
    return indptr, {int(token[k]): int(n_unknown[k]) for k in np.flatnonzero(n_unknown)}
