"""Conditions of a table with a line for each condition and gene, out of the distinct descriptions of its lines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from featurestore.errors import SourceFormatError
from ingest.conditions.given import GivenRows, Integers, distinct_rows
from ingest.reader import INDEX

MOST_SHOWN = 3
NUMBER = "number of the condition"


def one_row_each(given: GivenRows, *, where: str) -> tuple[GivenRows, Integers]:
    """Bring the rows of one condition together; those that ``where`` leaves out stay apart from those that it takes.

    Parameters
    ----------
    given
        The distinct descriptions of lines.
    where
        The files, for messages.

    Returns
    -------
    A row for each condition, in order of appearance, and which of them each row of before is. Shape (rows,).

    Raises
    ------
    SourceFormatError
        A column of ``[quality]`` says different things of one condition.
    """
    identity = given.published.select(INDEX).with_columns(is_kept=given.is_kept)
    _, place = distinct_rows(identity)
    _, first = np.unique(place, return_index=True)
    used, combo = np.unique(given.combo[first], return_inverse=True)
    each = replace(
        given,
        combos=given.combos[used.tolist()],
        combo=combo.astype(np.int32),
        batch=given.batch[first],
        half=given.half[first],
        is_kept=given.is_kept[first],
        cells=given.cells[first] if given.cells.size else given.cells,
        published=_published(given, place, where),
    )
    return each, place


def _published(given: GivenRows, place: Integers, where: str) -> pl.DataFrame:
    """Take of each condition the one value that its rows have, where they have one."""
    rows = given.published.with_columns(pl.Series(NUMBER, place))
    taken = rows.filter(pl.Series(given.is_kept)).group_by(NUMBER, maintain_order=True)
    for column in given.published.columns[1:]:
        values = taken.agg(pl.col(INDEX).first(), pl.col(column).drop_nulls().unique(maintain_order=True))
        values = values.filter(pl.col(column).list.len() > 1)
        if values.height:
            _, name, found = values.row(0)
            raise SourceFormatError(
                f"Lines of one condition do not agree in column '{column}', which [quality] names.",
                where=where,
                expected=f"one '{column}' for each condition",
                got=f"{values.height:,} with several, such as {name}: {', '.join(map(str, found[:MOST_SHOWN]))}",
                do="name the column that tells them apart (batch, dose, time, cluster) under [condition], or leave "
                f"'{column}' out of [quality]",
            )
    return rows.group_by(NUMBER, maintain_order=True).agg(pl.all().drop_nulls().first()).drop(NUMBER)
