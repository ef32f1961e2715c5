"""Lines of conditions and genes in any order, brought into the order of a release's tiles.

Each line is put with those of its tile in a temporary file, which is on the disk once it is large, and each tile is
then sorted by itself: the time grows with the lines, and the memory does not.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
from numba import njit

from featurestore.contract import RELEASE
from ingest.release.tables import TILE_CONDITIONS, TILE_GENES, as_arrow

Numbers = npt.NDArray[np.int32]
Lines = npt.NDArray[np.void]
Words = npt.NDArray[np.uint32]

KEYS = ("condition_index", "gene_index", "rank")
LINES_OF_TILE = TILE_CONDITIONS * TILE_GENES
MOST_IN_MEMORY = 32 * 2**20
"""Of lines that wait. Unit: bytes."""
WORD = np.dtype(np.uint32)
"""What lines are moved by: all of their numbers are of so many bytes or of twice that."""


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
        self._line = np.dtype([*((key, np.int32) for key in KEYS), *single.items()])
        self._n_across = -(-n_genes // TILE_GENES)
        self._n_tiles = -(-n_conditions // TILE_CONDITIONS) * self._n_across
        self._portions: list[tuple[int, Numbers]] = []
        self._file = tempfile.SpooledTemporaryFile(MOST_IN_MEMORY, prefix="tiles-")  # noqa: SIM115, close() closes it

    def add(self, batch: pa.RecordBatch) -> None:
        """Take lines, none of whose numbers is null: missing is NaN."""
        columns = pl.DataFrame(pa.Table.from_batches([batch]))
        tile, _ = _tiles(columns["condition_index"].to_numpy(), columns["gene_index"].to_numpy(), self._n_across)
        place, first = _counted(tile, self._n_tiles)
        words = np.empty((batch.num_rows, self._line.itemsize // WORD.itemsize), WORD)
        at = 0
        for name in self._line.names or ():
            numbers = columns[name].to_numpy().astype(self._line[name], copy=False)
            _put(numbers.view(WORD).reshape(len(words), -1), place, words, at)
            at += numbers.itemsize // WORD.itemsize
        self._portions.append((self._file.tell(), first))
        try:
            self._file.write(words.data)
        except OSError as error:  # of a file without a name
            raise OSError(error.errno, error.strerror, tempfile.gettempdir()) from error

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield all lines in the order of tiles, by rank within a condition and gene; small tiles several at once."""
        waiting: list[Lines] = []
        for tile in range(self._n_tiles):
            waiting.append(self._tile(tile))
            if sum(map(len, waiting)) >= LINES_OF_TILE or tile == self._n_tiles - 1:
                yield _batch(waiting)
                waiting = []

    def close(self) -> None:
        """Remove the temporary file."""
        self._file.close()

    def _tile(self, tile: int) -> Lines:
        n_lines = [int(first[tile + 1] - first[tile]) for _, first in self._portions]
        words = np.empty((sum(n_lines), self._line.itemsize // WORD.itemsize), WORD)
        done = 0
        for n, (offset, first) in zip(n_lines, self._portions, strict=True):
            if n:
                self._file.seek(offset + int(first[tile]) * self._line.itemsize)
                self._file.readinto(words[done : done + n].data)
                done += n
        lines = words.view(self._line).reshape(-1)
        _, within = _tiles(lines["condition_index"], lines["gene_index"], self._n_across)
        place, first = _counted(within, LINES_OF_TILE)
        if np.diff(first).max() > 1:
            return lines[np.lexsort((lines["rank"], within))]
        ordered = np.empty_like(words)
        _put(words, place, ordered, 0)
        return ordered.view(self._line).reshape(-1)


def _batch(tiles: Sequence[Lines]) -> pa.RecordBatch:
    names = list(tiles[0].dtype.names or ())
    columns = [as_arrow(np.concatenate([lines[name] for lines in tiles])) for name in names]
    return pa.RecordBatch.from_arrays(columns, names)


@njit(cache=True, nogil=True)
def _tiles(condition: Numbers, gene: Numbers, n_across: int) -> tuple[Numbers, Numbers]:
    """Find the tile of each line, and its place within the tile."""
    tile, within = np.empty(condition.size, np.int32), np.empty(condition.size, np.int32)
    for at in range(condition.size):
        tile[at] = condition[at] // TILE_CONDITIONS * n_across + gene[at] // TILE_GENES
        within[at] = condition[at] % TILE_CONDITIONS * TILE_GENES + gene[at] % TILE_GENES
    return tile, within


@njit(cache=True, nogil=True)
def _counted(key: Numbers, n_keys: int) -> tuple[Numbers, Numbers]:
    """Sort by counting: the place of each among all, equal keys in their order, and where each key's stretch begins."""
    first, place = np.zeros(n_keys + 1, np.int32), np.empty(key.size, np.int32)
    for at in range(key.size):
        first[key[at] + 1] += 1
    for at in range(n_keys):
        first[at + 1] += first[at]
    following = first.copy()
    for at in range(key.size):
        place[at] = following[key[at]]
        following[key[at]] += 1
    return place, first


@njit(cache=True, nogil=True)
def _put(numbers: Words, place: Numbers, lines: Words, first: int) -> None:
    """Put a column of numbers, as words, into lines at their places, from one word of a line on."""
    n_words = numbers.shape[1]
    for at in range(place.size):
        for word in range(n_words):
            lines[place[at], first + word] = numbers[at, word]
