"""What an ingest says of a release's conditions: how many have the cells for it, are tested, and if the tests hold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from featurestore.calibration import SUMS, null_line
from featurestore.data_points import counted
from ingest.commands.left_open import read_table

if TYPE_CHECKING:
    from ingest.pipeline import Outcome

NO_CONTROL = "no control "
"""How reasons begin that name the control a condition lacks."""


def data_points(root: Path, outcome: Outcome) -> str:
    """Count the conditions of a new release, those of enough cells, and its controls."""
    facts = read_table(root, outcome, "dataset").row(0, named=True)
    n_controls = facts["n_controls"]
    return f"{counted(facts)}, and {n_controls:,} control{'' if n_controls == 1 else 's'}"


def tested(root: Path, outcome: Outcome) -> list[str]:
    """Return a line for conditions without a test, if any, and one for what the release's null says of the tests."""
    quality = read_table(root, outcome, "quality")
    if not any(file["table"] == SUMS and file["rows"] for file in outcome.manifest["files"]):
        return []
    lines = _untested(quality)
    if quality["test"].is_in(["counts", "moderated_log1p"]).any():
        lines.append(f"  {null_line(read_table(root, outcome, 'calibration'))}")
    return lines


def _untested(quality: pl.DataFrame) -> list[str]:
    """Count conditions whose context, time or batches have no control."""
    without = quality.filter(pl.col("test").is_null(), pl.col("reason").str.starts_with(NO_CONTROL))
    if without.is_empty():
        return []
    reasons = without["reason"].str.strip_suffix(": not tested").value_counts().sort("count", "reason", descending=True)
    named = ", ".join(f"{n:,} with {reason}" for reason, n in reasons.rows())
    return [f"  no test for {without.height:,} of {quality.height:,} conditions: {named}"]
