"""Doses and times of a dataset's rows: the value that its conditions have, and what to say of it in the ledger."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from featurestore.errors import SpecError, did_you_mean
from ingest.given import Dose, Fixed, FromColumn, Quantity
from ingest.harmonise.doses import map_doses, map_times, nominal_dose
from ingest.harmonise.units import DOSE, HOURS, MOLAR, NOT_MOLAR, TIME, Scale

EXAMPLES = {"dose": '{ value = 10, unit = "uM" }', "time": '{ value = 24, unit = "h" }'}


def map_dose(texts: pl.Series, quantity: Dose | None) -> pl.DataFrame:
    """Read doses; where the spec says ``nominal = true``, a measured dose becomes the one that was meant.

    Returns
    -------
    One row per text, in order: ``dose_um``, and the ledger's ``dose_original``, ``dose_target_id``,
    ``dose_status``, ``dose_method`` and ``dose_note``, which gives the measured dose.

    Raises
    ------
    SpecError
        The unit, or the dose that the spec gives to all rows, is none.
    """
    read = map_doses(texts, quantity.unit if quantity is not None else None)
    _require_meant(quantity, DOSE, MOLAR, read)
    table = _told("dose", "dose_um", read)
    if not (isinstance(quantity, FromColumn) and quantity.nominal):
        return table
    doses = nominal_dose(read["value"])
    is_moved = doses["measured"] != doses["nominal"]
    measured = pl.format("measured {} uM", doses["measured"])
    return table.with_columns(
        dose_um=doses["nominal"],
        dose_target_id=doses["nominal"].cast(pl.String),
        dose_method=pl.when(is_moved).then(pl.lit("nominal")).otherwise("dose_method"),
        dose_note=pl.when(is_moved)
        .then(pl.concat_str(measured, "dose_note", separator="; ", ignore_nulls=True))
        .otherwise("dose_note"),
    )


def map_time(texts: pl.Series, quantity: Quantity | None) -> pl.DataFrame:
    """Read times; the columns are those of `map_dose`, named ``time_...``, with ``time_h``.

    Raises
    ------
    SpecError
        The unit, or the time that the spec gives to all rows, is none.
    """
    read = map_times(texts, quantity.unit if quantity is not None else None)
    _require_meant(quantity, TIME, HOURS, read)
    return _told("time", "time_h", read)


def _require_meant(quantity: Dose | None, scale: Scale, units: Iterable[str], read: pl.DataFrame) -> None:
    key, unit = scale.name, quantity.unit if quantity is not None else None
    is_unit = unit is None or scale.factor(unit) is not None
    if unit is not None and not is_unit and (scale is TIME or NOT_MOLAR.fullmatch(unit) is None):
        do = did_you_mean(unit, units)
        raise SpecError(f"That is not a unit of {key}.", where=f"condition.{key}.unit", got=repr(unit), do=do)
    why = read.filter(pl.col("value").is_null())["note"].first() if isinstance(quantity, Fixed) else None
    if why is not None and is_unit:
        raise SpecError(
            f"The {key} of all rows cannot be read.",
            where=f"condition.{key}",
            expected=f"a number and its unit, such as {EXAMPLES[key]}",
            got=str(why),
            do=f"write {key} = {EXAMPLES[key]}, or leave {key} out",
        )


def _told(entity: str, value: str, read: pl.DataFrame) -> pl.DataFrame:
    status = (
        pl.when(pl.col("value").is_not_null())
        .then(pl.lit("converted"))
        .when(pl.col("note") == "missing")
        .then(pl.lit("missing"))
        .otherwise(pl.lit("unmapped"))
    )
    return read.select(
        pl.col("value").alias(value),
        pl.col("original").alias(f"{entity}_original"),
        pl.col("value").cast(pl.String).alias(f"{entity}_target_id"),
        status.alias(f"{entity}_status"),
        pl.lit("units").alias(f"{entity}_method"),
        pl.col("note").alias(f"{entity}_note"),
    )
