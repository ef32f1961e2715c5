"""Pseudobulk rows as published: the mean count a cell of a population, brought back to the population's sum."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.errors import SourceFormatError, ValuesError
from ingest.conditions.label import LabelledRows
from ingest.reader import BLOCK_BYTES, Block, CscBlock, CsrBlock, DenseBlock, Numbers, Reader

SINGLE_PRECISION = 2.0**-23
"""Relative error of a mean kept as a 32-bit float, and once more that of the product."""
SLACK = 1e-3
"""How far from a whole number a small sum may be."""


def cells_of(rows: LabelledRows, cells: npt.NDArray[np.float64]) -> npt.NDArray[np.int64] | None:
    """Count the cells behind each condition, where rows are pseudobulks of so many; shape (conditions,)."""
    if not cells.size:
        return None
    kept = rows.condition >= 0
    return np.rint(np.bincount(rows.condition[kept], cells[kept], minlength=rows.n_conditions)).astype(np.int64)


class SumsOfMeans:
    """A reader of means whose blocks hold sums; all else is the reader's own.

    Parameters
    ----------
    reader
        An open file of means.
    cells
        Of how many cells each row is the mean. Shape (rows,); NaN where that is not known, and the row stays 0.
    """

    def __init__(self, reader: Reader, cells: npt.NDArray[np.float64]) -> None:
        self._reader, self._cells = reader, np.nan_to_num(cells)
        self.path: Path = reader.path
        self.format = reader.format
        self.n_rows, self.n_genes, self.files = reader.n_rows, reader.n_genes, reader.files

    def row_columns(self) -> list[str]:
        """Names of the row table's columns."""
        return self._reader.row_columns()

    def rows(self, columns: list[str] | None = None) -> pl.DataFrame:
        """Read the row table."""
        return self._reader.rows(columns)

    def genes(self) -> pl.DataFrame:
        """Read the gene table."""
        return self._reader.genes()

    def blocks(self, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
        """Stream the sums.

        Raises
        ------
        ValuesError
            A mean times its number of cells is not a whole number.
        """
        for block in self._reader.blocks(block_bytes // 2):
            if isinstance(block, DenseBlock):
                cells = self._cells[block.start : block.start + len(block.values)]
                yield DenseBlock(block.start, self._sums(block.values, cells[:, None], block.start))
            elif isinstance(block, CsrBlock):
                lengths = np.diff(block.indptr)
                cells = np.repeat(self._cells[block.start : block.start + lengths.size], lengths)
                yield CsrBlock(block.start, block.indptr, block.indices, self._sums(block.data, cells, block.start))
            elif isinstance(block, CscBlock):
                raise SourceFormatError("Means have to be stored by row.", where=str(self.path), got="columns (CSC)")

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    def _sums(self, means: Numbers, cells: npt.NDArray[np.float64], start: int) -> npt.NDArray[np.float64]:
        products = means.astype(np.float64) * cells
        sums = np.rint(products)
        is_off = ~(np.abs(products - sums) <= SLACK + SINGLE_PRECISION * np.abs(products))
        if is_off.any():
            example = float(means[is_off][0])
            raise ValuesError(
                "The values are not mean counts.",
                where=f"{self.path}, rows from {start:,}",
                expected='whole numbers once multiplied by the number of cells (values = "mean_counts")',
                got=f"{int(is_off.sum()):,} of {means.size:,} that are not, such as {example:.6g} x "
                f"{float(np.broadcast_to(cells, means.shape)[is_off][0]):.0f} cells",
                do="name the column of cells that the means were taken over as cells under [condition]",
            )
        return sums
