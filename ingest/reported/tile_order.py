"""Lines of conditions and genes in any order, brought into the order of a release's tiles.

Each line is put with those of its tile in a temporary file, which is on the disk once it is large, and each tile is
then sorted by itself: the time grows with the lines, and the memory does not.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from featurestore.contract import RELEASE, TILE_CONDITIONS, TILE_GENES
from ingest.release.tables import as_arrow, as_numpy

Numbers = npt.NDArray[np.int32]
Lines = Mapping[str, npt.NDArray[Any]]
"""Columns of numbers, all of one length."""

PAIR = ("condition_index", "gene_index")
PLACE = "place"
"""Of a line within its tile: conditions one after another, the genes of each in order."""
LINES_OF_TILE = TILE_CONDITIONS * TILE_GENES
MOST_IN_MEMORY = 32 * 2**20
"""Of lines that wait. Unit: bytes."""


class TileOrder:
    """Lines that wait to be read tile by tile.

    Parameters
    ----------
    n_conditions, n_genes
        One more than the largest index of each.
    statistics
        Columns of numbers of a line, besides ``condition_index``, ``gene_index`` and ``rank``.
    """

    def __init__(self, n_conditions: int, n_genes: int, statistics: Sequence[str]) -> None:
        schema = RELEASE["signature"].schema
        single = {name: np.float32 if schema[name] == pl.Float32 else np.float64 for name in statistics}
        self._line = np.dtype([(PLACE, np.int32), ("rank", np.int32), *single.items()])
        self._offset = {name: offset for name, (_, offset, *_) in (self._line.fields or {}).items()}
        self._n_across = -(-n_genes // TILE_GENES)
        self._n_tiles = -(-n_conditions // TILE_CONDITIONS) * self._n_across
        self._key = np.min_scalar_type(self._n_tiles)
        self._portions: list[tuple[int, Numbers]] = []
        self._file = tempfile.SpooledTemporaryFile(MOST_IN_MEMORY, prefix="tiles-")  # noqa: SIM115, close() closes it

    def add(self, batch: pa.RecordBatch) -> None:
        """Take lines, none of whose numbers is null: missing is NaN.

        Raises
        ------
        OSError
            The disk is full, under the name of the folder of temporary files.
        """
        lines = {name: as_numpy(batch.column(name)) for name in batch.schema.names}
        (down, row), (across, column) = (
            np.divmod(lines.pop(name), side) for name, side in zip(PAIR, (TILE_CONDITIONS, TILE_GENES), strict=True)
        )
        lines[PLACE] = row * TILE_GENES + column
        tile = down * self._n_across + across
        by_tile = np.argsort(tile.astype(self._key), kind="stable")
        first = np.zeros(self._n_tiles + 1, np.int32)
        np.cumsum(np.bincount(tile, minlength=self._n_tiles), out=first[1:])
        self._portions.append((self._file.tell(), first))
        try:
            for name in self._line.names or ():
                self._file.write(lines[name].astype(self._line[name], copy=False)[by_tile].data)
        except OSError as error:  # of a file without a name
            raise OSError(error.errno, error.strerror, tempfile.gettempdir()) from error

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield all lines in the order of tiles, by rank within a condition and gene; small tiles several at once."""
        waiting: list[Lines] = []
        n_waiting = 0
        for tile in range(self._n_tiles):
            waiting.append(self._tile(tile))
            n_waiting += waiting[-1]["rank"].size
            if n_waiting >= LINES_OF_TILE or tile == self._n_tiles - 1:
                yield _batch(waiting)
                waiting, n_waiting = [], 0

    def close(self) -> None:
        """Remove the temporary file."""
        self._file.close()

    def _tile(self, tile: int) -> Lines:
        """Read the lines of a tile, and sort them."""
        n_lines = [int(first[tile + 1] - first[tile]) for _, first in self._portions]
        lines = {name: np.empty(sum(n_lines), self._line[name]) for name in self._line.names or ()}
        done = 0
        for n, (at, first) in zip(n_lines, self._portions, strict=True):
            for name, column in lines.items() if n else ():
                before = int(first[-1]) * self._offset[name]  # of this portion, columns before it
                self._file.seek(at + before + int(first[tile]) * column.itemsize)
                self._file.readinto(column[done : done + n].data)
            done += n
        order = _order(lines[PLACE], lines["rank"])
        lines = {name: column[order] for name, column in lines.items()}
        (row, column), (down, across) = np.divmod(lines.pop(PLACE), TILE_GENES), divmod(tile, self._n_across)
        row += down * TILE_CONDITIONS
        column += across * TILE_GENES
        return dict(zip(PAIR, (row, column), strict=True)) | lines


def _order(place: Numbers, rank: Numbers) -> npt.NDArray[np.signedinteger[Any]]:
    """Sort lines by their place in a tile, and by rank where a place has several."""
    line_at = np.full(LINES_OF_TILE, -1, np.int32)
    line_at[place] = np.arange(place.size, dtype=np.int32)
    order = line_at[line_at >= 0]
    return order if order.size == place.size else np.lexsort((rank, place))


def _batch(tiles: Sequence[Lines]) -> pa.RecordBatch:
    columns = {name: [lines[name] for lines in tiles] for name in tiles[0]}
    arrays = [as_arrow(parts[0] if len(parts) == 1 else np.concatenate(parts)) for parts in columns.values()]
    return pa.RecordBatch.from_arrays(arrays, list(columns))
