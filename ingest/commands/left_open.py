"""What a release leaves open, in lines for a human: perturbations without a gene, contexts that are no known line."""

from __future__ import annotations

import difflib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from featurestore.errors import first_of
from featurestore.snapshot import release_path
from ingest.harmonise.cell_lines import shipped_table

if TYPE_CHECKING:
    from ingest.pipeline import Outcome

MOST_SHOWN = 3
NEAR = 0.85
"""How alike a context and the name of a cell line are, from 0 to 1, if one may be the other misspelt."""


def left_open(root: Path, outcome: Outcome) -> list[str]:
    """Return a line for perturbations and one for contexts, where a new release has such."""
    folder = release_path(root, outcome.dataset_id, outcome.release_id)
    mapping = pl.read_parquet(
        [folder / file["path"] for file in outcome.manifest["files"] if file["table"] == "mapping"]
    )
    targets = mapping.filter(pl.col("entity") == "perturbation", ~pl.col("status").is_in(["control", "unassigned"]))
    without, n_targets = _labels(targets.filter(pl.col("target_id").is_null())), targets["original"].n_unique()
    lines = []
    if without:
        named = first_of(list(map(repr, without)), MOST_SHOWN)
        lines.append(
            f"  no gene for {len(without):,} of {n_targets:,} perturbation labels: {named}; "
            "guides need strip, combinations separator, and references controls under [condition]; 'mapping' says more"
        )
    contexts = mapping.filter(pl.col("entity") == "context")
    unknown, n_contexts = _labels(contexts.filter(pl.col("status") == "slug")), contexts["original"].n_unique()
    if unknown:
        named = first_of(list(map(_with_nearest, unknown[: MOST_SHOWN + 1])), MOST_SHOWN)
        lines.append(
            f"  no known cell line for {len(unknown):,} of {n_contexts:,} context labels, each has an id of its own: "
            f"{named}"
        )
    return lines


def _labels(rows: pl.DataFrame) -> list[str]:
    return rows["original"].unique(maintain_order=True).to_list()


@cache
def _line_names() -> dict[str, str]:
    """Return the names of known cell lines by how they are in lower case."""
    names = [name for row in shipped_table().iter_rows(named=True) for name in (row["name"], *row["aliases"])]
    return {name.lower(): name for name in reversed(names)}


def _with_nearest(label: str) -> str:
    """Write a label with the cell line whose name is nearly the same."""
    known = _line_names()
    near = difflib.get_close_matches(label.lower(), known, n=1, cutoff=NEAR)
    return f"{label!r} (did you mean {known[near[0]]!r}?)" if near else repr(label)
