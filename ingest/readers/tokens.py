"""Reader of cells published as token lists in Parquet: Tahoe-100M's shards, X-Atlas/Orion's batches.

A row is a cell: a list of gene tokens, a list of as many counts, and what is known of the cell. Which gene a token
stands for is in ``gene_metadata.parquet``, found in the file's folder, the one above, or ``metadata`` in either, or in
the table that is given; tokens of text are genes by themselves. Some cells of Tahoe begin with a marker, whose value is
below 0. Tokens that no gene has are left out, and counted. Lists of one length are filled up with values of 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

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
from ingest.readers.plain_text import is_parquet
from ingest.readers.token_columns import (
    PUBLISHED,
    Names,
    are_lists_of_tokens,
    class_labels,
    find_names,
    has_text,
    is_number,
    named_labels,
    places_of,
    taken_apart,
)
from ingest.readers.vocabulary import VOCABULARY, Vocabulary, find_vocabulary, vocabulary_of

if TYPE_CHECKING:
    from ingest.readers.token_groups import Placed

BYTES_AT_ONCE = 2**20
"""How much of a compressed column is fetched from the file at a time."""
CELLS_AT_ONCE = 4096
"""How many cells are looked at together for what tokens there are."""
NOT_IN_VOCABULARY = "names that the vocabulary lacks"
LARGEST_GROUP = 2
"""Row groups of up to so many blocks are read by several threads; larger ones in pieces, by one."""


class TokensReader:
    """A file of cells. It is open only while something is read of it: a dataset may have thousands."""

    def __init__(self, path: Path, tokens: Mapping[str, Any] | None = None) -> None:
        self.path = path
        self.format = "tokens"
        with telling_damage(path, "the schema"):
            metadata = pq.read_metadata(path)
            schema = metadata.schema.to_arrow_schema()
        self._names = find_names(schema, tokens, path)
        self._are_text = has_text(schema, self._names.tokens)
        self._class_labels = class_labels(schema)
        self._metadata = metadata
        self._vocabulary = self._find_vocabulary()
        self.n_rows, self.n_genes = metadata.num_rows, self._vocabulary.genes.height
        self.files = (path,) if self._vocabulary.path == path else (path, self._vocabulary.path)
        labels = [field.name for field in schema if _is_label(field.type) and field.name != self._names.key]
        self._columns = {INDEX: self._names.key or ""} | dict(zip(titles(labels), labels, strict=True))
        self._cell_bytes = _bytes_of_a_cell(metadata, self._names)
        self._left_out: Counter[int] = Counter()

    @property
    def tokens(self) -> dict[str, str]:
        """What ``[tokens]`` of a spec is to say; nothing where the columns are a publisher's own."""
        names = self._names
        found = self._vocabulary.path.name if self._vocabulary.path != self.path else None
        vocabulary = names.vocabulary or (found if found != VOCABULARY else None)
        named = {"tokens": names.tokens, "values": names.values, "key": names.key, "vocabulary": vocabulary}
        return {} if names.is_published else {key: name for key, name in named.items() if name is not None}

    @property
    def has_key(self) -> bool:
        """Whether cells have a key."""
        return self._names.key is not None

    @property
    def unnamed_labels(self) -> list[str]:
        """The columns of labels that are stored as numbers, of which the file does not have the names."""
        return [name for name, labels in self._class_labels.items() if all(map(str.isdecimal, labels))]

    @property
    def _are_named(self) -> bool:
        """Whether tokens are names of genes, text or not, rather than numbers of a vocabulary."""
        return self._are_text or self._vocabulary.path == self.path

    def row_columns(self) -> list[str]:
        """Names of the cell table's columns, ``index`` first."""
        return list(self._columns)

    def rows(self, columns: list[str] | None = None) -> pl.DataFrame:
        """Read the cell table, or some of its columns."""
        wanted = self.row_columns() if columns is None else columns
        for name in wanted:
            if name not in self._columns:
                raise unknown_column(name, self._columns, str(self.path), self._names.key or "")
        with telling_damage(self.path, "the columns of cells"):
            published = [self._columns[name] for name in wanted]
            with pq.ParquetFile(self.path, metadata=self._metadata) as file:
                table = pl.DataFrame(file.read(columns=list(dict.fromkeys(filter(None, published)))))
            if "" in published:
                table = table.with_columns(pl.int_range(self.n_rows, eager=True).alias(""))
            table = table.with_columns(
                named_labels(table[name], labels, str(self.path))
                for name, labels in self._class_labels.items()
                if name in table.columns
            )
            table = table.select(table[column].alias(name) for column, name in zip(published, wanted, strict=True))
            return table.with_columns(
                pl.col(pl.Float32, pl.Float64).fill_nan(None), pl.col(pl.Categorical, pl.Enum).cast(pl.String)
            ).with_columns(pl.col(name).cast(pl.String).fill_null("") for name in wanted if name == INDEX)

    def genes(self) -> pl.DataFrame:
        """Read the vocabulary: ``index`` is the token as text."""
        return self._vocabulary.genes

    def left_out(self) -> dict[str, int]:
        """Tokens that no gene has, with how many values each had in the last pass over the matrix."""
        if self._are_text and self._left_out:
            return {NOT_IN_VOCABULARY: sum(self._left_out.values())}
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

    def _read(self, portion: tuple[int, list[int]]) -> list[Placed]:
        """Read some row groups, the first of whose cells has a number, and place them."""
        from ingest.readers.token_groups import read_groups  # noqa: PLC0415, loads a compiler

        first, groups = portion
        if not self._are_named:
            placed = read_groups(self.path, self._metadata, self._names, groups, first, self._vocabulary.position)
            if placed is not None:
                return [placed]
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

    def _find_vocabulary(self) -> Vocabulary:
        """Read the vocabulary that is given or lies beside the file; tokens that are genes make their own."""
        names = self._names
        if names.vocabulary is None and (self._are_text or names.are_genes):
            return vocabulary_of(self.path, self._distinct())
        return find_vocabulary(self.path, names.token, names.vocabulary, are_text=self._are_text)

    def _distinct(self) -> pl.Series:
        """Read the tokens of all cells, each once, in order."""
        found = pl.Series([], dtype=pl.String)
        options = {"buffer_size": BYTES_AT_ONCE, "pre_buffer": False, "metadata": self._metadata}
        with telling_damage(self.path, "the lists of tokens"), pq.ParquetFile(self.path, **options) as file:
            for batch in file.iter_batches(CELLS_AT_ONCE, columns=[self._names.tokens], use_threads=False):
                _, items = taken_apart(batch.column(0))
                found = pl.concat([found, pl.Series(items.unique()).cast(pl.String)]).drop_nulls().unique()
        return found.sort()

    def _lists(self, batch: pa.RecordBatch, start: int) -> tuple[Integers, Integers, Numbers]:
        """Return where each cell begins, and the tokens and values of all, as they lie in memory."""
        columns = [batch.column(name) for name in (self._names.tokens, self._names.values)]
        (starts, tokens), (begins, values) = map(taken_apart, columns)
        uneven = np.flatnonzero(np.diff(starts) != np.diff(begins))
        if uneven.size or any(column.null_count for column in (*columns, tokens, values)):
            where = f"row {start + int(uneven[0]):,}" if uneven.size else f"rows {start:,} and following"
            raise SourceFormatError(
                "a cell has a token without a value, or a value without a token",
                where=f"{where} of {self.path}",
                expected=f"as many '{self._names.values}' as '{self._names.tokens}', none missing",
                do="fetch the file again",
            )
        numbers = self._numbered(tokens)
        counts = values.to_numpy(zero_copy_only=False)
        if not pa.types.is_fixed_size_list(columns[0].type):
            return starts, numbers, counts
        is_held = counts != 0
        held = np.concatenate([np.zeros(1, np.int64), np.cumsum(is_held)])
        return held[starts], numbers[is_held], counts[is_held]

    def _numbered(self, tokens: pa.Array) -> Integers:
        """Give tokens as numbers of the vocabulary."""
        if self._are_named:
            return places_of(tokens, self._vocabulary.genes[INDEX])
        return np.asarray(tokens.to_numpy(zero_copy_only=False))

    def _placed(self, start: int, batch: pa.RecordBatch) -> Placed:
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
    takes: ClassVar[frozenset[str]] = frozenset({"tokens"})

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Say whether this is Parquet with the lists of tokens and values that are known."""
        try:
            if not is_parquet(path):
                return False
            schema = pq.read_schema(path)
        except DAMAGE:
            return False
        return any(names.of_cells <= set(schema.names) for names in PUBLISHED) or are_lists_of_tokens(schema)

    @classmethod
    def open(cls, path: Path, *, matrix: str | None = None, tokens: Mapping[str, Any] | None = None) -> TokensReader:
        """Open a file and its vocabulary; ``tokens`` names their columns, as ``[tokens]`` of a spec does."""
        refuse_name(cls.name, path, matrix)
        return TokensReader(path, tokens)


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


def _is_label(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return bool(is_text or is_number(kind) or pa.types.is_boolean(kind))


def _bytes_of_a_cell(metadata: Any, names: Names) -> int:
    """Estimate what the lists of a cell take in memory."""
    n_values = 0
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        columns = map(group.column, range(group.num_columns))
        n_values += sum(int(c.num_values) for c in columns if c.path_in_schema.split(".")[0] == names.values)
    return 1 + 2 * 8 * n_values // max(1, int(metadata.num_rows))
