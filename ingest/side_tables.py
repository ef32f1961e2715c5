"""Tables beside a matrix (siginfo, geneinfo, a sample sheet): read by the columns that are needed, and joined."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from featurestore.errors import SpecError, did_you_mean
from ingest.reader import INDEX
from ingest.readers.columns import as_text, decode, typed, without_missing
from ingest.readers.damage import telling_damage
from ingest.readers.plain_text import BYTE_ORDER_MARK, is_gzip, open_text
from ingest.spec import JoinSection, TableSection

PARQUET = b"PAR1"
KEY = "key of the table"
JOINED = "|"
"""What distinct values of one key are joined by, such as the mechanisms of a compound."""


@dataclass(frozen=True, slots=True)
class SideTable:
    """A table beside a matrix, opened: its columns are known, its lines are read when asked for.

    Parameters
    ----------
    path
        Delimited text, plain or gzip, or Parquet.
    columns
        Names of its columns, as published.
    key
        The column that its lines are found by.
    on
        The column of the table it is joined to that holds the key.
    """

    path: Path
    columns: list[str]
    key: str
    on: str

    def read(self, columns: Collection[str]) -> pl.DataFrame:
        """Read the key and some columns: text, or numbers where a whole column is numbers; missing is null."""
        wanted = [self.key, *(name for name in self.columns if name in columns and name != self.key)]
        with telling_damage(self.path, "the table"):
            table = _read_parquet(self.path, wanted) if _is_parquet(self.path) else _read_text(self.path, wanted)
        return table.with_columns(pl.col(self.key).cast(pl.String).str.strip_chars())


def open_side_tables(section: TableSection, joins: Sequence[JoinSection], folders: Sequence[Path]) -> list[SideTable]:
    """Open the tables that a section of a spec names, in the order in which they are joined.

    Parameters
    ----------
    section, joins
        The section and the further tables that it joins.
    folders
        Where to look: the first folder that holds a table wins.

    Raises
    ------
    SpecError
        A table is not there, or lacks its key.
    """
    named = [] if section.table is None or section.key is None else [(section.table, section.key, INDEX)]
    named += [(join.table, join.key, join.on or join.key) for join in joins]
    return list(_open(named, folders))


def _open(named: Sequence[tuple[str, str, str]], folders: Sequence[Path]) -> Iterator[SideTable]:
    for name, key, on in named:
        found = [folder / name for folder in folders if (folder / name).is_file()]
        if not found:
            near = [entry.name for folder in folders if folder.is_dir() for entry in folder.iterdir()]
            raise SpecError(f"There is no table '{name}'.", where=str(folders[-1]), do=did_you_mean(name, near))
        with telling_damage(found[0], "the header"):
            columns = _columns(found[0])
        if key not in columns:
            raise SpecError(f"The table has no key column '{key}'.", where=str(found[0]), do=did_you_mean(key, columns))
        yield SideTable(found[0], columns, key, on)


def join_tables(rows: pl.DataFrame, tables: Sequence[SideTable], wanted: Collection[str]) -> pl.DataFrame:
    """Add to each row what the tables say of it; a column that is there already stays as it is.

    Of several lines with one key, the distinct values are joined by ``|``.
    """
    for number, table in enumerate(tables):
        needed = {*wanted, *(later.on for later in tables[number + 1 :])} - set(rows.columns)
        if table.on not in rows.columns:
            raise SpecError(
                f"There is no column '{table.on}' to join a table on.",
                where=str(table.path),
                do=did_you_mean(table.on, rows.columns),
            )
        rows = rows.with_columns(pl.col(table.on).cast(pl.String).str.strip_chars().alias(KEY))
        lines = table.read(needed).with_columns(pl.col(table.key).alias(KEY))
        lines = lines.select(name for name in lines.columns if name in {KEY, *needed})
        lines = _one_line_a_key(lines.join(rows.select(KEY).unique(), on=KEY, how="semi"))
        rows = rows.join(lines, on=KEY, how="left", maintain_order="left").drop(KEY)
    return rows


def _one_line_a_key(lines: pl.DataFrame) -> pl.DataFrame:
    repeated = lines.filter(pl.col(KEY).is_duplicated())
    if repeated.is_empty():
        return lines
    columns = [name for name in lines.columns if name != KEY]
    whole = repeated.group_by(KEY, maintain_order=True).agg(
        pl.col(name).cast(pl.String).drop_nulls().unique(maintain_order=True).str.join(JOINED) for name in columns
    )
    whole = whole.with_columns(pl.when(pl.col(name) != "").then(pl.col(name)).alias(name) for name in columns)
    single = lines.filter(~pl.col(KEY).is_duplicated()).with_columns(pl.col(columns).cast(pl.String))
    joined = pl.concat([single, whole.select(single.columns)])
    numeric = [name for name in columns if lines.schema[name].is_numeric()]
    return joined.with_columns(typed(joined[name]) for name in numeric)


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(PARQUET)) == PARQUET


def _columns(path: Path) -> list[str]:
    return list(pq.read_schema(path).names) if _is_parquet(path) else _header(path).names


class _Header(NamedTuple):
    """The first line of a table of text."""

    names: list[str]
    separator: str
    quote: str | bool


def _header(path: Path) -> _Header:
    with open_text(path) as file:
        raw = file.readline()
    line = decode(raw.removeprefix(BYTE_ORDER_MARK)).rstrip("\r\n")
    separator = "\t" if "\t" in line else ","
    quote: str | bool = '"' if separator == "," or '"' in line else False
    options = pyarrow.csv.ParseOptions(delimiter=separator, quote_char=quote)
    names = pyarrow.csv.read_csv(pa.BufferReader(f"{line}\n".encode()), parse_options=options).column_names
    return _Header(names, separator, quote)


def _read_text(path: Path, wanted: list[str]) -> pl.DataFrame:
    header = _header(path)
    table = pyarrow.csv.read_csv(
        pa.input_stream(str(path), compression="gzip" if is_gzip(path) else None),
        pyarrow.csv.ReadOptions(column_names=header.names, skip_rows=1),
        pyarrow.csv.ParseOptions(
            delimiter=header.separator, quote_char=header.quote, newlines_in_values=header.quote is not False
        ),
        pyarrow.csv.ConvertOptions(
            include_columns=wanted, column_types=dict.fromkeys(wanted, pa.binary()), strings_can_be_null=False
        ),
    )
    return pl.DataFrame([typed(without_missing(_text(table.column(name)))).alias(name) for name in wanted])


def _text(column: pa.ChunkedArray) -> pl.Series:
    raw = pl.Series(column, dtype=pl.Binary)
    try:
        text = raw.cast(pl.String)
    except pl.exceptions.PolarsError:
        text = as_text(raw.to_list())
    return text.str.strip_chars()


def _read_parquet(path: Path, wanted: list[str]) -> pl.DataFrame:
    table = pl.read_parquet(path, columns=wanted)
    return table.with_columns(without_missing(column) for column in table if column.dtype == pl.String)
