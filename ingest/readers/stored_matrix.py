"""A matrix in a file that is a tree, streamed in blocks: dense, compressed by row (CSR), or compressed by column (CSC).

A compressed matrix is three vectors: the values, the position of each along the minor axis, and where each row (or
column) begins, as in ``scipy.sparse``. Whatever the size of the matrix, one block of it is in memory.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from featurestore.errors import SourceFormatError, first_of
from ingest.reader import CscBlock, CsrBlock, DenseBlock, Integers
from ingest.readers.ahead import N_CORES, ahead
from ingest.readers.compressed import first_repeat, ranges
from ingest.readers.damage import telling_damage
from ingest.readers.nodes import Array, Group, Values

AXES = 2
MAX_CHUNK_ROW = 4
"""How many blocks a row of chunks may take before it is read in parts, each chunk more than once."""


def require_shape(shape: tuple[int, int], tables: tuple[int, int], where: str, how: str) -> None:
    """Refuse a matrix that is not as long and as wide as the tables of its rows and of its genes.

    Raises
    ------
    SourceFormatError
        It is of another shape; ``how`` says what its rows and columns are.
    """
    if shape != tables:
        raise SourceFormatError(
            "the matrix does not fit its tables",
            where=where,
            expected=f"shape {tables}: {how}",
            got=f"shape {shape}",
            do="fetch the file again, or write it again",
        )


class DenseMatrix:
    """A matrix stored in full, shape (rows, genes)."""

    def __init__(self, array: Array) -> None:
        if len(array.shape) != AXES:
            raise SourceFormatError("the matrix is not two-dimensional", where=array.place, got=f"shape {array.shape}")
        _require_numbers(array)
        self._values = array.stretch()
        self.shape = (self._values.shape[0], self._values.shape[1])
        self.variant = _variant("dense", array)

    is_by_row = True

    def blocks(self, block_bytes: int, first: int = 0, last: int | None = None) -> Iterator[DenseBlock]:
        """Stream the rows, or some, in whole chunks where a row of chunks takes a few blocks at most."""
        last = self.shape[0] if last is None else last
        row_bytes = max(1, self.shape[1] * self._values.dtype.itemsize)
        per_block = max(1, block_bytes // row_bytes)
        per_read = per_block - per_block % self._values.chunk_length or self._values.chunk_length
        if per_read > per_block * MAX_CHUNK_ROW:
            per_read = per_block
        for begin in range(first, last, per_read):
            values = self._values.read(begin, min(begin + per_read, last))
            for start in range(0, len(values), per_block):
                yield DenseBlock(begin + start, values[start : start + per_block])


class SparseMatrix:
    """A compressed matrix: the major axis is the rows (CSR) or the columns (CSC).

    Its ``shape`` is that of rows by genes; where it is not given, it is an attribute of the group.
    """

    def __init__(self, group: Group, *, by_row: bool, shape: tuple[int, int] | None = None) -> None:
        self._place = group.place
        self.is_by_row = by_row
        self.shape = shape or _claimed_shape(group)
        self._minor = self.shape[1] if by_row else self.shape[0]
        self._position = np.int32 if self._minor <= np.iinfo(np.int32).max else np.int64
        data, indices = group.array("data"), group.array("indices")
        self._indptr = self._starts(group.array("indptr"), data.shape[0] if data.shape else 0)
        if len(data.shape) != 1 or data.shape != indices.shape:
            raise self._fault(
                "the vectors of a sparse matrix differ in length",
                "as many indices as values",
                f"{indices.shape} and {data.shape}",
            )
        if indices.dtype.kind not in "iu":
            raise self._fault("the indices of a sparse matrix are not whole numbers", "integers", str(indices.dtype))
        _require_numbers(data)
        self._data, self._indices = data.stretch(), indices.stretch()
        self._value_bytes = self._data.dtype.itemsize + self._indices.dtype.itemsize
        self.variant = _variant("csr" if by_row else "csc", data)

    def blocks(self, block_bytes: int, first: int = 0, last: int | None = None) -> Iterator[CsrBlock | CscBlock]:
        """Stream consecutive rows (CSR) or columns (CSC), all or some, as many as fit a block, one at least."""
        starts = self._indptr[first : None if last is None else last + 1]
        for start, stop in ((first + a, first + b) for a, b in ranges(starts, self._value_bytes, block_bytes)):
            begin, end = int(self._indptr[start]), int(self._indptr[stop])
            indptr = self._indptr[start : stop + 1] - begin
            data, indices = self._data.read(begin, end), self._indices.read(begin, end)
            indices = self._positions(indices, indptr, start)
            yield CsrBlock(start, indptr, indices, data) if self.is_by_row else CscBlock(start, indptr, indices, data)

    def _starts(self, array: Array, n_values: int) -> npt.NDArray[np.int64]:
        """Read and check where each row or column begins."""
        n_major = self.shape[0] if self.is_by_row else self.shape[1]
        if array.shape != (n_major + 1,) or array.dtype.kind not in "iu":
            raise self._fault(
                "indptr does not fit the matrix's shape",
                f"{n_major + 1:,} integers for shape {self.shape}",
                f"{array.dtype} of shape {array.shape}",
            )
        with telling_damage(array.path, array.name):
            indptr: npt.NDArray[np.int64] = array.values().astype(np.int64)
        falls = np.flatnonzero(np.diff(indptr) < 0)
        if indptr[0] != 0 or falls.size:
            at = int(falls[0]) + 1 if falls.size else 0
            raise self._fault(
                "indptr does not rise from 0", "0, then never less than before", f"{indptr[at]:,} at position {at:,}"
            )
        if indptr[-1] != n_values:
            raise self._fault(
                "indptr does not match the stored values", f"{indptr[-1]:,} values, by indptr", f"{n_values:,} values"
            )
        return indptr

    def _positions(self, indices: Values, indptr: Integers, start: int) -> Integers:
        """Check that the positions of a block are on the matrix and that none is given twice."""
        if self._fit(indices, indptr):
            return indices.astype(self._position, copy=False)
        if indices.size and (int(indices.min()) < 0 or int(indices.max()) >= self._minor):
            at = int(np.flatnonzero((indices < 0) | (indices >= self._minor))[0])
            raise self._fault(
                "a value lies outside the matrix",
                f"{'gene' if self.is_by_row else 'row'} positions 0 to {self._minor - 1:,}",
                f"{indices[at]:,} in {self._major(indptr, at, start)}",
            )
        positions: Integers = indices.astype(self._position, copy=False)
        repeat = first_repeat(indptr, positions)
        if repeat is not None:
            raise self._fault(
                "a value is given twice",
                f"each {'gene once a row' if self.is_by_row else 'row once a gene'}",
                f"position {positions[repeat]:,} again in {self._major(indptr, repeat, start)}",
            )
        return positions

    def _fit(self, indices: Values, indptr: Integers) -> bool:
        """Say whether positions are on the matrix and in order, as almost always; threads look at rows of their own."""
        from ingest.stored import fits  # noqa: PLC0415, loads a compiler, which few formats need

        def look(rows: slice) -> bool:
            starts = indptr[rows.start : rows.stop + 1]
            return bool(fits(starts - starts[0], indices[starts[0] : starts[-1]], self._minor))

        ends = np.searchsorted(indptr, np.linspace(0, indices.size, N_CORES + 1)[1:-1]).tolist()
        bounds = [0, *ends, indptr.size - 1]
        return all(is_right for _, is_right in ahead(look, map(slice, bounds, bounds[1:])))

    def _major(self, indptr: Integers, at: int, start: int) -> str:
        number = start + int(np.searchsorted(indptr, at, side="right")) - 1
        return f"{'row' if self.is_by_row else 'gene'} {number:,}"

    def _fault(self, what: str, expected: str, got: str) -> SourceFormatError:
        return SourceFormatError(
            what, where=self._place, expected=expected, got=got, do="fetch the file again, or write it again"
        )


def open_matrix(root: Group, name: str) -> DenseMatrix | SparseMatrix:
    """Open a matrix by its name in the file, whichever way it is stored.

    Raises
    ------
    SourceFormatError
        There is none of this name, or it is none that is known, or its parts contradict each other.
    """
    node = root.member(name)
    if isinstance(node, Array):
        return DenseMatrix(node)
    if node is None:
        raise root.missing(name, node, "a matrix")
    encoding = (node.text("encoding-type", "h5sparse_format") or "").removesuffix("_matrix")
    if encoding not in {"csr", "csc"}:
        raise SourceFormatError(
            "the matrix is stored in a way that is not known",
            where=node.place,
            expected="a dense array, csr_matrix or csc_matrix",
            got=repr(encoding) if encoding else f"a group of {first_of(list(map(repr, node.names())), 8) or 'nothing'}",
        )
    return SparseMatrix(node, by_row=encoding == "csr")


def _claimed_shape(group: Group) -> tuple[int, int]:
    claimed = next((group.attributes[name] for name in ("shape", "h5sparse_shape") if name in group.attributes), None)
    shape = np.asarray(claimed).reshape(-1)
    if claimed is None or shape.size != AXES or shape.dtype.kind not in "iu" or int(shape.min()) < 0:
        raise SourceFormatError(
            "a sparse matrix does not say its shape",
            where=group.place,
            expected="an attribute 'shape' of two whole numbers",
            got="none" if claimed is None else str(claimed),
            do="fetch the file again, or write it again",
        )
    return int(shape[0]), int(shape[1])


def _require_numbers(array: Array) -> None:
    if array.dtype.kind not in "iuf":
        raise SourceFormatError(
            "the values of the matrix are not numbers",
            where=array.place,
            expected="integers or floats",
            got=str(array.dtype),
        )


def _variant(layout: str, array: Array) -> str:
    method = array.compression
    return f"{layout}, {method}" if method else layout
