"""A result on the terminal or in a file."""

from __future__ import annotations

from pathlib import Path

import click
import polars as pl

from featurestore.query.results import csv_text, json_text
from featurestore.storage.whole import beside

LONGEST_TABLE = 1000
SINGLE_DIGITS = 7
"""Decimal digits that a single-precision number holds."""


def show(frame: pl.DataFrame, form: str, output: Path | None) -> None:
    """Print a result, or write it to a file.

    Raises
    ------
    click.UsageError
        Parquet is asked for without a file to hold it.
    """
    if form == "parquet":
        if output is None:
            raise click.UsageError("--format parquet needs --output FILE")
        with beside(output) as path:
            frame.write_parquet(path)
        return
    text = {"table": table_text, "csv": csv_text, "json": json_text}[form](_digits(frame)).removesuffix("\n")
    if output is None:
        click.echo(text)
    else:
        with beside(output) as path:
            path.write_text(text + "\n", encoding="utf-8")


def _digits(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col(pl.Float32).cast(pl.Float64).round_sig_figs(SINGLE_DIGITS))


def table_text(frame: pl.DataFrame) -> str:
    """Lay a result out for a terminal; an empty one says so."""
    if frame.is_empty():
        return f"0 rows of {', '.join(frame.columns)}"
    with pl.Config(
        tbl_rows=LONGEST_TABLE,
        tbl_cols=-1,
        tbl_hide_dataframe_shape=True,
        tbl_hide_column_data_types=True,
        tbl_formatting="UTF8_BORDERS_ONLY",
        tbl_width_chars=200,
        fmt_str_lengths=60,
    ):
        shown = str(frame)
    rest = (
        f"\n{frame.height:,} rows, the first and last {LONGEST_TABLE // 2} shown"
        if frame.height > LONGEST_TABLE
        else ""
    )
    return shown + rest
