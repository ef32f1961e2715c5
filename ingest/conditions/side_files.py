"""Files of tables beside a matrix: delimited text, plain or gzip, with or without a header, and Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from ingest.readers.columns import as_text, decode, typed, without_missing
from ingest.readers.damage import telling_damage
from ingest.readers.delimited import split
from ingest.readers.plain_text import BYTE_ORDER_MARK, is_gzip, is_parquet, open_text, refuse_bomb, text_line


def read_columns(path: Path, wanted: list[str], titles: tuple[str, ...]) -> pl.DataFrame:
    """Read some columns of a table: text, or numbers where a whole column is; what is missing is null."""
    with telling_damage(path, "the table"):
        return _read_parquet(path, wanted) if is_parquet(path) else _read_text(path, wanted, titles)


def column_names(path: Path, titles: tuple[str, ...]) -> list[str]:
    """List the columns of a table; ``titles`` are those of text without a header."""
    return list(pq.read_schema(path).names) if is_parquet(path) else read_header(path, titles).names


class FirstLine(NamedTuple):
    """What the first line of a table of text tells, and whether it is a header rather than a line of the table."""

    names: list[str]
    separator: str
    quote: str | bool
    is_a_header: bool


def read_header(path: Path, titles: tuple[str, ...] = ()) -> FirstLine:
    """Read the header of a table of text."""
    with open_text(path) as file:
        raw, below = text_line(file, path), text_line(file, path)
    line = decode(raw.removeprefix(BYTE_ORDER_MARK)).rstrip("\r\n")
    separator = "\t" if "\t" in line else max(",", ";", key=line.count)
    quote: str | bool = '"' if separator != "\t" or '"' in line else False
    options = pyarrow.csv.ParseOptions(delimiter=separator, quote_char=quote)
    names = pyarrow.csv.read_csv(pa.BufferReader(f"{line}\n".encode()), parse_options=options).column_names
    is_headed = not titles or names == list(titles)
    fields = split(below.rstrip(b"\r\n"), separator.encode())
    n_more = len(fields) - len(names)
    if not titles and n_more > 0 and not any(fields[len(names) :]):
        names += [""] * n_more  # a sheet gives no title to what is empty at the end of lines
    elif not titles and n_more == 1:
        names = ["", *names]  # R's write.table gives none to row names
    return FirstLine(names if is_headed else list(titles), separator, quote, is_headed)


def _read_text(path: Path, wanted: list[str], titles: tuple[str, ...]) -> pl.DataFrame:
    refuse_bomb(path)
    header = read_header(path, titles)
    table = pyarrow.csv.read_csv(
        pa.input_stream(str(path), compression="gzip" if is_gzip(path) else None),
        pyarrow.csv.ReadOptions(column_names=header.names, skip_rows=int(header.is_a_header)),
        pyarrow.csv.ParseOptions(
            delimiter=header.separator, quote_char=header.quote, newlines_in_values=header.quote is not False
        ),
        pyarrow.csv.ConvertOptions(
            include_columns=wanted, column_types=dict.fromkeys(wanted, pa.binary()), strings_can_be_null=False
        ),
    )
    texts = {name: without_missing(_text(table.column(name))) for name in wanted}
    if header.separator == ";":
        texts = {name: with_points(text) for name, text in texts.items()}
    return pl.DataFrame({name: typed(text) for name, text in texts.items()})


def with_points(text: pl.Series) -> pl.Series:
    """Write numbers with decimal points, where a column is of numbers with decimal commas."""
    is_so = text.drop_nulls().str.contains(r"^[+-]?\d+(?:,\d+)?$").all()
    return text.str.replace(",", ".", literal=True) if is_so else text


def _text(column: pa.ChunkedArray) -> pl.Series:
    raw = pl.Series(column, dtype=pl.Binary)
    try:
        text = raw.cast(pl.String)
    except pl.exceptions.PolarsError:
        text = as_text(raw.to_list())
    return text.str.strip_chars()


def _read_parquet(path: Path, wanted: list[str]) -> pl.DataFrame:
    table = pl.read_parquet(path, columns=wanted, glob=False)
    return table.with_columns(without_missing(column) for column in table if column.dtype == pl.String)
