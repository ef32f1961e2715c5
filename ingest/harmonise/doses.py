"""Doses in micromolar and times in hours, from the many ways in which sources write them.

Numbers are multiplied exactly and rounded once, so ``70 nM`` and ``0.07 uM`` are the same double and the same
condition. What cannot be converted has no value but a note that says why; the published text is kept beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import polars as pl

from ingest.harmonise.quantity import Number, Quantity, read_quantity
from ingest.harmonise.units import DOSE, TIME, TIME_OF_COLUMN

NOMINAL_DIGITS = ("1", "1.11", "1.25", "1.5", "2", "2.5", "3", "3.16", "3.33", "3.7", "4", "5", "6.25", "7.5", "8")
"""Leading digits of the doses that plates are laid out in: tenfold, half-log, threefold and twofold series, and
doses chosen by hand."""


def dose_um(text: Number, unit: str | None = None) -> Quantity:
    """Read one dose.

    Parameters
    ----------
    text
        As published: a number, a number with a unit, Tahoe's ``[('drug', 0.05, 'uM')]``, or several of these joined
        by ``|`` or ``&``, which have to agree.
    unit
        The unit that the source gives elsewhere; a unit in the text itself is believed before it.

    Returns
    -------
    Quantity
        In micromolar. Words after the unit (``0.2 uM panobinostat``) are noted and left out; a second value among
        them (``100 nM + 50 nM``) leaves the text without one.

    Examples
    --------
    >>> dose_um("70 nM").value
    0.07
    >>> dose_um("300 ng")
    Quantity(value=None, note="unit 'ng' is not molar")
    """
    return read_quantity(text, unit, DOSE)


def time_h(text: Number, unit: str | None = None) -> Quantity:
    """Read one time, as `dose_um` reads a dose; in hours. Units that get smaller are added up; one may come first.

    Examples
    --------
    >>> time_h("6 d").value, time_h("1 h 30 min").value, time_h("Day 6").value
    (144.0, 1.5, 144.0)
    """
    return read_quantity(text, unit, TIME)


def map_doses(values: pl.Series, unit: str | None = None) -> pl.DataFrame:
    """Read a column of doses.

    Returns
    -------
    ``original`` (text), ``value`` (micromolar) and ``note``, one row per value, in order.
    """
    return _map(values, unit, dose_um)


def map_times(values: pl.Series, unit: str | None = None) -> pl.DataFrame:
    """Read a column of times, in which ``D7`` is a day and no donor or well; ``value`` is in hours."""
    return _map(values, unit, lambda text, unit: read_quantity(text, unit, TIME_OF_COLUMN))


def nominal_dose(values: pl.Series, *, series: Sequence[float] | None = None, tolerance: float = 0.02) -> pl.DataFrame:
    """Give measured doses the nominal dose of their well: 0.01004 was meant as 0.01.

    A dose becomes the nearest member of the series, by ratio, if that is within the tolerance, else it stays what it
    is. Each dose is decided alone, so the answer depends neither on order nor on which other doses are present.

    Parameters
    ----------
    values
        Measured doses, in any one unit.
    series
        The nominal doses, in that unit, where the source states them; otherwise `NOMINAL_DIGITS` in every decade.
    tolerance
        Largest accepted distance, as a share of the nominal dose.

    Returns
    -------
    ``measured`` and ``nominal``, one row per value, in order.
    """
    measured = values.cast(pl.Float64).fill_nan(None)
    found = {dose: _nominal(dose, series, tolerance) for dose in measured.drop_nulls().unique().to_list()}
    nominal = measured.replace_strict(found, default=None, return_dtype=pl.Float64)
    return pl.DataFrame({"measured": measured, "nominal": nominal})


def _nominal(dose: float, series: Sequence[float] | None, tolerance: float) -> float:
    if dose <= 0 or math.isinf(dose):
        return dose
    if series is None:
        decade = math.floor(math.log10(dose))
        series = [float(f"{digits}e{power}") for power in (decade, decade + 1) for digits in NOMINAL_DIGITS]
    positive = [step for step in series if step > 0]
    nearest = min(positive, key=lambda step: abs(math.log(dose / step)), default=dose)
    return nearest if abs(dose - nearest) <= tolerance * nearest else dose


def _map(values: pl.Series, unit: str | None, read: Callable[[str | None, str | None], Quantity]) -> pl.DataFrame:
    original = values.cast(pl.String).alias("original")
    distinct = original.unique(maintain_order=True)
    quantities = [read(text, unit) for text in distinct]
    table = pl.DataFrame(
        {
            "original": distinct,
            "value": pl.Series([quantity.value for quantity in quantities], dtype=pl.Float64),
            "note": pl.Series([quantity.note or None for quantity in quantities], dtype=pl.String),
        }
    )
    return original.to_frame().join(table, on="original", how="left", nulls_equal=True, maintain_order="left")
