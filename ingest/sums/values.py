"""Check what a matrix holds against what its spec says it holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from featurestore.errors import ValuesError
from ingest.reader import Block, CsrBlock, DenseBlock, Numbers
from ingest.readers.ahead import N_CORES, ahead
from ingest.stored import count_fractional, survey
from ingest.values import ESTIMATED, LARGEST_LOG

LARGEST_COUNT = 2.0**31
AT_ONCE = 2**16
"""Values that are looked at three times before the next are."""
FEWEST_VALUES, MOST_WHOLE = 500, 0.05
"""Of at least so many logarithms, no larger part is whole numbers."""
FEW = 0.01
"""Part of the values below which those below 0 are stray ones among others that are not."""


def block_values(block: Block) -> Numbers:
    """Return the stored values of a block as one array."""
    return block.values.ravel() if isinstance(block, DenseBlock) else block.data


def place_in(block: Block, at: int) -> tuple[int, int]:
    """Return the row and the column of a block's stored value, both counted as the block counts them."""
    if isinstance(block, DenseBlock):
        row, column = divmod(at, block.values.shape[1])
        return block.start + row, column
    outer = block.start + int(np.searchsorted(block.indptr, at, side="right")) - 1
    inner = int(block.indices[at])
    return (outer, inner) if isinstance(block, CsrBlock) else (inner, outer)


@dataclass(slots=True)
class ValueCheck:
    """Evidence for the kind of a matrix's values, gathered block by block; refuses at the first contradiction.

    Parameters
    ----------
    declared
        The kind that the spec names.
    path
        The file, for messages.
    name
        Names the row and the gene of a value, given where it is, for messages.
    """

    declared: str
    path: Path
    n_seen: int = 0
    n_fractional: int = 0
    smallest: float = np.inf
    largest: float = -np.inf
    name: Callable[[int, int], str] | None = None

    def add(self, block: Block) -> None:
        """Look at a block's values.

        Raises
        ------
        ValuesError
            They cannot be of the declared kind.
        """
        values = block_values(block)
        if values.size == 0:
            return
        smallest, largest, n_fractional, n_undefined = *_extent(values), 0
        if not (np.isfinite(smallest) and np.isfinite(largest)):
            smallest, largest, n_fractional, n_undefined = survey(values)
        self.n_seen += values.size
        self.n_fractional += n_fractional
        self.smallest = min(self.smallest, smallest)
        self.largest = max(self.largest, largest)
        if n_undefined:
            place = self._place(block, int(np.flatnonzero(~np.isfinite(values))[0]))
            raise self._refusal(f"{n_undefined:,} of {self.n_seen:,} values are NaN or infinite, the first at {place}")
        if self.smallest < 0:
            raise self._below_zero(block, values)
        if self.declared == "counts" and n_fractional:
            example = values[values != np.floor(values)][0]
            likely = ("log1p", ESTIMATED) if self.largest < LARGEST_LOG else (ESTIMATED,)
            raise self._refusal(
                f"{n_fractional:,} of {values.size:,} values are not whole (such as {example:.6g}), "
                f"largest {self.largest:.4g}",
                *likely,
            )
        if self.declared == "counts" and self.largest > LARGEST_COUNT:
            raise self._refusal(f"a value of {self.largest:.4g}, above {LARGEST_COUNT:.4g}, which no count reaches")
        if self.declared == "log1p":
            self._refuse_whole(values, n_fractional)
        if self.declared == "log1p" and self.largest > LARGEST_LOG:
            raise self._refusal(f"a value of {self.largest:.4g}", "counts" if self.n_fractional == 0 else ESTIMATED)

    def finish(self) -> None:
        """Judge the whole matrix.

        Raises
        ------
        ValuesError
            Values declared as logarithms are all whole numbers.
        """
        if self.declared == "log1p" and self.n_seen and not self.n_fractional and self.largest > 0:
            raise self._refusal(f"only whole numbers, up to {self.largest:.0f}", "counts")

    def _refuse_whole(self, values: Numbers, n_fractional: int) -> None:
        """Refuse logarithms of which many are whole numbers: they are counts, some of them estimated."""
        n_values = int(np.count_nonzero(values))
        n_whole = n_values - n_fractional
        if n_values >= FEWEST_VALUES and n_fractional and n_whole > MOST_WHOLE * n_values:
            raise self._refusal(f"{n_whole:,} of {n_values:,} values are whole, and others are not", ESTIMATED)

    def _below_zero(self, block: Block, values: Numbers) -> ValuesError:
        """Say how many values are below 0, where the first is, and what the others are."""
        below = np.flatnonzero(values < 0)
        place = self._place(block, int(below[0]))
        others = "; the others are whole" if self.n_fractional == 0 else ""
        got = (
            f"{below.size:,} of the first {self.n_seen:,} values below 0, "
            f"the first {values[below[0]]:.4g} at {place}{others}"
        )
        are_stray = others or below.size < FEW * values.size
        return self._refusal(got, *(() if are_stray else ("moderated_z", "log2_fold_change")))

    def _place(self, block: Block, at: int) -> str:
        row, column = place_in(block, at)
        return self.name(row, column) if self.name is not None else f"row {row + 1:,}, column {column + 1:,}"

    def _refusal(self, got: str, *likely: str) -> ValuesError:
        wanted: dict[str, str] = {
            "counts": 'whole numbers from 0 (values = "counts")',
            ESTIMATED: 'numbers from 0 (values = "estimated_counts")',
            "log1p": f'numbers from 0 to {LARGEST_LOG:.0f}, not all whole (values = "log1p")',
        }
        named = " or ".join(f'"{kind}"' for kind in likely)
        return ValuesError(
            f"The values are not {self.declared}.",
            where=str(self.path),
            expected=wanted[self.declared],
            got=got,
            do=f"set values = {named} under [dataset] if that is what they are" if likely else "mend the file",
        )


def _extent(values: Numbers) -> tuple[float, float, int]:
    """Return the smallest and the largest value, and how many are not whole, where all of them are finite.

    Threads look at pieces that stay in the processor's cache from one look to the next.
    """

    def look(share: Numbers) -> tuple[float, float, int]:
        smallest, largest, n_fractional = np.inf, -np.inf, 0
        for first in range(0, share.size, AT_ONCE):
            piece = share[first : first + AT_ONCE]
            low, high = float(piece.min()), float(piece.max())
            smallest, largest = np.minimum(smallest, low), np.maximum(largest, high)  # NaN stays NaN
            if piece.dtype.kind == "f" and np.isfinite(low) and np.isfinite(high):
                n_fractional += count_fractional(piece)
        return float(smallest), float(largest), n_fractional

    looks = [found for _, found in ahead(look, np.array_split(values, min(N_CORES, values.size)))]
    lows, highs, n_fractional = zip(*looks, strict=True)
    return float(np.min(lows)), float(np.max(highs)), sum(n_fractional)
