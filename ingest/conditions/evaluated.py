"""Conditions in SQL that a spec gives, over the columns of a table, evaluated on its rows."""

from __future__ import annotations

import polars as pl

from featurestore.errors import SpecError, first_of

_ROW = "row of the table"


def evaluated(table: pl.DataFrame, condition: str, place: str) -> pl.Series:
    """Evaluate a condition on every row of a table; what is neither true nor false is false.

    Parameters
    ----------
    table
        The columns that the condition may name.
    condition
        Such as ``gene != 'nan'``; a constant holds for every row.
    place
        The key of the spec that gives it.

    Returns
    -------
    A truth for each row, of the table's height.

    Raises
    ------
    SpecError
        It cannot be evaluated.
    """
    try:
        asked = table.with_row_index(_ROW).select(_ROW, holds=pl.sql_expr(condition))  # a constant, as often as rows
        return asked["holds"].cast(pl.Boolean, strict=True).fill_null(value=False)
    except (pl.exceptions.PolarsError, TypeError) as error:
        column = table.columns[0] if table.width else "column"
        raise SpecError(
            f"'{place.rpartition('.')[2]}' cannot be evaluated.",
            where=f"{place}: {condition}",
            expected=f"one condition in SQL, true or false of each row, such as {column} != 'text'",
            got=" ".join(str(error).split()),
            do=f"columns: {first_of(table.columns)}; text goes in single quotation marks",
        ) from None
