"""What labels, or the names of samples, say besides the treatment: its dose, its time, the number of a replicate."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from ingest.inspection.columns import ColumnSummary
from ingest.inspection.known import CONTROLS
from ingest.inspection.labels import MOST
from ingest.inspection.roles import SURE, Guess
from ingest.reader import INDEX

DOSE, TIME = "dose", "time"
NAMES = ("treatment", "compound", "perturbed_with")
"""What the column of treatments is called: the first name that the file does not have."""
BETWEEN = r"[-_ @.]+"
PARTS = {
    DOSE: rf"(?:{BETWEEN}(?P<dose>[0-9]+(?:[.][0-9]+)? ?[munpµμ]?M))",
    TIME: rf"(?:{BETWEEN}(?P<time>[0-9]+(?:[.][0-9]+)? ?(?:h|hr|hrs|hours?|d|days?|min)))",
}
REPLICATE = r"[-_ .]*(?i:replicate|rep|r|n)?[-_ .]*[0-9]+"
TUPLE = r"""^\[\(['"](?P<{}>.+)['"], [0-9.eE-]+, '[^']*'\)\]$"""
"""Tahoe's labels: a compound, its dose and the unit of that, as Python writes them."""
FEWEST_LABELS = 2
MOST_SAMPLES = 1_000
"""The names of so many samples are taken apart; beyond, rows are cells."""
TAKEN_APART = 0.96
"""How sure it is that a part of labels is the treatment, once they are taken apart."""


@dataclass(frozen=True, slots=True)
class LabelParts:
    """How the labels of a column are taken apart: the pattern, and the guess that one part is the treatment."""

    column: str
    pattern: str
    guess: Guess


def find_parts(roles: Mapping[str, Sequence[Guess]], columns: Mapping[str, ColumnSummary]) -> LabelParts | None:
    """Find the column of which the labels are to be taken apart; None where all say one thing.

    Parameters
    ----------
    roles, columns
        What columns may be, and what is in them.
    """
    best = next((guess for guess in roles["perturbation"] if guess.score >= SURE), None)
    name = _free(columns)
    keys = columns.get(INDEX)
    if best is None and keys is not None and keys.n_rows <= MOST_SAMPLES:
        found = _parts_of_keys(keys, name)
        if found is not None and not {DOSE, TIME} & columns.keys():
            return found
    for guess in [best] if best is not None else [*roles["perturbation"], *roles["dose"]]:
        column = columns.get(guess.column or "")
        if column is None or not column.is_text or column.genes or {DOSE, TIME} & columns.keys():
            continue
        found = _parts_of_labels(column, name)
        if found is not None:
            return found
    return None


def _parts_of_labels(column: ColumnSummary, name: str) -> LabelParts | None:
    """Take apart labels that hold a dose besides the treatment."""
    others = column.others["label"].to_list()
    if not set(others) - CONTROLS:
        return None
    if all(re.search(TUPLE.format(name), label) for label in others):
        told = f"labels are a compound and its dose, such as {others[0]!r}"
        return _taken_apart(column, TUPLE.format(name), name, told)
    parts = _parts_in([label for label in others if re.sub(f"{PARTS[TIME]}$", "", label) not in CONTROLS])
    if DOSE not in parts:
        return None
    return _taken_apart(
        column, _pattern(name, parts), name, f"labels hold {' and '.join(parts)}, such as {others[0]!r}"
    )


def _parts_of_keys(column: ColumnSummary, name: str) -> LabelParts | None:
    """Take apart names of numbered samples, if treatments come again in them and controls are among these."""
    keys = column.labels.select(pl.col("label").repeat_by("n").explode())["label"].to_list()
    parts = _parts_in([re.sub(f"{REPLICATE}$", "", key) for key in keys])
    pattern = _pattern(name, parts, REPLICATE)
    treatments = [match[name] for key in keys if (match := re.search(pattern, key)) is not None]
    several = {each for each in treatments if treatments.count(each) > 1}
    is_named = len(treatments) == len(keys) and FEWEST_LABELS <= len(several) == len(set(treatments))
    if not is_named or not several & CONTROLS:
        return None
    told = f"samples are numbered and named after {len(several):,} treatments, as {keys[0]!r} is"
    return _taken_apart(column, pattern, name, told, is_doubtful=True)


def _taken_apart(column: ColumnSummary, pattern: str, name: str, told: str, *, is_doubtful: bool = False) -> LabelParts:
    guess = Guess("perturbation", name, TAKEN_APART, (told,), is_doubtful=is_doubtful)
    return LabelParts(column.name, pattern, guess)


def _parts_in(labels: Sequence[str]) -> tuple[str, ...]:
    """Name the parts that most labels hold after the treatment, in their order."""
    if not labels:
        return ()
    ends = {DOSE: f"{PARTS[DOSE]}{PARTS[TIME]}?$", TIME: f"{PARTS[TIME]}$"}
    return tuple(
        part for part, end in ends.items() if sum(bool(re.search(end, label)) for label in labels) >= MOST * len(labels)
    )


def _free(taken: Collection[str]) -> str:
    return next(name for name in (*NAMES, f"{NAMES[0]}_of_label") if name not in taken)


def _pattern(name: str, parts: Sequence[str], ending: str = "") -> str:
    return f"^(?P<{name}>.+?){''.join(f'{PARTS[part]}?' for part in parts)}{ending}$"
