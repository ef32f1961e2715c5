"""Counts that are not whole, as EM, SoupX, CellBender, alevin-fry, salmon and RSEM estimate them.

They are summed as logarithms of counts per 10,000 alone: such sums are exact in fixed point, and what is tested are the
logarithms, since no distribution of whole counts fits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ingest.kernel import TARGET
from ingest.reader import BLOCK_BYTES, Block, CscBlock, CsrBlock, DenseBlock
from ingest.sums.by_gene import Streamed


@dataclass(frozen=True, slots=True)
class LogsOfEstimates:
    """A matrix of estimated counts, read as natural logarithms of counts per 10,000; ``is_library`` (columns,)."""

    source: Streamed
    is_library: npt.NDArray[np.bool_]

    @property
    def path(self) -> Path:
        """The file."""
        return self.source.path

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return self.source.n_rows

    def blocks(self, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
        """Stream the matrix; one that is stored by gene is read twice."""
        totals: npt.NDArray[np.float64] | None = None
        for block in self.source.blocks(block_bytes):
            if isinstance(block, DenseBlock):
                values = np.asarray(block.values, np.float64)
                yield replace(block, values=_logs(values, values[:, self.is_library].sum(axis=1)[:, None]))
            elif isinstance(block, CsrBlock):
                row = np.repeat(np.arange(block.indptr.size - 1), np.diff(block.indptr))
                taken = np.where(self.is_library[block.indices], block.data, 0.0)
                yield replace(block, data=_logs(block.data, _summed(row, taken, block.indptr.size - 1)[row]))
            else:
                totals = self._totals(block_bytes) if totals is None else totals
                yield replace(block, data=_logs(block.data, totals[block.indices]))

    def _totals(self, block_bytes: int) -> npt.NDArray[np.float64]:
        totals = np.zeros(self.n_rows)
        for block in self.source.blocks(block_bytes):
            if isinstance(block, CscBlock):
                gene = np.repeat(np.arange(block.start, block.start + block.indptr.size - 1), np.diff(block.indptr))
                taken = np.where(self.is_library[gene], block.data, 0.0)
                totals += _summed(block.indices, taken, self.n_rows)
        return totals


def _logs(values: npt.NDArray[np.number], totals: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Bring counts to logarithms; what is below 0 or missing stays so, to be refused."""
    counts = np.asarray(values, np.float64)
    scaled = counts * np.divide(TARGET, totals, out=np.zeros_like(totals), where=totals > 0)
    return np.where(counts < 0, counts, np.log1p(np.maximum(scaled, 0.0)))


def _summed(row: npt.NDArray[np.integer], values: npt.NDArray[np.number], n_rows: int) -> npt.NDArray[np.float64]:
    return np.bincount(row, values, n_rows).astype(np.float64)
