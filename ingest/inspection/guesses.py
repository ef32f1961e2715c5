"""Guesses that need more than one column: how genes were perturbed, in which cells, in which batches."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import polars as pl

from ingest.catalogue.catalogue import Entry
from ingest.harmonise.contexts import map_contexts
from ingest.inspection.columns import ColumnSummary
from ingest.inspection.knockdown import OwnExpression
from ingest.inspection.known import COMPOUND_ID, COMPOUND_KEYS, KIND_WORDS, plain
from ingest.inspection.labels import HAIRPIN, PerturbationLabels
from ingest.inspection.roles import OF_COMPOUNDS, SURE, Guess, marks_controls
from ingest.readers.long_text import literal
from ingest.sections import column_in_sql

SILENCED, RAISED = 0.35, 1.5
"""Own expression of targets, as a ratio, that tells CRISPRi and CRISPRa from a knock-out."""
MOSTLY, NEARLY_ALL = 0.5, 0.9
"""What part of the labels are genes where genes were perturbed; of a column that is called after compounds."""
PROMOTERS = re.compile(r"[-_]P1P2(?:$|[-_|])|[-_]P[12](?:$|[-_|])")
MOST_COVERED = 0.9
"""What part of the rows must be in batches with controls."""
FEW_CONTROLS, MANY = 2, 10
"""So few controls are too few for more than so many times as many rows of their batch."""
LABELS_SAY = {
    "crispr_knockout": r"[-_. ](?:KO|ko)$|-/-\)?$",
    "crispri": r"[-_. ]CRISPRi$",
    "crispra": r"[-_. ]CRISPRa$",
    "overexpression": r"[-_. ](?:OE|oe|cDNA|ORF)$",
    "shrna": f"{HAIRPIN}|[-_. ]shRNA$",
}
"""What labels of targets hold, by how these were perturbed."""
LIGANDS = frozenset({"cytokine", "ligand"})
SHORTEST_NAME = 3
UNTOLD = 0.45
"""How sure a knock-out is where a column of kinds says CRISPR."""


def guess_kinds(
    roles: Mapping[str, Sequence[Guess]],
    columns: Mapping[str, ColumnSummary],
    labels: PerturbationLabels,
    own: OwnExpression | None,
    path: Path,
    entry: Entry | None,
) -> list[Guess]:
    """Guess what was done to the cells, the likeliest first: a column of kinds, or one kind for all rows."""
    given = list(roles["kind"])
    kinds = [label for guess in given[:1] for label in columns[guess.column or ""].labels["label"]]
    guesses = [_told_apart(guess, kinds) for guess in given if guess.score >= SURE]
    if kinds in ([], ["CRISPR"]):
        least = NEARLY_ALL if plain(labels.column) in OF_COMPOUNDS else MOSTLY
        if labels.gene_share >= least and plain(labels.column) not in LIGANDS:
            guesses.append(_genetic(roles, columns, own, path, labels.targets))
        elif not kinds:
            guesses.append(_chemical(roles, labels, columns[labels.column]))
    guesses += _catalogued("kind", entry, entry.kind if entry else None)
    return sorted(guesses, key=lambda guess: -guess.score)


def guess_contexts(
    roles: Mapping[str, Sequence[Guess]], columns: Mapping[str, ColumnSummary], path: Path, entry: Entry | None
) -> list[Guess]:
    """Guess in which cells it was done, the likeliest first: a column, or one context for all rows."""
    guesses = [_one_line(guess, columns[guess.column or ""]) for guess in roles["context"]]
    guesses += [Guess("context", None, 0.6, (f"the file's name says '{n}'",), n) for n in _names_of_lines(path)]
    guesses += _catalogued("context", entry, entry.context if entry else None)
    return sorted(guesses, key=lambda guess: -guess.score)


def _catalogued(role: str, entry: Entry | None, value: str | None) -> list[Guess]:
    if entry is None or value is None:
        return []
    return [Guess(role, None, 0.85, (f"the catalogue says so of {entry.id}",), value)]


def weigh_by_controls(
    guesses: Sequence[Guess], perturbation: pl.Series, controls: Sequence[str], table: pl.DataFrame
) -> list[Guess]:
    """Weigh columns that part the rows by whether each part holds controls, without which it cannot be compared.

    Parameters
    ----------
    guesses
        Candidate columns.
    perturbation
        The label of each row.
    controls
        Labels of controls.
    table
        The candidates' columns, a row each.
    """
    labels = perturbation.cast(pl.String).str.strip_chars()
    weighed = []
    for guess in guesses:
        parts = pl.DataFrame({"part": table[str(guess.column)].cast(pl.String), "label": labels})
        parts = parts.group_by("part").agg(
            n=pl.len(), n_controls=pl.col("label").is_in(list(controls)).sum(), n_labels=pl.col("label").n_unique()
        )
        with_control = parts.filter(pl.col("n_controls") > 0)
        n_covered, n_rows = int(with_control["n"].sum()), int(parts["n"].sum())
        is_covered = n_covered >= MOST_COVERED * n_rows and parts.height > 1
        reasons = [guess.reasons[0], f"{with_control.height:,} of its {parts.height:,} labels hold controls"]
        are_apart = guess.role == "batch" and not is_covered and _are_screens(parts)
        if are_apart:
            reasons.append(f"the other {parts.height - with_control.height:,} have nothing to be compared with")
        n_few = with_control.filter(
            pl.col("n_controls") <= FEW_CONTROLS, pl.col("n") > MANY * pl.col("n_controls")
        ).height
        if n_few:
            reasons.append(f"{n_few:,} of them have {FEW_CONTROLS} rows of controls or fewer, which all others go by")
        score = SURE if are_apart else round(guess.score + (0.3 if is_covered else -0.3), 3)
        weighed.append(Guess(guess.role, guess.column, score, tuple(reasons), is_doubtful=are_apart or n_few > 0))
    return sorted(weighed, key=lambda guess: -guess.score)


def _are_screens(parts: pl.DataFrame) -> bool:
    """Say whether parts without controls hold several perturbations each, and others do have controls."""
    without = parts.filter(pl.col("n_controls") == 0)
    return 0 < without.height < parts.height and bool((without["n_labels"] > 1).all())


def where_control(guess: Guess, column: ColumnSummary) -> Guess:
    """Give a column that marks controls as the condition that takes them."""
    named = column_in_sql(column.name)
    label = next(label for label in column.labels["label"] if marks_controls(column, label))
    condition = named if column.dtype == pl.Boolean else f"{named} = {label if column.is_number else literal(label)}"
    return Guess(guess.role, guess.column, guess.score, guess.reasons, condition)


def find_units(roles: Mapping[str, Sequence[Guess]], columns: Mapping[str, ColumnSummary]) -> dict[str, str]:
    """Find the unit of doses and times where another column gives it."""
    units = {}
    for role in ("dose", "time"):
        for guess in roles[f"{role} unit"][:1]:
            unit = columns[str(guess.column)].unit
            if unit is not None:
                units[role] = unit
    return units


def _told_apart(guess: Guess, kinds: Sequence[str]) -> Guess:
    if "CRISPR" not in kinds:
        return guess
    told = "'CRISPR' does not say which: a knock-out, unless kind says otherwise"
    return Guess(guess.role, guess.column, UNTOLD, (*guess.reasons, told))


def _genetic(
    roles: Mapping[str, Sequence[Guess]],
    columns: Mapping[str, ColumnSummary],
    own: OwnExpression | None,
    path: Path,
    labels: Collection[str],
) -> Guess:
    reasons = []
    if own is not None:
        reasons.append(
            f"where a target is perturbed its own expression is {own.ratio:.2f} of what it is elsewhere "
            f"({own.n_targets:,} targets, {own.n_cells:,} rows)"
        )
        if own.ratio < SILENCED or own.ratio > RAISED:
            return Guess("kind", None, 0.8, tuple(reasons), "crispri" if own.ratio < SILENCED else "crispra")
    written = next((kind for kind, pattern in LABELS_SAY.items() if _most(labels, pattern)), None)
    if written is not None:
        return Guess("kind", None, 0.7, (f"labels say so, such as {next(iter(labels))!r}", *reasons), written)
    word = next((word for word in KIND_WORDS if word in path.name.lower()), None)
    if word is not None:
        return Guess("kind", None, 0.7, (f"the file's name says '{word}'", *reasons), KIND_WORDS[word])
    guides = [label for guess in roles["guide"] for label in columns[guess.column or ""].labels["label"].head(20)]
    promoter = next((label for label in guides if PROMOTERS.search(label)), None)
    if promoter is not None:
        why = f"guides are at promoters, such as {promoter!r}, as those of CRISPRi libraries"
        return Guess("kind", None, 0.6, (why, *reasons), "crispri")
    why = "labels are genes; that they were knocked out, the file does not say"
    return Guess("kind", None, 0.4 if own is not None else 0.2, (why, *reasons), "crispr_knockout")


def _most(labels: Collection[str], pattern: str) -> bool:
    return len(labels) > 0 and sum(re.search(pattern, label) is not None for label in labels) > MOSTLY * len(labels)


def _chemical(roles: Mapping[str, Sequence[Guess]], labels: PerturbationLabels, column: ColumnSummary) -> Guess:
    named = column.others["label"].head(20)
    if named.len() and all(COMPOUND_ID.fullmatch(label) for label in named):
        return Guess("kind", None, 0.8, (f"labels are identifiers of compounds, such as {named[0]!r}",), "compound")
    if plain(labels.column) in LIGANDS:
        return Guess("kind", None, 0.7, (f"the column is called '{labels.column}'",), "ligand")
    beside = [guess.column for role in ("dose", *COMPOUND_KEYS) for guess in roles[role]]
    why = f"labels are no genes{f', and {beside[0]!r} is beside them' if beside else ''}"
    return Guess("kind", None, 0.7 if beside else 0.3, (why,), "compound")


def _one_line(guess: Guess, column: ColumnSummary) -> Guess:
    """Give a column's one label, if all rows have it, as their value: the cell line it names where it says more."""
    if column.n_labels != 1 or column.n_missing:
        return guess
    label = str(column.labels["label"][0])
    short = re.sub(r"\s+(cells?|cell lines?)$", "", label, flags=re.IGNORECASE)
    is_line = map_contexts([short])["status"][0] in {"approved", "alias"}
    return Guess("context", guess.column, guess.score, guess.reasons, short if is_line else label)


def _names_of_lines(path: Path) -> list[str]:
    """Find cell lines in the words of a file's name, and as what it begins with, dots and all: ``KOLF2.1J.h5ad``."""
    stem, *endings = path.name.split(".")
    dotted = itertools.accumulate(endings, lambda name, ending: f"{name}.{ending}", initial=stem)
    words = [word for word in (*dotted, *re.split(r"[^A-Za-z0-9]+", stem)) if len(word) >= SHORTEST_NAME]
    found = map_contexts(words).filter(pl.col("status").is_in(["approved", "alias"]))
    return [str(name) for name in found["name"].unique(maintain_order=True)]
