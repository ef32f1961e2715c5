"""Columns of doses or times that a spec does not name, where conditions hold several of their values: refused."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import polars as pl

from featurestore.errors import SpecError, did_you_mean, first_of
from ingest.conditions.label import Labels
from ingest.conditions.rows import RowTables
from ingest.harmonise.perturbations import LEDGER
from ingest.reader import Reader

POOLED = "pooled"
"""Status in the ledger of such a column that the spec allows."""
NAMES = {
    "dose": re.compile(r"(?:^|[^a-z])(?:i?dose|dosage|conc|concentration)(?!_?units?|[a-z])", re.IGNORECASE),
    "time": re.compile(
        r"(?:^|[^a-z])(?<!latent[_. -])(?<!pseudo[_. -])(?:i?time(?:[-_. ]?point)?|duration|hours)(?!_?units?|[a-z])",
        re.IGNORECASE,
    ),
}
"""Names of columns of doses and times; an order that was inferred for cells is no time."""


def pooled_columns(readers: Sequence[Reader], labels: Labels, row_tables: RowTables) -> pl.DataFrame:
    """Return a ledger row for each column called dose or time over which conditions pool, as the spec allows.

    Parameters
    ----------
    readers
        The open files.
    labels
        The condition of every row of them.
    row_tables
        What is said of their rows; of a dose or time that the spec names itself, nothing is said.

    Raises
    ------
    SpecError
        Conditions would pool over a column that the spec does not name, or it names one that is not there.
    """
    rules = row_tables.spec.condition
    missing, allowed = [name for name in NAMES if getattr(rules, name) is None], rules.pooled
    firsts = np.cumsum([0, *(reader.n_rows for reader in readers)])
    rows: list[dict[str, object]] = []
    of_tables = row_tables.columns_beside
    known = dict.fromkeys(of_tables)
    for reader, first in zip(readers, firsts, strict=False):
        own = reader.row_columns()
        known |= dict.fromkeys(own)
        condition = pl.Series("condition", labels.rows.condition[first : first + reader.n_rows])
        entities = {name: _entity(name, missing) for name in (*own, *of_tables)}
        named = {name: entity for name, entity in entities.items() if entity is not None}
        beside = [name for name in named if name not in own]
        joined = row_tables.read(reader, also=beside) if beside else pl.DataFrame()
        for name, entity in named.items():
            values = reader.rows([name])[name] if name in own else joined[name]
            several = _several(values, condition)
            if several.is_empty():
                continue
            note = _note(several, entity, labels)
            if name not in allowed:
                raise _refusal(name, entity, note, str(reader.path))
            rows.append(
                {
                    "entity": entity, "original": name, "status": POOLED, "method": "spec", "candidates": [],
                    "note": note,
                }
            )  # fmt: skip
    for name in allowed:
        if name not in known:
            raise SpecError(
                f"There is no column '{name}'.", where="pooled under [condition]", do=did_you_mean(name, known)
            )
    return pl.DataFrame(rows, schema=LEDGER).unique(["entity", "original"], maintain_order=True)


def _entity(name: str, entities: Sequence[str]) -> str | None:
    return next((entity for entity in entities if NAMES[entity].search(name)), None)


def _several(values: pl.Series, condition: pl.Series) -> pl.DataFrame:
    """Return the conditions that hold several values, of which one may be that there is none."""
    table = pl.DataFrame([condition, values.cast(pl.String).alias("value")]).filter(pl.col("condition") >= 0)
    several = table.unique(maintain_order=True).group_by("condition", maintain_order=True).agg("value")
    return several.filter(pl.col("value").list.len() > 1)


def _note(several: pl.DataFrame, entity: str, labels: Labels) -> str:
    index, found = several.row(0)
    named = labels.condition.filter(condition_index=index)["condition_id"][0]
    shown = first_of(["no value" if value is None else repr(value) for value in found])
    many = f"{several.height:,} conditions hold" if several.height > 1 else "1 condition holds"
    return f"{many} several values, such as {named}: {shown}; {entity} under [condition] would keep them apart"


def _refusal(name: str, entity: str, note: str, where: str) -> SpecError:
    told, _, _ = note.partition("; ")
    return SpecError(
        f"Conditions would pool over column '{name}'.",
        where=where,
        expected=f"one {entity} for each condition",
        got=told,
        do=f'give {entity} = {{ column = "{name}" }} under [condition], which keeps them apart; '
        f'or pooled = ["{name}"], where they are one condition',
    )
