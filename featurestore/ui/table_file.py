"""A table as a file that the browser saves: csv, which a spreadsheet may open, or Parquet."""

from __future__ import annotations

import io
from itertools import chain

import polars as pl

from featurestore.errors import QueryError
from featurestore.query.results import as_flat

MOST_BYTES = 64 * 2**20
"""What a file of the browser may hold."""
_CELLS_AT_ONCE = 20_000
"""Cells that are written between two looks at how much it is: text that is kept once may be written often."""
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
    _require_small(frame.estimated_size())
    file = io.BytesIO()
    if suffix == "parquet":
        frame.write_parquet(file)
        return file.getvalue(), "application/vnd.apache.parquet"
    header = pl.DataFrame([[name] for name in frame.columns])
    for part in chain([header], frame.iter_slices(max(_CELLS_AT_ONCE // max(frame.width, 1), 1))):
        _harmless(as_flat(part)).write_csv(file, include_header=False)
        _require_small(file.tell())
    return file.getvalue(), "text/csv; charset=utf-8"


def _require_small(n_bytes: float) -> None:
    if n_bytes > MOST_BYTES:
        raise QueryError(
            "The table is too large for the browser.",
            expected=f"at most {MOST_BYTES / 1e6:,.0f} MB",
            do="ask for it on the command line: featurestore sql QUERY --format parquet -o FILE",
        )


def _harmless(frame: pl.DataFrame) -> pl.DataFrame:
    text = pl.col(pl.String, pl.Categorical, pl.Enum).cast(pl.String)
    is_formula = text.str.contains(FORMULA) & ~text.str.contains(NUMBER)
    return frame.with_columns(pl.when(is_formula).then("'" + text).otherwise(text).name.keep())
