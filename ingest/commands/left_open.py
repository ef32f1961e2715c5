"""What a release leaves open, in lines for a human: perturbations without a gene, contexts that are no known line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

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
        lines.append(
            f"  no gene for {len(without):,} of {n_targets:,} perturbation labels: {_first(map(repr, without))}; "
            "guides need strip, combinations separator, and references controls under [condition]; 'mapping' says more"
        )
    contexts = mapping.filter(pl.col("entity") == "context")
    unknown, n_contexts = _labels(contexts.filter(pl.col("status") == "slug")), contexts["original"].n_unique()
    if unknown:
        lines.append(
            f"  no known cell line for {len(unknown):,} of {n_contexts:,} context labels, each has an id of its own: "
            f"{_first(map(_with_nearest, unknown))}"
        )
    return lines


def _labels(rows: pl.DataFrame) -> list[str]:
    return rows["original"].unique(maintain_order=True).to_list()


def _first(names: Iterable[str]) -> str:
    shown = list(islice(names, MOST_SHOWN + 1))
    return ", ".join([*shown[:MOST_SHOWN], *["..."] * (len(shown) > MOST_SHOWN)])


def _with_nearest(label: str) -> str:
    """Write a label with the cell line whose name is nearly the same."""
    names = [name for row in shipped_table().iter_rows(named=True) for name in (row["name"], *row["aliases"])]
    known = {name.lower(): name for name in reversed(names)}
    near = difflib.get_close_matches(label.lower(), known, n=1, cutoff=NEAR)
    return f"{label!r} (did you mean {known[near[0]]!r}?)" if near else repr(label)
