"""Columns that tell the units of doses and times beside their numbers: a spec's one unit must be theirs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.errors import SpecError
from ingest.column_names import plain_name
from ingest.conditions.row_filter import RowFilter
from ingest.conditions.rows import RowTables
from ingest.given import FromColumn
from ingest.harmonise.units import DOSE, TIME, Scale
from ingest.reader import Tables

DOSE_UNITS = ("dose_unit", "pert_dose_unit", "unit_1", "treatment_dose_unit", "concentration_unit")
TIME_UNITS = ("time_unit", "pert_time_unit", "unit")
"""Names under which columns of units are published, the surest first."""


def require_units(
    readers: Sequence[Tables],
    row_tables: RowTables,
    perturbed: Sequence[npt.NDArray[np.bool_]] = (),
) -> None:
    """Refuse doses and times of conditions in another unit than the spec gives them, or in several where it gives none.

    Parameters
    ----------
    readers
        The open files.
    row_tables
        What is said of their rows.
    perturbed
        Which rows of each file are of conditions that are no controls: these alone must be in that unit. Where nothing
        is given, all that ``where`` takes.

    Raises
    ------
    SpecError
        A column of units says otherwise.
    """
    spec, beside = row_tables.spec, row_tables.columns_beside
    for scale, given, names in (
        (DOSE, spec.condition.dose, DOSE_UNITS),
        (TIME, spec.condition.time, TIME_UNITS),
    ):
        if not isinstance(given, FromColumn):
            continue
        columns = [_column((*reader.row_columns(), *beside), names) for reader in readers]
        found = {given.unit} if given.unit is not None else set[str]()
        for at, (reader, column) in enumerate(zip(readers, columns, strict=True)):
            if column is None:
                continue
            rows = row_tables.read(reader, also=[column])
            is_tested = pl.Series(perturbed[at]) if perturbed else RowFilter("where", spec).take(rows)
            units = _units(rows.filter(is_tested), given.column, column)
            found |= {unit for unit in units if scale.factor(unit) is not None}
            if len({scale.factor(unit) for unit in found}) > 1:
                raise _refusal(scale, given, column, units, reader.path)


def _column(names: Sequence[str], known: Sequence[str]) -> str | None:
    """Return the surest of the columns that are named as units are."""
    spelt = {plain_name(name): name for name in names}
    return next((spelt[name] for name in known if name in spelt), None)


def _units(rows: pl.DataFrame, numbers: str, column: str) -> list[str]:
    """List the units of what is a number and not 0, sorted."""
    is_number = pl.col(numbers).cast(pl.Float64, strict=False).fill_null(0) != 0
    units = rows.filter(is_number)[column].cast(pl.String).str.strip_chars().drop_nulls()
    return sorted(units.unique())


def _refusal(scale: Scale, given: FromColumn, column: str, units: Sequence[str], path: Path) -> SpecError:
    return SpecError(
        f"Numbers of one {scale.name} column are in several units.",
        where=f"{path}, columns '{given.column}' and '{column}'",
        expected=f"unit = {given.unit!r} of condition.{scale.name}" if given.unit else "one unit in all rows",
        got=f"here {', '.join(map(repr, units))}",
        do=f"write each {scale.name} with its unit into one column, and name it without unit; or leave the rows of "
        "other units out with where under [condition]",
    )
