"""Doses and times of a dataset's rows: the value that its conditions have, and what to say of it in the ledger."""

from __future__ import annotations

import polars as pl

from ingest.given import Dose, FromColumn, Quantity
from ingest.harmonise.doses import map_doses, map_times, nominal_dose


def map_dose(texts: pl.Series, quantity: Dose | None) -> pl.DataFrame:
    """Read doses; where the spec says ``nominal = true``, a measured dose becomes the one that was meant.

    Returns
    -------
    polars.DataFrame
        One row per text, in order: ``dose_um``, and the ledger's ``dose_original``, ``dose_target_id``,
        ``dose_status``, ``dose_method`` and ``dose_note``, which gives the measured dose.
    """
    read = map_doses(texts, quantity.unit if quantity is not None else None)
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
    """Read times; the columns are those of `map_dose`, named ``time_...``, with ``time_h``."""
    return _told("time", "time_h", map_times(texts, quantity.unit if quantity is not None else None))


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
