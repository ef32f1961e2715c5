"""A table as a file that the browser saves: csv, which a spreadsheet may open, or Parquet."""

from __future__ import annotations

import io

import polars as pl

from featurestore.errors import QueryError
from featurestore.query.results import csv_text

MOST_BYTES = 64 * 2**20
"""What a file of the browser may hold."""
FORMULA = r"^(?:[=@\t\r]|[+-](?:.*[^0-9.eE+-]))"
"""Text that a spreadsheet would take for a formula; a number is none."""


def as_file(frame: pl.DataFrame, suffix: str) -> tuple[bytes, str]:
    """Return a frame as the bytes of a file, and their media type.

    In csv, which spreadsheets open, text that would be a formula there begins with an apostrophe.

    Raises
    ------
    QueryError
        It is more than a browser should be given.
    """
    if frame.estimated_size() > MOST_BYTES:
        raise QueryError(
            "The table is too large for the browser.",
            expected=f"at most {MOST_BYTES / 1e6:,.0f} MB",
            got=f"{frame.estimated_size() / 1e6:,.0f} MB",
            do="ask for it on the command line: featurestore sql QUERY --format parquet -o FILE",
        )
    if suffix == "parquet":
        buffer = io.BytesIO()
        frame.write_parquet(buffer)
        return buffer.getvalue(), "application/vnd.apache.parquet"
    harmless = frame.with_columns(pl.col(pl.String).str.replace(FORMULA, "'$0"))
    return csv_text(harmless).encode(), "text/csv; charset=utf-8"
