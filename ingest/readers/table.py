"""Reader of tables of numbers in delimited text: samples by genes, or genes by samples.

Columns of text describe the lines, columns of numbers are the matrix; a column of numbers that describes the lines has
to be named, and lines of words below the header describe its columns. The first column is the key. In a table whose
lines are genes, the columns that featureCounts adds describe them, and the lines that HTSeq and STAR append for reads
outside of genes are kept as they are, named like no gene.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import polars as pl
import scipy  # its modules load when they are first used

from featurestore.errors import SourceFormatError
from ingest.reader import BLOCK_BYTES, INDEX, CscBlock, CsrBlock, DenseBlock, Integers, Peek
from ingest.readers.columns import Describes, as_text, decode, none_describes, titles, typed, unknown_column
from ingest.readers.delimited import Delimited
from ingest.readers.header import has_depmap_labels, is_table, read_header
from ingest.readers.one_matrix import refuse_name
from ingest.readers.plain_text import is_gzip
from ingest.readers.sample_files import FEATURE_COUNTS, is_quantified
from ingest.readers.text_numbers import COMMA, MISSING, Doubles
from ingest.readers.turned import TurnedMatrix

OF_GENES = frozenset({
    "length", "gene_length", "exon_length", "effective_length", "width", "entrez", "entrezid", "entrez_id",
    "entrezgene", "entrezgene_id", "entrez_gene_id", "ncbi_gene_id", "gc_content",
})  # fmt: skip
"""Names of columns of numbers that tell of genes and are no samples, in lower case."""
LINES_AT_ONCE = 512
GenesIn = Literal["columns", "rows"]


class TableReader:
    """An open table.

    Parameters
    ----------
    path
        The file.
    genes_in
        Whether a column or a line is a gene.
    described_by
        Columns of numbers that describe the lines.
    describes
        Which of the others do so too.
    """

    def __init__(
        self,
        path: Path,
        genes_in: GenesIn = "columns",
        described_by: Sequence[str] = (),
        describes: Describes = none_describes,
    ) -> None:
        self.path = path
        self.files = (path,)
        self.format = f"table (genes in {genes_in}{', gzip' if is_gzip(path) else ''})"
        table = read_header(path)
        self._table = replace(table, n_before=table.n_before + table.n_words, n_words=0)
        self._genes_in = genes_in
        described = {*described_by, *(FEATURE_COUNTS if genes_in == "rows" else ())}
        if genes_in == "rows":
            described |= {name for name in self._table.names if name.lower() in OF_GENES}
        for name in described_by:
            if name not in self._table.names:
                raise unknown_column(name, self._table.names, str(path))
        names = self._table.names
        numbers = [at for at, number in enumerate(self._table.is_number) if number and names[at] not in described]
        self.described = list(describes([names[at] for at in numbers]))
        described = set(self.described)
        self._numbers = [at for at in numbers if names[at] not in described]
        for at in self._numbers:
            if not names[at]:
                raise _nameless(self._table, at)
        numeric = set(self._numbers)
        self._described = _describe(self._table, [at for at in range(len(names)) if at not in numeric])
        self._named = _name(table, self._numbers)
        sizes = (self._described.height, self._named.height)
        self.n_rows, self.n_genes = sizes if genes_in == "columns" else sizes[::-1]
        self._turned: TurnedMatrix | None = None

    @property
    def has_key(self) -> bool:
        """Whether the first column tells the rows apart."""
        return self._genes_in == "rows" or not self._described[INDEX].is_duplicated().any()

    @property
    def key_of_numbers(self) -> str | None:
        """The published name of the first column, where samples are lines and it holds numbers."""
        are_numbers = self._described[INDEX].cast(pl.Float64, strict=False).is_not_null().all()
        return self._table.names[0] if self._genes_in == "columns" and are_numbers else None

    def row_columns(self) -> list[str]:
        """Names of the row table's columns, ``index`` first."""
        return self._rows().columns

    def rows(self, columns: list[str] | None = None) -> pl.DataFrame:
        """Read the row table, or some of its columns."""
        rows = self._rows()
        for name in columns or []:
            if name not in rows.columns:
                raise unknown_column(name, rows.columns, str(self.path), self._table.names[0])
        return rows.select(rows.columns if columns is None else columns)

    def genes(self) -> pl.DataFrame:
        """Read the gene table."""
        return self._named if self._genes_in == "columns" else self._described

    def blocks(self, block_bytes: int = BLOCK_BYTES) -> Iterator[DenseBlock]:
        """Stream the matrix."""
        if self._genes_in == "rows":
            yield from self._turn().blocks(block_bytes)
            return
        height = max(1, block_bytes // max(1, np.dtype(np.float64).itemsize * self.n_genes))
        start = 0
        for values in _stream(self._table, self._numbers, height):
            yield DenseBlock(start, values)
            start += len(values)

    def selected(self, rows: Integers, genes: Integers, block_bytes: int = BLOCK_BYTES) -> Iterator[DenseBlock]:
        """Stream some rows and genes; lines that are not wanted are not taken apart."""
        if self._genes_in == "rows":
            yield from self._turn().selected(rows, genes, block_bytes)
            return
        columns = [self._numbers[gene] for gene in genes.tolist()]
        height = max(1, block_bytes // max(1, np.dtype(np.float64).itemsize * len(columns)))
        start = 0
        for values in _stream(self._table, columns, height, wanted=frozenset(rows.tolist())):
            yield DenseBlock(start, values)
            start += len(values)

    def peek(self, n_values: int) -> Peek:
        """Read lines from the beginning of the file, be they rows or genes."""
        height = max(1, n_values // max(1, len(self._numbers)))
        values = next(_stream(self._table, self._numbers, height), np.empty((0, len(self._numbers))))
        matrix = scipy.sparse.csr_array(values)
        kind = CsrBlock if self._genes_in == "columns" else CscBlock
        genes = self.genes() if kind is CsrBlock else self.genes().head(len(values))
        return Peek(genes, kind(0, matrix.indptr, matrix.indices, matrix.data), is_whole=True)

    def close(self) -> None:
        """Remove the temporary file."""
        if self._turned is not None:
            self._turned.close()
        self._turned = None

    def _rows(self) -> pl.DataFrame:
        return self._described if self._genes_in == "columns" else self._named

    def _turn(self) -> TurnedMatrix:
        if self._turned is None:
            turned = TurnedMatrix(self.n_rows)
            try:
                for values in _stream(self._table, self._numbers, LINES_AT_ONCE):
                    turned.append(values)
            except BaseException:
                turned.close()
                raise
            self._turned = turned
        return self._turned


def _name(table: Delimited, columns: list[int]) -> pl.DataFrame:
    """Name the columns of numbers by the header, and describe them by the lines of words below it."""
    words, others = {}, sorted({*range(len(table.names))}.difference(columns))
    for number, line in islice(table.lines(), table.n_words):
        fields = table.fields(number, line)
        name = next((fields[at] for at in others if fields[at]), b"")
        words[decode(name).strip() or f"line_{number}"] = [fields[at] for at in columns]
    names = pl.Series(INDEX, [table.names[at] for at in columns], dtype=pl.String)
    values = [typed(_without_missing(as_text(each).str.strip_chars())) for each in words.values()]
    described = [each.alias(name) for name, each in zip(titles(words), values, strict=True)]
    return pl.DataFrame([names, *described])


def _without_missing(text: pl.Series) -> pl.Series:
    """Make null of the words for missing."""
    return text.set(text.is_in([word.decode() for word in MISSING]), None)


def _describe(table: Delimited, columns: list[int]) -> pl.DataFrame:
    """Read the columns that describe the lines, the key first."""
    raw: list[list[bytes]] = [[] for _ in columns]
    for number, line in table.lines():
        fields = table.fields(number, line, columns[-1] + 1)
        for values, column in zip(raw, columns, strict=True):
            values.append(fields[column])
    names = [INDEX, *titles(table.names[column] for column in columns[1:])]
    texts = [as_text(values).str.strip_chars() for values in raw]
    if table.decimal == COMMA:
        texts = [
            text.str.replace(",", ".", literal=True) if table.is_number[column] else text
            for text, column in zip(texts, columns, strict=True)
        ]
    others = [typed(_without_missing(text)) for text in texts[1:]]
    described = [texts[0].alias(INDEX)]
    for at, name, values_of in zip(columns[1:], names[1:], others, strict=True):
        if values_of.dtype.is_numeric() and not table.names[at]:
            raise _nameless(table, at)
        if table.names[at] or values_of.null_count() < values_of.len():  # else it sets others apart
            described.append(values_of.alias(name))
    return pl.DataFrame(described)


def _nameless(table: Delimited, column: int) -> SourceFormatError:
    return SourceFormatError(
        "a column of numbers has no name",
        where=f"column {column + 1} of {table.path}",
        expected="a name in the header, as other columns have",
        got=f"none after '{table.names[column - 1]}'",
        do="name the column, or remove it",
    )


def _stream(
    table: Delimited, columns: list[int], height: int, *, wanted: frozenset[int] | None = None
) -> Iterator[Doubles]:
    """Stream columns of numbers, some lines at a time. Shape (lines, columns)."""
    waiting: list[Doubles] = []
    places = table.places(columns)
    for at, (number, line) in enumerate(table.lines()):
        if wanted is not None and at not in wanted:
            continue
        waiting.append(table.numbers(number, line, columns, places))
        if len(waiting) == height:
            yield np.stack(waiting)
            waiting = []
    if waiting:
        yield np.stack(waiting)


class TableFormat:
    """Delimited text with a header."""

    name: ClassVar[str] = "table"
    takes: ClassVar[frozenset[str]] = frozenset({"genes_in", "described_by"})

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Say whether this is a table of text with numbers in it, and none that a format of its own reads."""
        if not (path.is_file() and is_table(path)):
            return False
        return not (has_depmap_labels(read_header(path)) or is_quantified(path))

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        matrix: str | None = None,
        genes_in: GenesIn = "columns",
        described_by: Sequence[str] = (),
        describes: Describes = none_describes,
    ) -> TableReader:
        """Open a file; ``genes_in``, ``described_by`` and ``describes`` as of :class:`TableReader`."""
        refuse_name(cls.name, path, matrix)
        return TableReader(path, genes_in, described_by, describes)
