"""What a file reader gives: rows, genes, and the matrix in blocks, everything named as published.

A reader knows one file format and no biology. It opens a file, lists its row and gene tables, and streams the matrix
once in blocks of bounded size, so memory does not grow with the number of cells. Rows are cells, wells, or signatures.

:class:`Reader` is how a file with a matrix is read; the other protocols are abilities that some readers have besides,
asked for with ``isinstance``. A format is a class with three members, registered under the entry point
``featurestore.readers``; a third party's package can register its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.errors import SourceFormatError

Integers: TypeAlias = npt.NDArray[np.signedinteger[Any]]
Numbers: TypeAlias = npt.NDArray[np.number[Any]]

INDEX = "index"
"""The name under which every reader gives a table's own key: barcodes of rows, identifiers of genes."""

OUTSIDE = -2
"""In place of a gene, for a column of the matrix that is no part of a cell's library; one without a gene is at -1."""

BLOCK_BYTES = 16 * 2**20
"""How much of a matrix a block holds at most, decompressed. Unit: bytes."""


@dataclass(frozen=True, slots=True)
class CsrBlock:
    """Consecutive rows, compressed by row: row ``start + i`` holds ``data[indptr[i]:indptr[i + 1]]``.

    ``indptr`` has shape (rows + 1,) and begins at 0; ``indices`` are gene positions in the file.
    """

    start: int
    indptr: Integers
    indices: Integers
    data: Numbers


@dataclass(frozen=True, slots=True)
class CscBlock:
    """Consecutive genes over all rows: gene ``start + j`` holds ``data[indptr[j]:indptr[j + 1]]``.

    ``indptr`` has shape (genes + 1,) and begins at 0; ``indices`` are row positions in the file.
    """

    start: int
    indptr: Integers
    indices: Integers
    data: Numbers


@dataclass(frozen=True, slots=True)
class DenseBlock:
    """Consecutive rows in full: ``values`` has shape (rows, genes), the first row being ``start``. Missing is NaN."""

    start: int
    values: Numbers


Block: TypeAlias = CsrBlock | CscBlock | DenseBlock


class Tables(Protocol):
    """One open file: a table that describes its rows, and one of its genes, as published."""

    path: Path
    format: str
    """The format's name, with its variant: ``h5ad (csr, gzip)``."""
    files: tuple[Path, ...]
    """Every file that was opened, the sidecars of the matrix among them: what a release records and checks."""

    def row_columns(self) -> list[str]:
        """Names of the row table's columns, ``index`` first."""
        ...

    def rows(self, columns: list[str] | None = None) -> pl.DataFrame:
        """Read the row table, or some of its columns: labels as String, numbers as numbers, missing as null."""
        ...

    def genes(self) -> pl.DataFrame:
        """Read the gene table, one row per matrix column, ``index`` first."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


@runtime_checkable
class Reader(Tables, Protocol):
    """One open file that holds a matrix.

    ``blocks`` may be called more than once and starts afresh each time. All blocks of a file are of one class. Row
    blocks come in row order and cover every row once; gene blocks likewise. Damage found on the way is raised as
    :class:`featurestore.errors.SourceFormatError`, naming the file and the place in it.
    """

    n_rows: int
    n_genes: int

    def blocks(self, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
        """Stream the matrix."""
        ...


def with_matrix(source: Tables) -> Reader:
    """Return a file as a reader of its matrix.

    Raises
    ------
    SourceFormatError
        It has none: it lists effects.
    """
    if isinstance(source, Reader):
        return source
    raise SourceFormatError("a table with a row for each condition and gene has no matrix", where=str(source.path))


class Peek(NamedTuple):
    """The beginning of a matrix: some genes, and values of them or of some rows.

    ``genes`` is the beginning of the gene table. ``is_whole`` tells whether the rows (CSR) or genes (CSC) of the block
    have all of their values; otherwise there is but some of each. ``is_sparse`` tells whether zeros are left out.
    """

    genes: pl.DataFrame
    block: CsrBlock | CscBlock
    is_whole: bool
    is_sparse: bool = False


@runtime_checkable
class Peeking(Protocol):
    """What a reader also has if its first block costs a pass over the whole file; ``inspect`` looks through it."""

    def peek(self, n_values: int) -> Peek:
        """Read about ``n_values`` stored values from the beginning of the file, and no more of it."""
        ...


@runtime_checkable
class LeavesOut(Protocol):
    """What a reader offers besides if a file can hold values of identifiers that are not in its gene table."""

    def left_out(self) -> dict[str, int]:
        """Those identifiers, with how many values each had in the last pass over the matrix."""
        ...


@runtime_checkable
class HasModalities(Protocol):
    """What a reader offers besides if its file holds matrices of several kinds, of which it reads one."""

    modalities: dict[str, str]
    """The size of each, by name; of the one that is read, also that it is."""

    def counted(self, name: str) -> Reader | None:
        """Return the matrix of another, open for as long as this one is; None where it is of other rows."""
        ...


@runtime_checkable
class MayLackKey(Protocol):
    """What a reader offers besides if its format does not always have a key of the rows."""

    @property
    def has_key(self) -> bool:
        """Whether the row table's ``index`` is published, and not the number of the row."""
        ...


@runtime_checkable
class DescribesRows(Protocol):
    """What a reader offers besides if columns of the matrix may describe its rows."""

    described: list[str]
    """The columns that were taken for no genes, without the spec's saying so."""


def described_columns(source: Tables) -> list[str]:
    """Return the columns that a file's reader took for no genes."""
    return list(source.described) if isinstance(source, DescribesRows) else []


@runtime_checkable
class SelectiveReader(Protocol):
    """What a reader offers besides if it can leave rows and genes unread."""

    def selected(self, rows: Integers, genes: Integers, block_bytes: int = BLOCK_BYTES) -> Iterator[DenseBlock]:
        """Stream some rows and genes.

        Parameters
        ----------
        rows
            Row positions, ascending.
        genes
            Gene positions, in the order wanted.
        block_bytes
            How much a block holds at most.

        Returns
        -------
        Blocks of shape (rows, genes); ``start`` is a position in ``rows``.
        """
        ...


@runtime_checkable
class StretchingReader(Protocol):
    """What a reader offers besides if it can begin and end at any row."""

    @property
    def is_by_row(self) -> bool:
        """Whether this file's matrix is stored by row."""
        ...

    def stretch(self, first: int, last: int, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
        """Stream the rows from ``first`` to ``last``; ``start`` of a block is a row of the file."""
        ...


class Format(Protocol):
    """A file format: how to tell it, and how to open it.

    One whose files do not say all of how they are laid out names, as ``takes``, the keywords that its ``open`` takes
    besides.
    """

    name: ClassVar[str]

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Say whether the file's content, never its suffix, is of this format."""
        ...

    @classmethod
    def open(cls, path: Path, *, matrix: str | None = None) -> Reader:
        """Open a file; ``matrix`` names the matrix where a file holds several (``layers/counts``, ``raw/X``)."""
        ...
