"""Times that are no number of hours, such as ``Rest``: a condition's id has their text, and its controls share it.

Who compares conditions with controls, when a release is written, verified or read, asks here for that text.
"""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

SEPARATOR = "/"
"""What joins the parts of a condition's id."""


def with_time_text(condition: pl.DataFrame, mapping: pl.DataFrame) -> pl.DataFrame:
    """Add ``time_text``, the published time of each condition that has one and no ``time_h``.

    Parameters
    ----------
    condition
        ``condition_id``, ``perturbation_kind``, ``perturbation_id``, ``time_h`` and ``cluster``, as in a release.
    mapping
        The release's ledger, or its rows that are about times.
    """
    unread = mapping.filter(pl.col("entity") == "time", pl.col("target_id").is_null())["original"].drop_nulls()
    if unread.is_empty():
        return condition.with_columns(time_text=pl.lit(None, pl.String))
    twin = pl.concat_str(pl.lit(""), "perturbation_kind", "perturbation_id", separator=SEPARATOR)
    cluster = pl.concat_str(pl.lit(SEPARATOR), "cluster").fill_null("")
    untimed = pl.when(pl.col("time_h").is_null()).then("condition_id")
    ids = condition.select(untimed.str.strip_suffix(twin).str.strip_suffix(cluster)).to_series()
    texts = set(unread)
    found = {name: _at_end(name, texts) for name in ids.drop_nulls().unique()}
    return condition.with_columns(time_text=ids.replace_strict(found, default=None, return_dtype=pl.String))


def _at_end(name: str, texts: Collection[str]) -> str | None:
    """Return the longest of some texts that is the last parts of an id."""
    parts = name.split(SEPARATOR)
    ends = (SEPARATOR.join(parts[at:]) for at in range(1, len(parts)))
    return next((end for end in ends if end in texts), None)
