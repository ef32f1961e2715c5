"""What a release leaves open, in sentences: labels without a gene, or that may be controls; unknown cell lines."""

from __future__ import annotations

import difflib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from featurestore.contract import RELEASE
from featurestore.errors import first_of
from featurestore.storage.snapshot import release_path
from ingest.conditions.described import DESCRIBED
from ingest.conditions.pooled import POOLED
from ingest.conditions.unmatched import UNMATCHED
from ingest.harmonise.cell_lines import shipped_table
from ingest.harmonise.perturbation_kinds import CONTROL
from ingest.harmonise.perturbations import NOT_THERE
from ingest.harmonise.words import APART, LOOKS_LIKE_CONTROL, kinds_of_controls
from ingest.inspection.gene_ids import CONFLICT, MOST_CONFLICTS
from ingest.reported.significance import multiple_of_p

if TYPE_CHECKING:
    from ingest.pipeline import Outcome

MOST_SHOWN = 3
NEAR = 0.85
"""How alike a context and the name of a cell line are, from 0 to 1, if one may be the other misspelt."""


def left_open(root: Path, outcome: Outcome) -> list[str]:
    """Return a sentence for each thing that a new release leaves open."""
    mapping = read_table(root, outcome, "mapping")
    labels = mapping.filter(pl.col("entity") == "perturbation")
    targets = labels.filter(~pl.col("status").is_in([CONTROL, "unassigned", NOT_THERE]))
    without, n_targets = _labels(targets.filter(pl.col("target_id").is_null())), targets["original"].n_unique()
    lines = _controls(without, _labels(labels.filter(pl.col("status") == NOT_THERE)))
    if kinds := kinds_of_controls(_labels(labels.filter(pl.col("status") == CONTROL))):
        lines.append(f"  controls of several kinds are one reference: {kinds}; {APART}")
    if without:
        named = first_of(list(map(repr, without)), MOST_SHOWN)
        lines.append(
            f"  no gene for {len(without):,} of {n_targets:,} perturbation labels: {named}; "
            "guides need strip, combinations separator, and references controls under [condition]; 'mapping' says more"
        )
    lines += _pooled(mapping) + _unmatched(mapping)
    described = _labels(mapping.filter(pl.col("entity") == "gene", pl.col("method") == DESCRIBED))
    if described:
        lines.append(
            f"  not named like genes, so taken to describe the rows: {first_of(described, MOST_SHOWN)}; "
            "described_by under [dataset] says which columns of numbers do"
        )
    lines += _conflicts(mapping) + _corrected(root, outcome)
    contexts = mapping.filter(pl.col("entity") == "context", pl.col("status") != UNMATCHED)
    unknown, n_contexts = _labels(contexts.filter(pl.col("status") == "slug")), contexts["original"].n_unique()
    if unknown:
        named = first_of(list(map(_with_nearest, unknown[: MOST_SHOWN + 1])), MOST_SHOWN)
        lines.append(
            f"  no known cell line for {len(unknown):,} of {n_contexts:,} context labels, each has an id of its own: "
            f"{named}"
        )
    lines += _logarithms(outcome.manifest.get("logarithms", []))
    return lines + _quantities(mapping, read_table(root, outcome, "condition").filter(~pl.col("is_control")))


def _conflicts(mapping: pl.DataFrame) -> list[str]:
    """Say of how many genes identifier and symbol are different genes, where that is more than names drift."""
    genes = mapping.filter(pl.col("entity") == "gene")
    of_others = _labels(genes.filter(pl.col("status") == CONFLICT))
    if len(of_others) <= MOST_CONFLICTS * genes.height:
        return []
    named = f"{len(of_others):,} of {genes.height:,} genes: {first_of(of_others, MOST_SHOWN)}"
    return [f"  the symbol is another gene's than the identifier, which decided, for {named}; 'mapping' says more"]


def _corrected(root: Path, outcome: Outcome) -> list[str]:
    """Say that the q-values of a source's table are Bonferroni-corrected p-values, not false discovery rates."""
    named = outcome.manifest["spec"]["table"] or {}
    if not named.get("p_value") or not named.get("q_value"):
        return []
    multiple = multiple_of_p(release_path(root, outcome.dataset_id, outcome.release_id))
    if multiple is None:
        return []
    told = f"  '{named['q_value']}' is {multiple:,} times '{named['p_value']}' in every row"
    return [f"{told}: Bonferroni's, and no q-value, so fewer genes are significant; leave q_value under [table] out"]


def read_table(root: Path, outcome: Outcome, table: str) -> pl.DataFrame:
    """Read a table of a new release; without rows where it has none, as phenotypes have no quality."""
    folder = release_path(root, outcome.dataset_id, outcome.release_id)
    paths = [folder / file["path"] for file in outcome.manifest["files"] if file["table"] == table]
    return pl.read_parquet(paths, glob=False) if paths else pl.DataFrame(schema=RELEASE[table].schema)


def _logarithms(files: list[dict[str, Any]]) -> list[str]:
    """Say where it is assumed what logarithms are of; of several files, the first."""
    assumed = [file for file in files if file["is_assumed"]]
    more = f", and {len(assumed) - 1:,} files more" if len(assumed) > 1 else ""
    return [
        f"  logarithms of {file['file']}{more}: {file['told']}; another goes into logarithm under [dataset]"
        for file in assumed[:1]
    ]


def _quantities(mapping: pl.DataFrame, conditions: pl.DataFrame) -> list[str]:
    """Say of how many conditions a dose or time that others have, or that the source writes, is not known, and why."""
    lines = []
    for entity, column in (("dose", "dose_um"), ("time", "time_h")):
        unread = mapping.filter((pl.col("entity") == entity) & (pl.col("status") == "unmapped"))
        without = conditions[column].null_count()
        if not without or (without == conditions.height and unread.is_empty()):
            continue
        notes = unread["note"].drop_nulls().unique(maintain_order=True).to_list() or ["missing"]
        named = first_of(notes, MOST_SHOWN)
        lines.append(f"  no {entity} for {without:,} of {conditions.height:,} conditions: {named}")
    return lines


def _controls(without: list[str], absent: list[str]) -> list[str]:
    """Name labels that may be controls, and controls that no row has."""
    lines = []
    if suspects := [label for label in without if LOOKS_LIKE_CONTROL.search(label)]:
        named = first_of(list(map(repr, suspects)), MOST_SHOWN)
        lines.append(
            f"  {len(suspects):,} labels look like controls and are conditions: {named}; add them to controls, or to "
            "unassigned, under [condition]"
        )
    if absent:
        lines.append(f"  no row has the control label {' or '.join(map(repr, absent))} that the spec names")
    return lines


def _pooled(mapping: pl.DataFrame) -> list[str]:
    """Name the columns of doses and times that conditions pool over."""
    pooled = mapping.filter(pl.col("entity").is_in(["dose", "time"]), pl.col("status") == POOLED)
    return [f"  conditions pool over column {column!r}: {note}" for column, note in pooled["original", "note"].rows()]


def _unmatched(mapping: pl.DataFrame) -> list[str]:
    """Name the columns of batches and of treatments that the spec does not."""
    batches = mapping.filter(pl.col("entity") == "batch", pl.col("status") == UNMATCHED)
    told = [f"  column {column!r} looks like batches: {note}" for column, note in batches["original", "note"].rows()]
    treatments = mapping.filter(pl.col("entity") == "context", pl.col("status") == UNMATCHED)
    return told + [
        f"  column {column!r} looks like a further treatment: {note}"
        for column, note in treatments["original", "note"].rows()
    ]


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
