"""A bounded look at a matrix: its first rows or genes, as much of them as fits a budget of bytes and time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl
import scipy.sparse

from ingest.reader import INDEX, Block, CscBlock, CsrBlock, DenseBlock, Peeking, Reader

SAMPLE_BYTES = 32 * 2**20
"""How much of a matrix is looked at, decompressed. Unit: bytes."""
SAMPLE_VALUES = 2_000_000
"""How many stored values are looked at where a reader can only peek."""
SAMPLE_SECONDS = 15.0
BLOCK = 4 * 2**20

Csr: TypeAlias = "scipy.sparse.csr_array[Any, tuple[int, int]]"


@dataclass(frozen=True, slots=True)
class Sample:
    """The beginning of a matrix.

    Parameters
    ----------
    matrix
        Shape (rows, genes) of the sample: the file's first rows with all genes, or all rows with its first genes.
        Missing values are NaN, and stored.
    genes
        The gene table; its beginning where a reader can only peek.
    keys
        Reads the keys of the rows.
    has_whole_rows, has_whole_genes
        Whether the rows have all of their values, and the genes all of theirs.
    is_sparse
        Whether the file leaves zeros out, so that one cannot be told from a value that is missing.
    """

    matrix: Csr
    genes: pl.DataFrame
    has_whole_rows: bool
    has_whole_genes: bool
    is_sparse: bool = False
    keys: Callable[[], pl.Series] | None = None

    @property
    def n_rows(self) -> int:
        """How many rows were looked at."""
        return int(self.matrix.shape[0])

    def of(self, is_wanted: npt.NDArray[np.bool_]) -> Sample:
        """Keep some genes; ``is_wanted`` has shape (rows of ``genes``,)."""
        columns = np.flatnonzero(is_wanted[: self.matrix.shape[1]])
        return replace(self, matrix=self.matrix[:, columns], genes=self.genes.filter(pl.Series(is_wanted)))

    @property
    def extent(self) -> str:
        """What was looked at, in words."""
        rows, genes = self.matrix.shape
        return f"the first {rows:,} rows x {genes:,} genes"


def take_sample(reader: Reader) -> Sample:
    """Look at the beginning of a matrix."""

    def keys() -> pl.Series:
        return reader.rows([INDEX])[INDEX]

    if isinstance(reader, Peeking):
        peek = reader.peek(SAMPLE_VALUES)
        matrix = _joined([peek.block], reader)
        by_gene = isinstance(peek.block, CscBlock)
        is_all = matrix.shape == (reader.n_rows, reader.n_genes)
        by_row = peek.is_whole and not by_gene
        by_gene = peek.is_whole and by_gene
        return Sample(matrix, peek.genes, by_row or is_all, by_gene or is_all, peek.is_sparse, keys)
    genes = reader.genes()
    blocks: list[Block] = []
    n_bytes, deadline = 0, time.monotonic() + SAMPLE_SECONDS
    for block in reader.blocks(BLOCK):
        blocks.append(block)
        n_bytes += block.values.nbytes if isinstance(block, DenseBlock) else block.data.nbytes + block.indices.nbytes
        if n_bytes >= SAMPLE_BYTES or time.monotonic() > deadline:
            break
    matrix = _joined(blocks, reader)
    is_all = matrix.shape == (reader.n_rows, reader.n_genes)
    by_gene = any(isinstance(block, CscBlock) for block in blocks)
    is_sparse = any(not isinstance(block, DenseBlock) for block in blocks)
    return Sample(matrix, genes, not by_gene or is_all, by_gene or is_all, is_sparse, keys)


def _joined(blocks: list[Block], reader: Reader) -> Csr:
    """Put blocks of one class together, whose values become float64."""
    if not blocks:
        return scipy.sparse.csr_array((0, reader.n_genes))
    parts = [_part(block, reader) for block in blocks]
    joined = scipy.sparse.hstack(parts) if isinstance(blocks[0], CscBlock) else scipy.sparse.vstack(parts)
    return scipy.sparse.csr_array(joined)


def _part(block: Block, reader: Reader) -> Csr:
    if isinstance(block, DenseBlock):
        return scipy.sparse.csr_array(np.asarray(block.values, np.float64))
    vectors = (np.asarray(block.data, np.float64), block.indices, block.indptr)
    if isinstance(block, CsrBlock):
        return scipy.sparse.csr_array(vectors, shape=(len(block.indptr) - 1, reader.n_genes))
    return scipy.sparse.csr_array(scipy.sparse.csc_array(vectors, shape=(reader.n_rows, len(block.indptr) - 1)))
