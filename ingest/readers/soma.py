"""Reader of TileDB-SOMA experiments, a folder each: cells, and measurements of them with genes and matrices.

Matrices are named by their path: ``ms/RNA/X/data``. Most are sparse, in coordinates (COO) of join ids, which number
rows and genes, and may have gaps. tiledbsoma reads them row by row, in buffers of bounded size. It does not check all
bytes, and overwritten ones may end its process: that is another one.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl

from featurestore.errors import SourceFormatError, did_you_mean
from ingest.reader import BLOCK_BYTES, Block, CsrBlock, DenseBlock, Integers, Numbers
from ingest.readers.compressed import first_repeat, ranges
from ingest.readers.damage import telling_damage
from ingest.readers.feature_words import is_rna
from ingest.readers.soma_process import SomaProcess
from ingest.readers.soma_table import SomaTable

LIBRARY = "tiledbsoma"
GROUP, CELLS, MEASUREMENTS, GENES, MATRICES = "__group", "obs", "ms", "var", "X"
DATA, RAW = "data", "raw"
"""The matrix that tiledbsoma makes of ``X``, and the measurement that it makes of ``raw``."""


class SomaReader:
    """An open experiment, one matrix of one measurement of it.

    Parameters
    ----------
    path
        The experiment's folder.
    matrix
        The matrix, by its path; chosen where it is None.
    process
        What has the experiment open.
    """

    is_by_row = True

    def __init__(self, path: Path, matrix: str | None, process: SomaProcess) -> None:
        self.path, self._process = path, process
        with telling_damage(path, "the experiment"):
            parts = process.content["ms"]
            known = {
                f"{MEASUREMENTS}/{name}/{MATRICES}/{layer}": (name, layer)
                for name, part in parts.items()
                for layer in part["X"]
            }
            self.matrix = _chosen(path, known) if matrix is None else matrix
            if self.matrix not in known:
                do = f"name another matrix; {did_you_mean(self.matrix, known)}"
                raise SourceFormatError(f"there is no matrix '{self.matrix}'", where=str(path), do=do)
            self._measurement, layer = known[self.matrix]
            self._array = parts[self._measurement]["X"][layer]
            self._dtype = np.dtype(self._array["dtype"])
            if self._dtype.kind not in "iuf":
                raise TypeError(f"expected numbers, got {self._dtype}")
            self._cells = self._table(CELLS, process.content["obs"], CELLS)
            self._genes = self._table(
                f"{MEASUREMENTS}/{self._measurement}/{GENES}", parts[self._measurement][GENES], GENES
            )
            sizes = {name: f"{part[GENES]['count']:,} features" for name, part in parts.items()}
        self.matrices = (self.matrix, *(name for name in known if name != self.matrix))
        self.modalities = sizes | {self._measurement: f"{sizes[self._measurement]}, read"}
        self.n_rows, self.n_genes = self._cells.ids.size, self._genes.ids.size
        self.files = _files_of(path, self.matrix)
        self.format = f"soma ({self._measurement}, {layer}: {'coordinates' if self._array['is_sparse'] else 'dense'})"

    def _table(self, place: str, described: dict[str, Any], kind: str) -> SomaTable:
        return SomaTable(partial(self._process.table, place), described, kind, f"{place} of {self.path}")

    @property
    def has_key(self) -> bool:
        """Whether the experiment names its cells."""
        return self._cells.key is not None

    def row_columns(self) -> list[str]:
        """Names of the cell table's columns, ``index`` first."""
        return list(self._cells.fields)

    def rows(self, columns: list[str] | None = None) -> pl.DataFrame:
        """Read the cell table, or some of its columns."""
        with telling_damage(self.path, CELLS):
            return self._cells.read(columns)

    def genes(self) -> pl.DataFrame:
        """Read the gene table."""
        with telling_damage(self.path, GENES):
            return self._genes.read()

    def counted(self, name: str) -> SomaReader | None:
        """Return the matrix of another measurement, which is of the same cells."""
        prefix = f"{MEASUREMENTS}/{name}/"
        matrix = next((each for each in self.matrices if each.startswith(prefix)), None)
        if name == self._measurement or matrix is None:
            return None
        return SomaReader(self.path, matrix, self._process)

    def blocks(self, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
        """Stream the matrix by cell."""
        return self.stretch(0, self.n_rows, block_bytes)

    def stretch(self, first: int, last: int, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
        """Stream the cells from ``first`` to ``last``."""
        return (self._sparse if self._array["is_sparse"] else self._dense)(first, last, block_bytes)

    def close(self) -> None:
        """Close the experiment."""
        self._process.close()

    def _dense(self, first: int, last: int, block_bytes: int) -> Iterator[DenseBlock]:
        genes = self._genes.ids
        height = max(1, block_bytes // (np.dtype(np.float64).itemsize * max(1, self.n_genes)))
        for begin in range(first, last, height):
            rows = self._cells.ids[begin : min(begin + height, last)]
            with telling_damage(self.path, self.matrix):
                values = self._process.dense(self.matrix, int(rows[0]), int(rows[-1])).to_numpy()
                values = values.reshape(-1, self._array["width"])[np.ix_(rows - rows[0], genes)]
            yield DenseBlock(begin, values)

    def _sparse(self, first: int, last: int, block_bytes: int) -> Iterator[CsrBlock]:
        """Collect values until some rows are whole, and cut those into blocks."""
        rows, genes, values = np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, self._dtype)
        done = first
        for more_rows, more_genes, more_values in self._batches(first, last):
            rows, genes = np.concatenate([rows, more_rows]), np.concatenate([genes, more_genes])
            values = np.concatenate([values, more_values])
            whole = int(rows[-1])
            n = int(np.searchsorted(rows, whole))
            yield from self._cut(rows[:n], genes[:n], values[:n], range(done, whole), block_bytes)
            rows, genes, values, done = rows[n:], genes[n:], values[n:], whole
        yield from self._cut(rows, genes, values, range(done, last), block_bytes)

    def _batches(self, first: int, last: int) -> Iterator[tuple[Integers, Integers, Numbers]]:
        """Read values in the order of their rows, as positions of rows and genes."""
        if first == last:
            return
        before = first
        tables = self._process.sparse(self.matrix, int(self._cells.ids[first]), int(self._cells.ids[last - 1]))
        while True:
            with telling_damage(self.path, self.matrix):
                table = next(tables, None)
                if table is None:
                    return
                at, of, values = (table.column(name).to_numpy() for name in ("soma_dim_0", "soma_dim_1", "soma_data"))
                rows, genes = self._cells.positions(at), self._genes.positions(of).astype(np.int32)
                if rows.size and (rows[0] < before or (np.diff(rows) < 0).any()):
                    raise ValueError("values do not come in the order of their rows")
            if rows.size:
                before = int(rows[-1])
                yield rows, genes, values

    def _cut(self, rows: Integers, genes: Integers, values: Numbers, of: range, block_bytes: int) -> Iterator[CsrBlock]:
        """Give whole rows as blocks."""
        indptr = np.searchsorted(rows, np.arange(of.start, of.stop + 1))
        repeat = first_repeat(indptr, genes)
        if repeat is not None:
            raise SourceFormatError(
                "a value is given twice",
                where=f"{self.matrix} of {self.path}",
                expected="each gene once a row",
                got=f"gene {genes[repeat]:,} again in row {rows[repeat]:,}",
                do="write the experiment again",
            )
        for begin, end in ranges(indptr, values.itemsize + genes.itemsize, block_bytes):
            part = slice(int(indptr[begin]), int(indptr[end]))
            yield CsrBlock(of.start + begin, indptr[begin : end + 1] - indptr[begin], genes[part], values[part])


class SomaFormat:
    """The format of TileDB-SOMA experiments."""

    name: ClassVar[str] = "soma"

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Say whether a folder is a group of TileDB with cells and measurements."""
        return all((path / name).is_dir() for name in (GROUP, CELLS, MEASUREMENTS))

    @classmethod
    def open(cls, path: Path, *, matrix: str | None = None) -> SomaReader:
        """Open an experiment; ``matrix`` names one of its matrices, such as ``ms/RNA/X/data``.

        Raises
        ------
        SourceFormatError
            It is damaged, has no such matrix, or tiledbsoma is not installed.
        """
        if find_spec(LIBRARY) is None:
            raise SourceFormatError(
                "TileDB-SOMA is read by tiledbsoma, which is not installed",
                where=str(path),
                do="pip install 'perturbation-featurestore[soma]', or write it as AnnData where it is: "
                'tiledbsoma.io.to_h5ad(tiledbsoma.open(FOLDER), "cells.h5ad", measurement_name="RNA")',
            )
        with telling_damage(path, "the experiment"):
            process = SomaProcess(path)
        try:
            return SomaReader(path, matrix, process)
        except BaseException:
            process.close()
            raise


def _chosen(path: Path, known: dict[str, tuple[str, str]]) -> str:
    """Choose the matrix of RNA where none is asked for."""
    names = dict.fromkeys(name for name, _ in known.values() if name != RAW)
    rna = [name for name in names if is_rna(name)] or list(names)
    found = [matrix for matrix, (name, _) in known.items() if [name] == rna]
    usual = [matrix for matrix in found if matrix.endswith(f"/{DATA}")] or found
    if len(usual) != 1:
        raise SourceFormatError(
            "which matrix of the experiment is meant is not told",
            where=str(path),
            expected="one measurement called RNA, or one alone, with a matrix 'data', or one alone",
            got=", ".join(known) or "no matrix",
            do=f'name it: matrix = "{next(iter(known), "ms/RNA/X/data")}"',
        )
    return usual[0]


def _files_of(path: Path, matrix: str) -> tuple[Path, ...]:
    """List the files of the arrays that are read, and of the groups that they are in."""
    measurement = "/".join(matrix.split("/")[:2])
    groups = ("", MEASUREMENTS, measurement, f"{measurement}/{MATRICES}")
    inner = [path / group / name for group in groups for name in (GROUP, "__meta")]
    beside = [entry for group in groups for entry in (path / group).iterdir() if entry.is_file()]
    arrays = [path / CELLS, path / measurement / GENES, path / matrix]
    if not all(array.is_dir() for array in arrays):
        raise SourceFormatError(
            "a part of the experiment lies elsewhere",
            where=str(path),
            expected=", ".join(str(array.relative_to(path)) for array in arrays),
            do="copy the experiment as a whole into one folder",
        )
    return tuple(sorted([*beside, *(file for part in (*inner, *arrays) for file in part.rglob("*") if file.is_file())]))
