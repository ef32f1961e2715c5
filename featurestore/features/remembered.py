"""Features of perturbations that were made before in this process: a search over models asks for them again and again.

What a perturbation has elsewhere depends on nothing but its name and the sources, so the rows of several calls may be
put together and taken apart.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from threading import RLock

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.features.blocks.block import FeatureBlock


@dataclass(slots=True)
class _Entry:
    """What is known under one key: rows of the blocks by name of the perturbation."""

    place: dict[str, int] = field(default_factory=dict)
    blocks: list[FeatureBlock] = field(default_factory=list)

    def add(self, names: Sequence[str], blocks: list[FeatureBlock]) -> None:
        n = len(self.place)
        self.blocks = [_below(a, b) for a, b in zip(self.blocks, blocks, strict=True)] if n else blocks
        self.place |= {name: n + i for i, name in enumerate(names)}

    def take(self, names: Sequence[str]) -> list[FeatureBlock]:
        rows = np.array([self.place[name] for name in names], dtype=np.intp)
        return [_rows_of(block, rows) for block in self.blocks]

    @property
    def n_bytes(self) -> int:
        return sum(block.values.nbytes for block in self.blocks)


class Remembered:
    """Blocks by key and perturbation, the last used kept as far as there is room.

    Parameters
    ----------
    most_bytes
        Room for values; what was used least recently is forgotten. What one call asks for is answered whatever its
        size.
    """

    def __init__(self, most_bytes: int = 2**28) -> None:
        self.most_bytes = most_bytes
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._lock = RLock()

    def blocks(
        self, key: str | None, names: Sequence[str], make: Callable[[Sequence[str]], list[FeatureBlock]]
    ) -> list[FeatureBlock]:
        """Return the blocks of some perturbations, a row each; only those not known yet are made.

        Parameters
        ----------
        key
            All that features follow from but names; None remembers nothing.
        names
            Perturbations, each once.
        make
            Makes the blocks of perturbations that are not known.
        """
        if key is None:
            return make(names)
        with self._lock:
            entry = self._entries.pop(key, None) or _Entry()
            unknown = [name for name in names if name not in entry.place]
            if unknown:
                entry.add(unknown, make(unknown))
            self._entries[key] = entry
            while len(self._entries) and sum(each.n_bytes for each in self._entries.values()) > self.most_bytes:
                self._entries.popitem(last=False)
            return entry.take(names)


def _below(first: FeatureBlock, second: FeatureBlock) -> FeatureBlock:
    """Put the rows of a block below those of another; one without features lacks those of the other."""
    wide = first if first.columns.height else second
    values = [each.values if each.columns.height else _nothing(each, wide.columns.height) for each in (first, second)]
    return replace(wide, values=np.concatenate(values), per_row=pl.concat([first.per_row, second.per_row]))


def _nothing(block: FeatureBlock, n_features: int) -> npt.NDArray[np.float32]:
    return np.full((len(block.values), n_features), np.nan, dtype=np.float32)


def _rows_of(block: FeatureBlock, rows: npt.NDArray[np.intp]) -> FeatureBlock:
    """Take some rows; where none of them is matched the block has no features, as if it were made of them alone."""
    per_row = block.per_row[rows]
    if not per_row[f"n_conditions/{block.name}"].sum():
        return replace(
            block, values=np.empty((len(rows), 0), np.float32), columns=block.columns.clear(), per_row=per_row
        )
    return replace(block, values=block.values[rows], per_row=per_row)
