"""Reader of a matrix, or of a table of numbers, that R saved: see :mod:`ingest.readers.r_objects`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import numpy as np
import polars as pl
import scipy  # its modules load when they are first used

from featurestore.errors import SourceFormatError
from ingest.reader import BLOCK_BYTES, INDEX, CsrBlock
from ingest.readers.columns import Describes, none_describes, rows_of_keys
from ingest.readers.compressed import ranges
from ingest.readers.damage import telling_damage
from ingest.readers.r_objects import frame_text, is_frame, is_of_r, is_sparse, read_r
from ingest.readers.table import GenesIn, TableReader

NAME = "r"


class RMatrixReader:
    """An open matrix of genes in rows and cells in columns, or turned; a row is a cell."""

    def __init__(self, path: Path, value: Any, matrices: tuple[str, ...], genes_in: GenesIn) -> None:
        self.path, self.files, self.matrices = path, (path,), matrices if matrices != ("",) else ()
        self.format = f"{NAME} ({'dgCMatrix' if is_sparse(value) else 'matrix'}, genes in {genes_in})"
        with telling_damage(path, "the matrix"):
            by_column, names = _taken_apart(value, path)
        self._cells = scipy.sparse.csr_array(by_column.T if genes_in == "rows" else by_column)
        keys = names if genes_in == "rows" else names[::-1]
        self._genes, self._rows = (pl.DataFrame({INDEX: pl.Series(each, dtype=pl.String)}) for each in keys)
        self.n_rows, self.n_genes = self._cells.shape

    def row_columns(self) -> list[str]:
        """Names of the cells are all that a matrix has of them."""
        return [INDEX]

    def rows(self, columns: list[str] | None = None) -> pl.DataFrame:
        """Read the names of the cells."""
        return rows_of_keys(self._rows[INDEX], columns, str(self.path))

    def genes(self) -> pl.DataFrame:
        """Read the names of the genes."""
        return self._genes

    def blocks(self, block_bytes: int = BLOCK_BYTES) -> Iterator[CsrBlock]:
        """Stream the matrix."""
        indptr, indices, data = self._cells.indptr, self._cells.indices, self._cells.data
        for begin, end in ranges(indptr.astype(np.int64), indices.itemsize + data.itemsize, block_bytes):
            part = slice(int(indptr[begin]), int(indptr[end]))
            yield CsrBlock(begin, indptr[begin : end + 1] - indptr[begin], indices[part], data[part])

    def close(self) -> None:
        """Nothing is open."""


class RFrameReader(TableReader):
    """An open data frame, as a table of the text that it was written as."""

    def __init__(
        self,
        path: Path,
        frame: Any,
        matrices: tuple[str, ...],
        genes_in: GenesIn,
        described_by: Sequence[str],
        describes: Describes,
    ) -> None:
        self._folder = TemporaryDirectory(prefix="frame-")
        try:
            text = Path(self._folder.name) / f"{path.stem}.tsv"
            frame_text(frame, text)
            super().__init__(text, genes_in, described_by, describes)
        except BaseException:
            self._folder.cleanup()
            raise
        self.path, self.files, self.matrices = path, (path,), matrices if matrices != ("",) else ()
        self.format = f"{NAME} (data.frame, genes in {genes_in})"

    def close(self) -> None:
        """Remove the text."""
        super().close()
        self._folder.cleanup()


class RFormat:
    """What R saved."""

    name: ClassVar[str] = NAME
    takes: ClassVar[frozenset[str]] = frozenset({"genes_in", "described_by"})

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Say whether R saved this."""
        return path.is_file() and is_of_r(path)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        matrix: str | None = None,
        genes_in: GenesIn | None = None,
        described_by: Sequence[str] = (),
        describes: Describes = none_describes,
    ) -> RMatrixReader | RFrameReader:
        """Open an object; ``matrix`` names it where R saved several; genes of a matrix are in lines by default."""
        _, value, names = read_r(path, matrix)
        if is_frame(value):
            return RFrameReader(path, value, names, genes_in or "columns", described_by, describes)
        return RMatrixReader(path, value, names, genes_in or "rows")


def _taken_apart(value: Any, path: Path) -> tuple[Any, list[list[str]]]:
    """Give a matrix as sparse by column, and the names of its lines and of its columns.

    Raises
    ------
    SourceFormatError
        A side has no names, or not as many as it has lines.
    """
    if is_sparse(value):
        n_lines, n_columns = (int(side) for side in value.Dim)
        matrix = scipy.sparse.csc_array((value.x, value.i, value.p), shape=(n_lines, n_columns))
        matrix.check_format(full_check=True)
        if not matrix.has_canonical_format:
            raise ValueError("a dgCMatrix has a value twice, or out of order")
        sides = [None if side is None else [str(name) for name in side] for side in value.Dimnames]
    else:
        matrix = scipy.sparse.csc_array(np.asarray(value.values))
        named = [str(dimension) in value.coords for dimension in value.dims]
        sides = [
            [str(name) for name in value.coords[dimension].values] if is_named else None
            for dimension, is_named in zip(value.dims, named, strict=True)
        ]
    names = [side for side in sides if side is not None]
    if len(names) != len(matrix.shape) or any(len(side) != n for side, n in zip(names, matrix.shape, strict=True)):
        raise SourceFormatError(
            "a matrix that R saved has lines or columns without names",
            where=str(path),
            expected="rownames(x) and colnames(x)",
            do="name both in R before it is saved",
        )
    return matrix, names
