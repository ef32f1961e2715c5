"""The row table of a dataset: what a file and the tables beside it say of each cell, well or signature."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from featurestore.errors import SpecError, did_you_mean
from ingest.reader import INDEX, Reader
from ingest.side_tables import SideTable, join_tables
from ingest.spec import DatasetSpec


def read_rows(reader: Reader, spec: DatasetSpec, tables: Sequence[SideTable]) -> pl.DataFrame:
    """Read the columns that a spec names, of the file's own row table and of the tables beside it.

    Where the table that ``[rows]`` names and the file have a column in common, the table's is taken.

    Raises
    ------
    SpecError
        A column is in none of them.
    """
    wanted = list(dict.fromkeys([*spec.row_columns(), *columns_of(spec.condition.where)]))
    replaced = set(tables[0].columns) - {INDEX} if spec.rows.table is not None else set()
    needed = {INDEX, *wanted, *(table.on for table in tables)} - replaced
    rows = reader.rows([name for name in reader.row_columns() if name in needed])
    rows = join_tables(rows, tables, wanted)
    missing = [name for name in wanted if name not in rows.columns]
    if missing:
        known = list(dict.fromkeys([*reader.row_columns(), *(name for table in tables for name in table.columns)]))
        names = ", ".join(map(repr, missing))
        raise SpecError(
            f"The row table has no column {names}.",
            where=f"{reader.path}, named by the spec",
            expected="one of: " + ", ".join(known),
            do="; ".join(did_you_mean(name, known) for name in missing),
        )
    return rows


def columns_of(where: str | None) -> list[str]:
    """List the columns that a condition is about; none where it cannot be parsed, which is told when it is applied."""
    try:
        return [] if where is None else pl.sql_expr(where).meta.root_names()
    except pl.exceptions.PolarsError:
        return []
