"""Reader of GCT files, the text twin of GCTX: L1000 signatures (or samples) by genes.

The text has a line per gene and the rows here are signatures, so the matrix has to be turned: one pass over the text
puts the numbers of each stretch of genes, turned, into a temporary file, from which blocks of signatures are read.
Fields of metadata are numbers where all their values are; missing is -666, as in GCTX, or NA.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np
import scipy  # its modules load when they are first used

from ingest.reader import BLOCK_BYTES, CscBlock, DenseBlock, Peek
from ingest.readers.columns import as_text, unknown_column
from ingest.readers.gct_text import GctHeader, metadata_table, read_genes, read_header
from ingest.readers.one_matrix import refuse_name
from ingest.readers.plain_text import first_line, is_gzip

if TYPE_CHECKING:
    import polars as pl

VERSIONS = (b"#1.2", b"#1.3")


class Turned(NamedTuple):
    """A matrix turned on disk: its gene table, and its genes in stretches, each (signatures, genes of the stretch)."""

    genes: pl.DataFrame
    widths: list[int]
    file: IO[bytes]


class GctReader:
    """An open GCT file; the genes are read when they, or the matrix, are first asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files = (path,)
        self.format = "gct (gzip)" if is_gzip(path) else "gct"
        self._header = read_header(path)
        self.n_rows, self.n_genes = self._header.signatures.height, self._header.n_genes
        self._turned: Turned | None = None

    def row_columns(self) -> list[str]:
        """Names of the signature table's columns, ``index`` first."""
        return self._header.signatures.columns

    def rows(self, columns: list[str] | None = None) -> pl.DataFrame:
        """Read the signature table, or some of its columns."""
        table = self._header.signatures
        for name in columns or []:
            if name not in table.columns:
                raise unknown_column(name, table.columns, f"the header of {self.path}", "id")
        return table.select(table.columns if columns is None else columns)

    def genes(self) -> pl.DataFrame:
        """Read the gene table."""
        return self._matrix().genes

    def blocks(self, block_bytes: int = BLOCK_BYTES) -> Iterator[DenseBlock]:
        """Stream the matrix."""
        matrix = self._matrix()
        item = np.dtype(np.float64).itemsize
        height = max(1, block_bytes // max(1, item * self.n_genes))
        for start in range(0, self.n_rows, height):
            stop = min(start + height, self.n_rows)
            stretches, offset = [], 0
            for width in matrix.widths:
                matrix.file.seek(offset + start * width * item)
                raw = matrix.file.read((stop - start) * width * item)
                stretches.append(np.frombuffer(raw, np.float64).reshape(stop - start, width))
                offset += self.n_rows * width * item
            yield DenseBlock(start, np.concatenate(stretches, axis=1))

    def peek(self, n_values: int) -> Peek:
        """Read genes from the beginning of the file."""
        fields, stretches, n_read = [], [], 0
        for described, values in read_genes(self.path, self._header):
            fields.append(described)
            stretches.append(values)
            n_read += values.size
            if n_read >= n_values:
                break
        columns: list[list[bytes]] = [list(chain.from_iterable(parts)) for parts in zip(*fields, strict=True)]
        genes = metadata_table(as_text(columns[0]), self._header.gene_fields, columns[1:])
        matrix = scipy.sparse.csc_array(np.concatenate(stretches, axis=1))
        return Peek(genes, CscBlock(0, matrix.indptr, matrix.indices, matrix.data), is_whole=True)

    def close(self) -> None:
        """Remove the temporary file."""
        if self._turned is not None:
            self._turned.file.close()
        self._turned = None

    def _matrix(self) -> Turned:
        if self._turned is None:
            self._turned = _turn(self.path, self._header)
        return self._turned


def _turn(path: Path, header: GctHeader) -> Turned:
    """Read all genes, their fields into a table and their values, turned, into a temporary file."""
    file = tempfile.TemporaryFile(prefix="gct-")  # noqa: SIM115, the reader closes it
    widths: list[int] = []
    fields: list[list[bytes]] = [[] for _ in range(1 + len(header.gene_fields))]
    try:
        for described, values in read_genes(path, header):
            for field, part in zip(fields, described, strict=True):
                field.extend(part)
            widths.append(values.shape[1])
            file.write(values.tobytes())
    except BaseException:
        file.close()
        raise
    return Turned(metadata_table(as_text(fields[0]), header.gene_fields, fields[1:]), widths, file)


class GctFormat:
    """The GCT format."""

    name: ClassVar[str] = "gct"

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Say whether this is text that begins with a version of GCT."""
        return path.is_file() and first_line(path) in VERSIONS

    @classmethod
    def open(cls, path: Path, *, matrix: str | None = None) -> GctReader:
        """Open a file."""
        refuse_name(cls.name, path, matrix)
        return GctReader(path)
