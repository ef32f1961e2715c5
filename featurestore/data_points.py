"""How many data points there are, in words: conditions, and how many of them have enough cells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from featurestore.counts import count_of

BULK = "bulk_rna_seq"
"""The assay whose rows are samples."""


def counted(facts: Mapping[str, Any]) -> str:
    """Count the conditions of a row of the view ``dataset``, and those of enough cells where their number is known."""
    n, n_enough, least = (facts[name] for name in ("n_conditions", "n_data_points", "min_cells"))
    conditions = count_of(n, "condition")
    if least is None or n_enough is None:
        return conditions
    unit = "samples" if facts["assay"] == BULK else "cells"
    return f"{conditions}, {n_enough:,} of {least:,} {unit} or more"
