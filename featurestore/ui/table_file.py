"""A table as a file that the browser saves: csv, which a spreadsheet may open, or Parquet."""

from __future__ import annotations

import io

import polars as pl

from featurestore.errors import QueryError
from featurestore.query.results import as_flat

MOST_BYTES = 64 * 2**20
"""What a file of the browser may hold."""
FORMULA = r"^(?:[=@\t\r\n\uFF1D\uFF20]|[+\-\uFF0B\uFF0D](?s:.))"
"""How text begins that a spreadsheet would take for a formula, if it is no number."""
NUMBER = r"^[+-](?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$"


def as_file(frame: pl.DataFrame, suffix: str) -> tuple[bytes, str]:
    """Return a frame as the bytes of a file, and their media type.

    In csv, which spreadsheets open, text that would be a formula there begins with an apostrophe, in the header too.

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
    header = pl.DataFrame([[name] for name in frame.columns])
    lines = [_harmless(part).write_csv(include_header=False) for part in (header, as_flat(frame))]
    return "".join(lines).encode(), "text/csv; charset=utf-8"


def _harmless(frame: pl.DataFrame) -> pl.DataFrame:
    text = pl.col(pl.String, pl.Categorical, pl.Enum).cast(pl.String)
    is_formula = text.str.contains(FORMULA) & ~text.str.contains(NUMBER)
    return frame.with_columns(pl.when(is_formula).then("'" + text).otherwise(text).name.keep())
