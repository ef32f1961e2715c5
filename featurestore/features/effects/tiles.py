"""Read effects from a release's tiles straight into a matrix: where each row group belongs says its statistics.

A table that has the mark of :data:`TILES` holds, in every row group, all pairs of some conditions and some consecutive
genes, by condition and gene. One column of it is then all there is to read, and nothing to look up for its rows.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from featurestore.contract import TILES

_THREADS = min(8, os.cpu_count() or 1)
_SHARES = 4
"""How many shares of the tiles each thread gets, one after the other."""

Positions = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class _Tile:
    """A row group: conditions from the first to the last, of which it may lack some, and all genes in between."""

    number: int
    conditions: tuple[int, int]
    genes: tuple[int, int]
    n_conditions: int


def fill_from_tiles(
    files: Sequence[Path],
    effect_kind: str,
    row_of: Positions,
    column_of: Positions,
    values: npt.NDArray[np.float32],
    column: str = "effect",
) -> bool:
    """Fill a matrix with effects of one kind, or with another column of theirs.

    Parameters
    ----------
    files
        The files of a signature table.
    effect_kind
        Scale of the effects.
    row_of, column_of
        Row by condition_index and column by gene_index, -1 for none.
    values
        What is filled, in place. Shape (rows, columns).
    column
        The column of the table.

    Returns
    -------
    Whether it was: False, and nothing touched, where the files are not here, or not in tiles of one kind each.
    """
    if not all(path.is_file() for path in files):
        return False
    tables = [pq.read_metadata(path) for path in files]
    wanted = np.append(0, np.cumsum(row_of >= 0))
    read: list[tuple[Path, Any, list[_Tile]]] = []
    for path, metadata in zip(files, tables, strict=True):
        if TILES not in (metadata.metadata or {}):
            return False
        tiles = list(_tiles(metadata, effect_kind, wanted))
        if None in tiles:
            return False
        read.append((path, metadata, [tile for tile in tiles if tile is not None]))

    def fill(share: tuple[Path, Any, list[_Tile]]) -> None:
        path, metadata, tiles = share
        with pq.ParquetFile(path, metadata=metadata, pre_buffer=True) as file:
            for tile in tiles:
                _fill(file, tile, row_of, column_of, values, column)

    n = _THREADS * _SHARES
    shares = [(path, metadata, tiles[k::n]) for path, metadata, tiles in read for k in range(min(n, len(tiles)))]
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(fill, shares))
    return True


def _tiles(metadata: Any, effect_kind: str, wanted: Positions) -> Iterator[_Tile | None]:
    """Yield the tiles that hold a wanted condition and the kind; None for one that does not say what it holds."""
    at = {metadata.schema.column(i).name: i for i in range(metadata.num_columns)}
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        stored = [group.column(at[name]).statistics for name in ("condition_index", "gene_index", "effect_kind")]
        if any(each is None or not each.has_min_max or each.null_count for each in stored):
            yield None
            continue
        conditions, genes, kinds = ((each.min, each.max) for each in stored)
        first, last = (min(index, wanted.size - 1) for index in (conditions[0], conditions[1] + 1))
        if wanted[first] == wanted[last] or effect_kind < kinds[0] or effect_kind > kinds[1]:
            continue
        n_conditions, rest = divmod(group.num_rows, genes[1] - genes[0] + 1)
        yield None if rest or kinds[0] != kinds[1] else _Tile(number, conditions, genes, n_conditions)


def _fill(
    file: pq.ParquetFile,
    tile: _Tile,
    row_of: Positions,
    column_of: Positions,
    values: npt.NDArray[np.float32],
    column: str,
) -> None:
    first, last = tile.conditions
    is_whole = last - first + 1 == tile.n_conditions
    names = [column] if is_whole else ["condition_index", column]
    table = file.read_row_group(tile.number, columns=names, use_threads=False)
    effects = table.column(column).to_numpy().reshape(tile.n_conditions, -1)
    numbers = np.arange(first, last + 1)
    if not is_whole:
        numbers = table.column("condition_index").to_numpy()[:: effects.shape[1]]
    is_here = numbers < row_of.size
    rows = np.where(is_here, row_of[np.where(is_here, numbers, 0)], -1)
    columns = column_of[tile.genes[0] : tile.genes[1] + 1]
    taken = rows >= 0
    if columns[-1] - columns[0] + 1 == columns.size and (np.diff(columns) == 1).all():
        values[rows[taken], columns[0] : columns[-1] + 1] = effects[taken]
    else:
        values[np.ix_(rows[taken], columns)] = effects[taken]
