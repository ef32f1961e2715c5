"""Conditions of a table with a row for each condition and gene, out of the distinct descriptions of its rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from featurestore.errors import SourceFormatError, first_of
from ingest.conditions.given import GivenRows, Integers, distinct_rows
from ingest.conditions.roles import naming_parts, spelled_out
from ingest.reader import INDEX

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
    names, parts = given.published[INDEX], _parts(given)
    _, place = distinct_rows(parts.with_columns(names, is_kept=given.is_kept))
    _, first = np.unique(place, return_index=True)
    used, combo = np.unique(given.combo[first], return_inverse=True)
    each = replace(
        given,
        combos=given.combos[used.tolist()],
        combo=combo.astype(np.int32),
        batch=given.batch[first],
        draw=given.draw[first],
        is_kept=given.is_kept[first],
        cells=given.cells[first] if given.cells.size else given.cells,
        published=_published(given, place, where).with_columns(_names(names, parts)[first.tolist()]),
    )
    return each, place


def _parts(given: GivenRows) -> pl.DataFrame:
    """Return what tells conditions apart: a column for each part of their name."""
    batch = given.batches.to_series()[given.batch.tolist()]
    return naming_parts(given.combos[given.combo.tolist()], batch)


def _names(names: pl.Series, parts: pl.DataFrame) -> pl.Series:
    """Spell out names that several conditions would share: of a dose of 24 without a time, of a time without a dose."""
    distinct = parts.with_columns(names).unique().filter(pl.col(INDEX).is_duplicated())
    is_shared = pl.col(INDEX).is_in(distinct[INDEX].implode())
    return (
        names.to_frame().select(pl.when(is_shared).then(spelled_out(parts)).otherwise(INDEX).alias(INDEX)).to_series()
    )


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
                f"Rows of one condition do not agree in column '{column}', which [quality] names.",
                where=where,
                expected=f"one '{column}' for each condition",
                got=f"{values.height:,} with several, such as {name}: {first_of(list(map(str, found)))}",
                do="name the column that tells them apart (batch, dose, time, cluster) under [condition], or leave "
                f"'{column}' out of [quality]",
            )
    return rows.group_by(NUMBER, maintain_order=True).agg(pl.all().drop_nulls().first()).drop(NUMBER)
