"""Reader of cells published as token lists in Parquet: Tahoe-100M's shards, X-Atlas/Orion's batches.

A row is a cell: a list of gene tokens, a list of as many counts, and what is known of the cell. Which gene a token
stands for is in ``gene_metadata.parquet``, found in the file's folder, the one above, or ``metadata`` in either. Some
cells of Tahoe begin with a marker, whose value is below 0. Tokens that no gene has are left out, and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from featurestore.errors import SourceFormatError
from ingest.reader import BLOCK_BYTES, INDEX, CsrBlock, Integers, Numbers
from ingest.readers.columns import titles, unknown_column
from ingest.readers.compressed import first_repeat, ranges
from ingest.readers.damage import DAMAGE, telling_damage
from ingest.readers.one_matrix import refuse_name
from ingest.readers.vocabulary import find_vocabulary

MAGIC = b"PAR1"
BYTES_AT_ONCE = 2**20
"""How much of a compressed column is fetched from the file at a time."""


@dataclass(frozen=True, slots=True)
class Names:
    """What a publisher calls the columns: a cell's tokens, its values, its key, and the vocabulary's tokens."""

    tokens: str
    values: str
    key: str
    token: str

    @property
    def of_cells(self) -> set[str]:
        """The columns that a file of cells has to have."""
        return {self.tokens, self.values, self.key}


PUBLISHED = (
    Names("genes", "expressions", "BARCODE_SUB_LIB_ID", "token_id"),
    Names("gene_token_id", "gene_expression", "cell_barcode", "gene_token_id"),
)


class TokensReader:
    """A file of cells. It is open only while something is read of it: a dataset may have thousands."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.format = "tokens"
        with telling_damage(path, "the schema"):
            metadata = pq.read_metadata(path)
            schema = metadata.schema.to_arrow_schema()
        self._names = _names(schema, path)
        self._vocabulary = find_vocabulary(path, self._names.token)
        self.n_rows, self.n_genes = metadata.num_rows, self._vocabulary.genes.height
        self.files = (path, self._vocabulary.path)
        labels = [field.name for field in schema if _is_label(field.type) and field.name != self._names.key]
        self._columns = {INDEX: self._names.key} | dict(zip(titles(labels), labels, strict=True))
        self._cell_bytes = _bytes_of_a_cell(metadata, self._names)
        self._left_out: Counter[int] = Counter()

    def row_columns(self) -> list[str]:
        """Names of the cell table's columns, ``index`` first."""
        return list(self._columns)

    def rows(self, columns: list[str] | None = None) -> pl.DataFrame:
        """Read the cell table, or some of its columns."""
        wanted = self.row_columns() if columns is None else columns
        for name in wanted:
            if name not in self._columns:
                raise unknown_column(name, self._columns, str(self.path), self._names.key)
        with telling_damage(self.path, "the columns of cells"):
            published = [self._columns[name] for name in wanted]
            table = pl.DataFrame(pq.read_table(self.path, columns=list(dict.fromkeys(published))))
            table = table.select(pl.col(column).alias(name) for column, name in zip(published, wanted, strict=True))
            return table.with_columns(
                pl.col(pl.Float32, pl.Float64).fill_nan(None), pl.col(pl.Categorical, pl.Enum).cast(pl.String)
            ).with_columns(pl.col(name).cast(pl.String).fill_null("") for name in wanted if name == INDEX)

    def genes(self) -> pl.DataFrame:
        """Read the vocabulary: ``index`` is the token as text."""
        return self._vocabulary.genes

    def left_out(self) -> dict[str, int]:
        """Tokens that no gene has, with how many values each had in the last pass over the matrix."""
        return {str(token): n for token, n in sorted(self._left_out.items())}

    def blocks(self, block_bytes: int = BLOCK_BYTES) -> Iterator[CsrBlock]:
        """Stream the cells."""
        self._left_out.clear()
        start = 0
        for batch in self._batches(max(1, block_bytes // self._cell_bytes)):
            indptr, tokens, values = self._lists(batch, start)
            indptr, genes, values = self._placed(indptr, tokens, values)
            for begin, end in ranges(indptr, genes.itemsize + values.itemsize, block_bytes):
                part = slice(int(indptr[begin]), int(indptr[end]))
                yield CsrBlock(start + begin, indptr[begin : end + 1] - indptr[begin], genes[part], values[part])
            start += batch.num_rows

    def close(self) -> None:
        """Nothing is open."""

    def _batches(self, n_cells: int) -> Iterator[pa.RecordBatch]:
        names = self._names
        with (
            telling_damage(self.path, "the lists of tokens and values"),
            pq.ParquetFile(self.path, buffer_size=BYTES_AT_ONCE, pre_buffer=False) as file,
        ):
            for batch in file.iter_batches(n_cells, columns=[names.tokens, names.values], use_threads=False):
                if batch.num_rows:
                    yield batch

    def _lists(self, batch: pa.RecordBatch, start: int) -> tuple[Integers, Integers, Numbers]:
        """Return where each cell begins, and the tokens and values of all, as they lie in memory."""
        tokens, values = batch.column(self._names.tokens), batch.column(self._names.values)
        starts = [column.offsets.to_numpy().astype(np.int64) for column in (tokens, values)]
        uneven = np.flatnonzero(np.diff(starts[0]) != np.diff(starts[1]))
        items = [
            column.values.slice(begin[0], begin[-1] - begin[0])
            for column, begin in zip((tokens, values), starts, strict=True)
        ]
        if uneven.size or any(column.null_count for column in (tokens, values, *items)):
            where = f"row {start + int(uneven[0]):,}" if uneven.size else f"rows {start:,} and following"
            raise SourceFormatError(
                "a cell has a token without a value, or a value without a token",
                where=f"{where} of {self.path}",
                expected=f"as many '{self._names.values}' as '{self._names.tokens}', none missing",
                do="fetch the file again",
            )
        return starts[0] - starts[0][0], *(column.to_numpy(zero_copy_only=False) for column in items)

    def _placed(self, indptr: Integers, tokens: Integers, values: Numbers) -> tuple[Integers, Integers, Numbers]:
        """Leave out markers and unknown tokens, and give the others' genes."""
        position = self._vocabulary.position
        is_known = (tokens >= 0) & (tokens < position.size)
        genes = position[np.where(is_known, tokens, -1)]
        firsts = indptr[:-1][np.diff(indptr) > 0]
        is_marker = np.zeros(tokens.size, bool)
        is_marker[firsts] = values[firsts] < 0
        is_unknown = (genes < 0) & ~is_marker
        if is_unknown.any():
            self._left_out.update(dict(zip(*(x.tolist() for x in np.unique_counts(tokens[is_unknown])), strict=True)))
        kept = ~(is_marker | is_unknown)
        if not kept.all():
            indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(kept)])[indptr]
            genes, tokens, values = genes[kept], tokens[kept], values[kept]
        repeat = first_repeat(indptr, genes)
        if repeat is not None:
            raise SourceFormatError(
                "a cell has a token twice",
                where=str(self.path),
                expected="each token once a cell",
                got=f"token {tokens[repeat]}",
                do="fetch the file again",
            )
        return indptr, genes, values


class TokensFormat:
    """Token lists in Parquet."""

    name: ClassVar[str] = "tokens"

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Say whether this is Parquet with the lists of tokens and values that are known."""
        try:
            with path.open("rb") as file:
                if file.read(len(MAGIC)) != MAGIC:
                    return False
            columns = set(pq.read_schema(path).names)
        except DAMAGE:
            return False
        return any(names.of_cells <= columns for names in PUBLISHED)

    @classmethod
    def open(cls, path: Path, *, matrix: str | None = None) -> TokensReader:
        """Open a file and its vocabulary."""
        refuse_name(cls.name, path, matrix)
        return TokensReader(path)


def _names(schema: pa.Schema, path: Path) -> Names:
    for names in PUBLISHED:
        if names.of_cells <= set(schema.names):
            _require_once(names, schema, path)
            for name, is_item in ((names.tokens, pa.types.is_integer), (names.values, _is_number)):
                kind = schema.field(name).type
                if not (_is_list(kind) and is_item(kind.value_type)):
                    raise SourceFormatError(
                        f"column '{name}' does not hold lists of numbers", where=str(path), got=str(kind)
                    )
            return names
    raise SourceFormatError(
        "the table has no lists of tokens",
        where=str(path),
        expected=" or ".join(", ".join(sorted(names.of_cells)) for names in PUBLISHED),
        got=", ".join(schema.names),
    )


def _require_once(names: Names, schema: pa.Schema, path: Path) -> None:
    twice = sorted(name for name in names.of_cells if schema.names.count(name) > 1)
    if twice:
        raise SourceFormatError(
            f"column '{twice[0]}' is there more than once",
            where=str(path),
            expected="one column of each name",
            got=f"{schema.names.count(twice[0])} columns '{twice[0]}'",
            do="write the file anew without the others",
        )


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _is_label(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return bool(is_text or _is_number(kind) or pa.types.is_boolean(kind))


def _bytes_of_a_cell(metadata: Any, names: Names) -> int:
    """Estimate what the lists of a cell take in memory."""
    n_values = 0
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        columns = map(group.column, range(group.num_columns))
        n_values += sum(int(c.num_values) for c in columns if c.path_in_schema.split(".")[0] == names.values)
    return 1 + 2 * 8 * n_values // max(1, int(metadata.num_rows))
