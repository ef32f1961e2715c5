"""The conditions of the perturbation that an address names, and which of their signatures are looked at."""

from __future__ import annotations

from typing import Any

import polars as pl

from featurestore.errors import QueryError
from featurestore.ui.asked import Asked


def conditions_of(asked: Asked) -> pl.DataFrame:
    """Return the conditions, those that change most genes beyond noise first.

    Raises
    ------
    QueryError
        There is no such perturbation.
    """
    identity = asked.needed("id")
    frame = asked.questions.ask("perturbation", perturbation_id=identity)
    if frame.is_empty():
        raise QueryError(
            "There is no such perturbation in this snapshot.", got=identity, do="search for it by any of its names"
        )
    return frame.with_columns(pl.format("{}:{}", "dataset_id", "condition_id").alias("key"))


def with_signature(asked: Asked) -> pl.DataFrame:
    """Return the conditions that have a signature, each with a name that tells it from the others."""
    measured = asked.questions.ask("measured").to_series().implode()
    frame = conditions_of(asked).filter(pl.col("dataset_id").is_in(measured))
    named = frame.with_columns(
        pl.concat_str(
            "context_label",
            pl.format("{} µM", _short("dose_um")),
            pl.format("{} h", _short("time_h")),
            "cluster",
            "dataset_id",
            separator=", ",
            ignore_nulls=True,
        ).alias("name")
    )
    return named.with_columns(
        pl.when(pl.col("name").is_duplicated())
        .then(pl.format("{}, {}", "name", "perturbation_label"))
        .otherwise("name")
        .alias("name")
    )


def _short(column: str) -> pl.Expr:
    return pl.col(column).round_sig_figs(3).cast(pl.String).str.strip_suffix(".0")


def chosen(asked: Asked, which: str, frame: pl.DataFrame, default: int) -> dict[str, Any]:
    """Return the condition that the address names, else one by its place.

    Raises
    ------
    QueryError
        None is called so.
    """
    wanted = asked.text(which)
    found = frame.filter(key=wanted) if wanted else frame.slice(min(default, frame.height - 1), 1)
    if found.is_empty():
        raise QueryError(
            "There is no such signature of this perturbation.", got=wanted, do="choose one of the list on the page"
        )
    return found.row(0, named=True)


def signature_of(asked: Asked, which: str = "a", default: int = 0) -> pl.DataFrame:
    """Return the signature that the address names, the surest genes first.

    Raises
    ------
    QueryError
        No dataset has one, or none is called so.
    """
    frame = with_signature(asked)
    if frame.is_empty():
        raise QueryError("No dataset has a signature of this perturbation.", do="look at its readouts instead")
    row = chosen(asked, which, frame, default)
    return asked.questions.ask("signature", dataset_id=row["dataset_id"], condition_id=row["condition_id"])
