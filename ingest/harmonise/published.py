"""Published values as they arrive, and the shape of the tables that say what became of them."""

from __future__ import annotations

import polars as pl

from featurestore.contract import COLUMNS, RELEASE

MISSING = frozenset({"", "-666", "-666.0", "na", "n/a", "nan", "none", "null", "<na>", "restricted", "unknown"})
"""Texts, casefolded, by which sources say that they give no value; LINCS writes -666 and 'restricted'."""


def clean(value: object) -> str | None:
    """Trim a published value; None for what sources write where they have none."""
    text = "" if value is None else str(value).strip()
    return None if text.casefold() in MISSING else text


def mapping_schema(entity: str) -> pl.Schema:
    """Return the columns of a mapping to one of the contract's tables: the label, the entity, and how it was found."""
    how = {name: COLUMNS[name].dtype for name in ("status", "method", "candidates", "note")}
    return pl.Schema({"original": pl.String(), **RELEASE[entity].schema, **how})
