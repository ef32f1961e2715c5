"""Columns of doses or times that a spec does not name, where conditions hold several of their values."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import polars as pl

from ingest.conditions.label import Labels
from ingest.harmonise.perturbations import LEDGER
from ingest.reader import Reader
from ingest.spec import DatasetSpec

POOLED = "pooled"
"""Status of such a column in the ledger."""
NAMES = {
    "dose": re.compile(r"(?:^|[^a-z])(?:i?dose|conc|concentration)(?![a-z])", re.IGNORECASE),
    "time": re.compile(r"(?:^|[^a-z])i?time(?:[-_. ]?point)?(?![a-z])", re.IGNORECASE),
}
MOST_SHOWN = 3


def pooled_columns(readers: Sequence[Reader], labels: Labels, spec: DatasetSpec) -> pl.DataFrame:
    """Return a ledger row for each column of a file that is called dose or time and differs within a condition.

    Parameters
    ----------
    readers
        The open files.
    labels
        The condition of every row of them.
    spec
        The dataset's spec; of a dose or time that it names itself, nothing is said.
    """
    missing = [name for name in NAMES if getattr(spec.condition, name) is None]
    firsts = np.cumsum([0, *(reader.n_rows for reader in readers)])
    rows = []
    for reader, first in zip(readers, firsts, strict=False):
        condition = pl.Series("condition", labels.condition_of_row[first : first + reader.n_rows])
        for entity in missing:
            for name in filter(NAMES[entity].search, reader.row_columns()):
                rows += _row(entity, name, reader.rows([name])[name], condition, labels)
    return pl.DataFrame(rows, schema=LEDGER).unique(["entity", "original"], maintain_order=True)


def _row(entity: str, name: str, values: pl.Series, condition: pl.Series, labels: Labels) -> list[dict[str, object]]:
    table = pl.DataFrame([condition, values.cast(pl.String).alias("value")]).filter(pl.col("condition") >= 0)
    several = table.drop_nulls().unique(maintain_order=True).group_by("condition", maintain_order=True).agg("value")
    several = several.filter(pl.col("value").list.len() > 1)
    if several.is_empty():
        return []
    index, found = several.row(0)
    named = labels.condition.filter(condition_index=index)["condition_id"][0]
    shown = ", ".join(map(repr, found[:MOST_SHOWN]))
    note = f"{several.height:,} conditions hold several values, such as {named}: {shown}; {entity} under [condition] "
    note += "would keep them apart"
    return [
        {
            "entity": entity, "original": name, "status": POOLED, "method": "spec", "candidates": [], "note": note
        }
    ]  # fmt: skip
