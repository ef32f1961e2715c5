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
from ingest.readers.ahead import ahead
from ingest.readers.columns import titles, unknown_column
from ingest.readers.compressed import ranges
from ingest.readers.damage import DAMAGE, telling_damage
from ingest.readers.one_matrix import refuse_name
from ingest.readers.vocabulary import find_vocabulary

MAGIC = b"PAR1"
BYTES_AT_ONCE = 2**20
"""How much of a compressed column is fetched from the file at a time."""
LARGEST_GROUP = 2
"""Row groups of up to so many blocks are read by several threads; larger ones in pieces, by one."""


_Placed = tuple[int, Integers, Integers, Numbers, dict[int, int]]
"""Number of the first cell, where each begins, genes, values, and how often there is each token that no gene has."""


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
        self._metadata = metadata
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
            table = table.select(table[column].alias(name) for column, name in zip(published, wanted, strict=True))
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
        """Stream the cells; threads read and place those that follow."""
        self._left_out.clear()
        n_cells = max(1, block_bytes // self._cell_bytes)
        portions = _portions(self._metadata, n_cells)
        if portions is None:
            placed = (part for _, part in ahead(lambda batch: self._placed(*batch), self._batches(n_cells)))
        else:
            placed = (part for _, parts in ahead(self._read, portions) for part in parts)
        for start, indptr, genes, values, unknown in placed:
            self._left_out.update(unknown)
            for begin, end in ranges(indptr, genes.itemsize + values.itemsize, block_bytes):
                part = slice(int(indptr[begin]), int(indptr[end]))
                yield CsrBlock(start + begin, indptr[begin : end + 1] - indptr[begin], genes[part], values[part])

    def close(self) -> None:
        """Nothing is open."""

    def _read(self, portion: tuple[int, list[int]]) -> list[_Placed]:
        """Read some row groups, the first of whose cells has a number, and place them."""
        first, groups = portion
        n_rows = sum(int(self._metadata.row_group(group).num_rows) for group in groups)
        return [self._placed(start, batch) for start, batch in self._batches(max(1, n_rows), first, groups)]

    def _batches(
        self, n_cells: int, start: int = 0, groups: list[int] | None = None
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Yield so many cells at a time, with the number of the first; of all row groups, or of some."""
        columns = [self._names.tokens, self._names.values]
        options = {"buffer_size": BYTES_AT_ONCE, "pre_buffer": False, "metadata": self._metadata}
        with (
            telling_damage(self.path, "the lists of tokens and values"),
            pq.ParquetFile(self.path, **options) as file,
        ):
            for batch in file.iter_batches(n_cells, row_groups=groups, columns=columns, use_threads=False):
                if batch.num_rows:
                    yield start, batch
                start += batch.num_rows

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

    def _placed(self, start: int, batch: pa.RecordBatch) -> _Placed:
        """Leave out markers and unknown tokens, and give the others' genes."""
        from ingest.readers.token_places import place_tokens  # noqa: PLC0415, loads a compiler

        indptr, tokens, values = self._lists(batch, start)
        position = self._vocabulary.position
        genes, kept, ends = np.empty(tokens.size, np.int32), np.empty_like(values), np.empty_like(indptr)
        n_kept, n_unknown, repeat = place_tokens(indptr, tokens, values, position, genes, kept, ends)
        if repeat >= 0:
            raise SourceFormatError(
                "a cell has a token twice",
                where=str(self.path),
                expected="each token once a cell",
                got=f"token {tokens[repeat]}",
                do="fetch the file again",
            )
        unknown = self._unknown(indptr, tokens, values) if n_unknown else {}
        return start, ends, genes[:n_kept], kept[:n_kept], unknown

    def _unknown(self, indptr: Integers, tokens: Integers, values: Numbers) -> dict[int, int]:
        """Count the tokens that no gene has."""
        position = self._vocabulary.position
        is_known = (tokens >= 0) & (tokens < position.size)
        is_unknown = position[np.where(is_known, tokens, -1)] < 0
        firsts = indptr[:-1][np.diff(indptr) > 0]
        is_unknown[firsts[values[firsts] < 0]] = False
        return dict(zip(*(x.tolist() for x in np.unique_counts(tokens[is_unknown])), strict=True))


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


def _portions(metadata: Any, n_cells: int) -> list[tuple[int, list[int]]] | None:
    """Put row groups together to so many cells, with the number of the first; None where one group is too large."""
    portions: list[tuple[int, list[int]]] = []
    start = n_held = 0
    for number in range(metadata.num_row_groups):
        n_rows = int(metadata.row_group(number).num_rows)
        if n_rows > LARGEST_GROUP * n_cells:
            return None
        if not portions or n_held + n_rows > n_cells:
            portions.append((start, []))
            n_held = 0
        portions[-1][1].append(number)
        n_held += n_rows
        start += n_rows
    return portions


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
