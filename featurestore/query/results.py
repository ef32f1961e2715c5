"""What DuckDB answers as a polars frame, and a frame as csv and JSON, whatever types a query makes."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import count
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa

from featurestore.errors import QueryError

_NESTED = {"list", "array", "struct", "tuple", "map"}
_HELD = {
    *_NESTED,
    *("null", "boolean", "tinyint", "smallint", "integer", "bigint", "hugeint"),
    *("utinyint", "usmallint", "uinteger", "ubigint", "float", "double", "decimal"),
    *("varchar", "enum", "uuid", "blob", "date", "time", "time_ns"),
    *("timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns", "timestamp with time zone"),
}
"""Types of DuckDB that polars holds without loss."""


def as_held(relation: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """Cast the columns that polars has no type for, such as intervals and unions, to text as DuckDB writes it."""
    held = [_is_held(dtype) for dtype in relation.types]
    if all(held):
        return relation
    names = [name.replace('"', '""') for name in relation.columns]
    columns = [
        f"#{i}" if kept else f'#{i}::varchar as "{name}"'
        for i, (name, kept) in enumerate(zip(names, held, strict=True), start=1)
    ]
    return relation.project(", ".join(columns))


def _is_held(dtype: Any) -> bool:
    if dtype.id not in _NESTED:
        return dtype.id in _HELD
    parts = [part for _, part in dtype.children if not isinstance(part, int)]
    has_keys = dtype.id != "map" or parts[0].id not in _NESTED
    return bool(parts) and has_keys and all(map(_is_held, parts))


def as_frame(table: pa.Table) -> pl.DataFrame:
    """Return a result as a frame; a name that several columns have is numbered as DuckDB does: ``a``, ``a_1``.

    Raises
    ------
    QueryError
        A date or time lies beyond the calendar of Python.
    """
    named = table.rename_columns(_distinct(table.column_names))
    for name, column in zip(named.column_names, named.columns, strict=True):
        if not _is_in_calendar(column):
            raise QueryError(
                f"Column '{name}' holds a date or time beyond the calendar.",
                where=f"column '{name}', {column.type}",
                expected="years 1 to 9999",
                do="cast it to text (::varchar), or leave those rows out",
            )
    frame = pl.from_arrow(named)
    return frame if isinstance(frame, pl.DataFrame) else frame.to_frame()


def _distinct(names: Iterable[str]) -> list[str]:
    """Return names, the repeated ones numbered; upper and lower case are alike, as in SQL."""
    found: dict[str, str] = {}
    for name in names:
        numbered = (f"{name}_{i}" if i else name for i in count())
        free = next(new for new in numbered if new.lower() not in found)
        found[free.lower()] = free
    return list(found.values())


def _is_in_calendar(column: pa.ChunkedArray) -> bool:
    dtype = column.type
    if not _has_dates(dtype):
        return True
    import pyarrow.compute as pc  # noqa: PLC0415, few results have dates

    try:
        if pa.types.is_nested(dtype):
            column.to_pylist()
        else:
            pc.min_max(column).as_py()
    except (OverflowError, ValueError):
        return False
    return True


def _has_dates(dtype: pa.DataType) -> bool:
    if pa.types.is_nested(dtype):
        return any(_has_dates(dtype.field(i).type) for i in range(dtype.num_fields))
    return bool(pa.types.is_date(dtype) or (pa.types.is_timestamp(dtype) and dtype.unit != "ns"))


def csv_text(frame: pl.DataFrame) -> str:
    """Write csv: lists as ``a|b``, what is nested deeper as JSON, bytes in hexadecimal."""
    return as_flat(frame).write_csv()


def as_flat(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a frame as csv has it: lists as ``a|b``, what is nested deeper as JSON, bytes in hexadecimal."""
    return frame.with_columns(_flat(column) for column in frame.iter_columns() if _is_deep(column.dtype))


def _is_deep(dtype: pl.DataType) -> bool:
    return dtype.is_nested() or dtype == pl.Binary


def _flat(column: pl.Series) -> pl.Series:
    dtype = column.dtype
    if dtype == pl.Binary:
        return column.bin.encode("hex")
    if isinstance(dtype, pl.List | pl.Array) and not _is_deep(inner := pl.Series(dtype=dtype.inner).dtype):
        return column.cast(pl.List(inner)).cast(pl.List(pl.String())).list.join("|")
    texts = [None if value is None else _json(_finite(value)) for value in column.to_list()]
    return pl.Series(column.name, texts, dtype=pl.String())


def json_text(frame: pl.DataFrame) -> str:
    """Write a list of objects, one a row; numbers that JSON lacks are null, bytes in hexadecimal.

    Whole numbers have all their digits, whatever their size; decimals those of a double.
    """
    floats = [name for name, dtype in frame.schema.items() if dtype.is_float()]
    nested = [name for name, dtype in frame.schema.items() if dtype.is_nested()]
    known = frame.with_columns(pl.when(pl.col(name).is_finite()).then(pl.col(name)).alias(name) for name in floats)
    rows = (row | {name: _finite(row[name]) for name in nested} for row in known.iter_rows(named=True))
    return "[" + ",\n ".join(map(_json, rows)) + "]"


def _json(value: Any) -> str:
    return json.dumps(value, default=_plain, ensure_ascii=False, allow_nan=False)


def _finite(value: Any) -> Any:
    """Return a nested value with null for numbers that JSON lacks, and text for keys."""
    if isinstance(value, dict):
        return {key if isinstance(key, str) else str(_plain(key)): _finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _plain(value: Any) -> int | float | str:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Decimal):
        return int(value) if value.as_tuple().exponent == 0 else float(value)
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)


def first_rows(batches: Iterator[pa.RecordBatch], n_rows: int) -> Iterator[pa.RecordBatch]:
    """Yield the first rows of record batches."""
    for batch in batches:
        yield batch.slice(0, n_rows)
        n_rows -= batch.num_rows
        if n_rows <= 0:
            return
