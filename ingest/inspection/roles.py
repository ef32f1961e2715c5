"""What each column of the row table may be: guesses with a score from 0 to 1, and the reasons for it.

Half of a score is the column's name, if publishers use it for this; half is what its labels are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from featurestore.counts import count_of
from ingest.conditions.pooled import NAMES
from ingest.conditions.unmatched import TREATMENTS
from ingest.harmonise.contrasts import TURNED, VERSUS, is_contrast
from ingest.harmonise.perturbation_kinds import kind_of
from ingest.harmonise.words import LOOKS_LIKE_CONTROL, UNASSIGNED
from ingest.inspection.columns import ColumnSummary
from ingest.inspection.known import COMPOUND_ID, COMPOUND_KEYS, CONTROL_WELLS, FLAGS, QUALITY_KEYS, YES, plain, rank
from ingest.spec import GENETIC_KINDS

LEAST = 0.3
"""Guesses with a lower score are not made."""
SURE = 0.5
"""Guesses with a lower score are not drafted."""
NAMED = 0.5
SPEAKS = 0.4
STEP = 0.004
"""By how much a name counts less than the one before it in its list."""
MOST_STIMULI = 20
MOST = 0.9
"""What part of a column's rows must be of a kind for the column to be."""
HALF = 0.5
OF_COMPOUNDS = frozenset({"pert_iname", "cmap_name", "sm_name", "drug", "drug_name", "compound", "product_name"})
"""Names of columns of compounds, which may be of one row each where rows are signatures."""
ONE_LABEL = "the same in all rows"
NO_TREATMENT = frozenset({"culture_condition", "condition", "genotype"})
"""Names of columns of treatments that hold other things too, where all rows have the same."""


@dataclass(frozen=True, slots=True)
class Guess:
    """What may hold a role, how sure that is (0 to 1), and why: a column, or one value for all rows.

    A doubtful one is drafted, if it is sure enough, and marked to be checked.
    """

    role: str
    column: str | None
    score: float
    reasons: tuple[str, ...]
    value: str | None = None
    is_doubtful: bool = False


Evidence = list[tuple[float, str]]


def guess_roles(columns: Sequence[ColumnSummary], *, fewest_perturbations: int = 2) -> dict[str, list[Guess]]:
    """Guess what columns hold, for each role the likeliest first; perturbations are at least so many labels."""
    judges: dict[str, Callable[[ColumnSummary], Evidence]] = {
        "perturbation": partial(_perturbation, fewest=fewest_perturbations),
        "guide": _by_name("guide"),
        "context": _context,
        "batch": _batch,
        "dose": _dose,
        "time": _time,
        "kind": _kind,
        "control": _control,
        "cluster": _by_name("cluster"),
        "replicate": _replicate,
        "second perturbation": _second,
        "filter": _filter,
        **{role: _by_name(role, most_labels=1) for role in ("dose unit", "time unit")},
        **{role: _by_name(role) for role in (*COMPOUND_KEYS, *QUALITY_KEYS, "auc", "mapped_reads")},
    }
    found: dict[str, list[Guess]] = {}
    for role, judge in judges.items():
        guesses = [_weighed(role, column, judge(column)) for column in columns if column.n_labels]
        likely = [guess for guess in guesses if guess.score >= LEAST]
        found[role] = sorted(likely, key=lambda guess: (-guess.score, str(guess.column)))
    if not any(guess.score >= SURE for guess in found["perturbation"]):
        guides = [_weighed("perturbation", column, _guides(column)) for column in columns]
        found["perturbation"] = [guess for guess in guides if guess.score >= SURE] + found["perturbation"]
    return found


def _weighed(role: str, column: ColumnSummary, evidence: Evidence) -> Guess:
    score = min(max(sum(weight for weight, _ in evidence), 0.0), 1.0)
    return Guess(role, column.name, round(score, 3), tuple(reason for _, reason in evidence if reason))


def _name(column: ColumnSummary, role: str) -> Evidence:
    place = rank(column.name, role)
    return [] if place is None else [(NAMED - STEP * place, "named so in the field")]


def _by_name(role: str, *, most_labels: int | None = None) -> Callable[[ColumnSummary], Evidence]:
    def judge(column: ColumnSummary) -> Evidence:
        if most_labels is not None and column.n_labels > most_labels:
            return []
        return _name(column, role)

    return judge


def _perturbation(column: ColumnSummary, *, fewest: int) -> Evidence:
    if rank(column.name, "perturbation") is None and not column.controls:
        return []
    is_dose = column.molar_share > HALF and not column.controls
    is_elsewhere = column.are_kinds or column.line_share > HALF or column.unit or is_dose
    if not column.is_text or column.n_labels < fewest or is_elsewhere or rank(column.name, "guide") is not None:
        return []
    if column.is_key and not column.genes and plain(column.name) not in OF_COMPOUNDS:
        return []
    words = ("pert", "gene", "drug", "target", "treat", "compound")
    evidence = _name(column, "perturbation")
    if not evidence and any(word in plain(column.name) for word in words):
        evidence = [(0.2, "its name speaks of perturbations")]
    if column.controls:
        label, n = next(iter(column.controls.items()))
        evidence.append((0.25, f"holds the control label {label!r} ({n:,} rows)"))
    if column.gene_share >= HALF:
        share = f"{len(column.genes):,} of {column.others.height:,} other labels are genes"
        evidence.append((0.2, share))
    elif evidence and not column.genes and column.others.height:
        evidence.append((0.05, f"{count_of(column.others.height, 'other label')}, none a gene"))
    return evidence


def _guides(column: ColumnSummary) -> Evidence:
    """Take a column of guides for the perturbation, where no other says what was perturbed."""
    if column.guides is not None:
        names = {name for each in column.guides.targets.values() for name in each}
        evidence: Evidence = [(0.5, f"{column.guides.why}, of {len(names):,} targets, and no column of the genes")]
    elif rank(column.name, "guide") is None or not column.are_guides or column.gene_share < HALF:
        return []
    else:
        evidence = [(0.5, f"guides of {len(set(column.genes.values())):,} genes, and no column of the genes")]
    if column.controls:
        label, n = next(iter(column.controls.items()))
        evidence.append((0.25, f"holds the control label {label!r} ({n:,} rows)"))
    return evidence


def guess_keys(column: ColumnSummary) -> list[Guess]:
    """Guess whether the rows' own key says what was done: to which gene, or with which compound."""
    named = sum(bool(COMPOUND_ID.fullmatch(label)) for label in column.others["label"])
    share = max(column.gene_share, named / max(column.others.height, 1))
    what = "genes" if column.gene_share > HALF else "identifiers of compounds"
    contrasts = [label for label in column.others["label"] if is_contrast(label)]
    if contrasts and len(contrasts) >= MOST * column.others.height:
        sides = [{re.sub(side, "", label) for label in contrasts} for side in (VERSUS, TURNED)]
        what, share = "contrasts of genes", max(len(column.known_genes(side)) / len(side) for side in sides)
    if share < MOST:
        return []
    return [Guess("perturbation", column.name, 0.55, (f"{share:.0%} of the rows' own keys are {what}",))]


def _context(column: ColumnSummary) -> Evidence:
    if not column.is_text or (column.is_key and column.line_share < HALF):
        return []
    evidence = _name(column, "context")
    if column.line_share > HALF:
        evidence.append((0.4, f"{column.line_share:.0%} of its rows name a known cell line"))
    if evidence and column.n_labels == 1 and column.n_missing:
        evidence.append((0.1, f"{column.labels['label'][0]!r} where it says one: {column.n_missing:,} rows have none"))
    elif evidence and column.n_labels == 1:
        evidence.append((0.1, f"{ONE_LABEL}: {column.labels['label'][0]!r}"))
    elif evidence:
        evidence.append((0.1, f"{column.n_labels:,} labels"))
    return evidence


def _batch(column: ColumnSummary) -> Evidence:
    evidence = [] if column.is_key else _name(column, "batch")
    return [*evidence, (0.1, f"{column.n_labels:,} values")] if evidence else []


def _replicate(column: ColumnSummary) -> Evidence:
    evidence = [] if column.is_key or column.n_labels == 1 else _name(column, "replicate")
    return [*evidence, (0.1, f"{column.n_labels:,} of them")] if evidence else []


def _dose(column: ColumnSummary) -> Evidence:
    evidence = _name(column, "dose") or _speaks_of(column, "dose")
    if column.molar_share >= MOST:
        first = column.others["label"][0]
        evidence.append((0.5, f"{column.molar_share:.0%} of its rows are molar, such as {first!r}"))
    elif evidence and column.number_share >= MOST:
        evidence.append((0.3, "numbers"))
    elif evidence:
        evidence.append(_as_written(column, "no molar dose"))
    return evidence


def _speaks_of(column: ColumnSummary, role: str) -> Evidence:
    """Take a column whose name has the word for what keeps conditions apart, after those that are named so."""
    return [(SPEAKS, f"its name speaks of a {role}")] if NAMES[role].search(column.name) else []


def _time(column: ColumnSummary) -> Evidence:
    evidence = _name(column, "time") or _speaks_of(column, "time")
    if column.time_share >= MOST:
        evidence.append((0.5, f"{column.time_share:.0%} of its rows are times, such as {column.others['label'][0]!r}"))
    elif evidence and column.number_share >= MOST:
        evidence.append((0.3, "numbers"))
    elif evidence and "time" in plain(column.name):
        evidence.append(_as_written(column, "no time"))
    else:
        return []
    return evidence


def _as_written(column: ColumnSummary, what: str) -> tuple[float, str]:
    """Say that what a column holds cannot be read, and yet tells conditions apart."""
    labels = ", ".join(map(repr, column.labels["label"].head(3)))
    return 0.1, f"some of its {column.n_labels:,} labels are {what}, such as {labels}: they are kept apart as written"


def _kind(column: ColumnSummary) -> Evidence:
    if not column.is_text or not column.are_kinds:
        return []
    labels = column.labels["label"].to_list()
    several = {kind_of(label) for label in labels} & GENETIC_KINDS
    told = f"all its labels are kinds of perturbations: {', '.join(labels[:4])}"
    return [*_name(column, "kind"), (0.4, told), (0.2 * (len(several) > 1), "")]


def _control(column: ColumnSummary) -> Evidence:
    labels = [label for label in column.labels["label"] if marks_controls(column, label)]
    return [*_name(column, "control"), (0.3, f"holds {labels[0]!r}")] if len(labels) == 1 else []


def marks_controls(column: ColumnSummary, label: str) -> bool:
    """Say whether a label marks the rows of controls: by itself, or as the yes of a column that is called so."""
    return label in CONTROL_WELLS or (plain(column.name) in FLAGS and label.casefold() in YES)


def _second(column: ColumnSummary) -> Evidence:
    return _name(column, "second perturbation") if column.is_text and 1 < column.n_labels <= MOST_STIMULI else []


def treated_alike(columns: Iterable[ColumnSummary]) -> dict[str, str]:
    """Find what all rows were treated with, by its column, where one is called so and says no control."""
    found = {}
    for column in columns:
        name, label = plain(column.name), str(column.labels["label"][0]) if column.n_labels == 1 else ""
        is_treatment = name in {*TREATMENTS, *OF_COMPOUNDS} - NO_TREATMENT and column.is_text and not column.n_missing
        is_none = (
            label in UNASSIGNED
            or column.are_kinds
            or column.controls
            or LOOKS_LIKE_CONTROL.search(label)
            or column.line_share
        )
        if is_treatment and label and not is_none:
            found[column.name] = label
    return found


def _filter(column: ColumnSummary) -> Evidence:
    return _name(column, "filter") if column.n_labels == 2 else []  # noqa: PLR2004
