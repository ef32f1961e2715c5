"""The labels of the likeliest perturbation column: controls, combinations, guide suffixes, and cells of each."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import polars as pl

from ingest.condition_section import ConditionSection
from ingest.harmonise.combinations import split_label
from ingest.harmonise.contrasts import TURNED, VERSUS
from ingest.harmonise.genes import map_targets
from ingest.harmonise.words import LOOKS_LIKE_CONTROL, UNASSIGNED, UNEXPRESSED
from ingest.inspection.columns import ColumnSummary
from ingest.inspection.guides import Known, is_control
from ingest.inspection.known import GUIDE_PREFIXES
from ingest.inspection.roles import HALF

SEPARATORS = ("+", ",", ";", "|", "&", "_")
HOW = r"[-_. ](?:KO|KD|OE|ko|kd|oe|CRISPRi|CRISPRa|shRNA|siRNA|sgRNA|cDNA|ORF)$"
"""What says at the end of a label how its gene was perturbed."""
REPLICATE = r"[-_. ](?:[rR]|[rR]ep|REP|[rR]eplicate)[-_. ]?\d+$"
"""What says at the end of a label which replicate it was; R1 was a name of CDCA7L."""
NULL = r"[-_ ]?\(?-/-\)?$"
"""What geneticists write after a gene that both alleles lack."""
HAIRPIN, SMALL = "^sh[-_]?(?=[A-Z])", "^si[-_]?(?=[A-Z])"
"""What names of hairpins and of small interfering RNAs begin with."""
SUFFIXES = (VERSUS, HOW, NULL, REPLICATE, r"_\d+$", r"_(pM|pD|pB|only).*$", r"g\d+$", r"-\d+$")
"""What guide numbers and plasmids look like at the end of a label."""
AFFIXES = [
    *((suffix,) for suffix in SUFFIXES),
    *((prefix, suffix) for prefix in (*GUIDE_PREFIXES, HAIRPIN, SMALL) for suffix in SUFFIXES),
    *((prefix,) for prefix in (*GUIDE_PREFIXES, HAIRPIN, SMALL)),
    (TURNED,),
]
"""What may be taken off labels together: their end, the beginning and end of guides, the beginning of guides."""
DOSE_FIRST = r"^[0-9.]+ ?[munp]?M "
"""What a dose before the name of a compound looks like."""
NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
MOST = 0.8
"""What part of the labels in question must fit."""
FEW_CELLS = 10
MOST_COUNTED = 6
"""How many labels are named with their numbers of rows."""


@dataclass(frozen=True, slots=True)
class PerturbationLabels:
    """What a column of perturbations holds.

    Parameters
    ----------
    controls, unassigned
        Known labels with their numbers of rows.
    suspects
        Labels that look like controls and are not known as such, those that are no genes first.
    gene_suspects
        Genes that libraries of guides take for controls: olfactory receptors, AAVS1.
    separator, strip
        How labels are taken apart, None where they are not; with why.
    otherwise_joined
        Labels that join genes by another sign than the separator, each then one name.
    numbers
        Labels that are bare numbers, where most others name genes.
    gene_share
        Part of the labels that name genes, taken apart.
    control_labels
        Labels of controls as rows have them, whole.
    targets
        The gene of each label that names one gene and nothing else.
    cells
        Rows of each label: smallest, median and largest number, and how many labels have fewer than FEW_CELLS.
    """

    column: str
    n_labels: int
    controls: dict[str, int]
    unassigned: dict[str, int]
    n_missing: int
    suspects: dict[str, int]
    gene_suspects: dict[str, int]
    separator: tuple[str, str] | None
    strip: tuple[str, str] | None
    otherwise_joined: dict[str, int]
    numbers: dict[str, int]
    gene_share: float
    control_labels: tuple[str, ...]
    targets: dict[str, str]
    cells: dict[str, float]


def judge_labels(column: ColumnSummary) -> PerturbationLabels:
    """Judge a column of perturbation labels."""
    others, guides, known_genes = column.others, column.guides, column.known_genes
    names = others["label"].to_list()
    if guides is None:
        strip = _strip(names, known_genes)
        separator = _separator(
            [re.sub(strip[0], "", name) for name in names] if strip else names,
            {*names, *column.controls},
            known_genes,
        )
    else:
        strip = guides.strip, guides.why
        separator = (guides.separator, guides.why) if guides.separator else None
    parts = {name: _taken_apart(name, strip, separator) for name in (*names, *column.controls)}
    controls, control_labels = _controls(column, parts)
    genes = known_genes({part for each in parts.values() for part in each} - set(controls))
    is_gene = [all(part in genes or part in controls for part in parts[name]) for name in names if name not in controls]
    suspects = {label: n for label, n in others.iter_rows() if LOOKS_LIKE_CONTROL.search(label)}
    unexpressed = {label: n for label, n in others.iter_rows() if UNEXPRESSED.fullmatch(label) or label in suspects}
    are_settled = {
        name: set(each) <= set(controls) or (len(each) > 1 and genes & set(each)) for name, each in parts.items()
    }
    suspects = {label: n for label, n in suspects.items() if not are_settled[label]}
    gene_share = sum(is_gene) / max(len(is_gene), 1)
    rows_of = dict(others.iter_rows())
    of_genes = {label: n for label, n in unexpressed.items() if label in genes}
    return PerturbationLabels(
        column=column.name,
        n_labels=column.n_labels,
        controls=controls,
        unassigned=column.unassigned,
        n_missing=column.n_missing,
        suspects={label: n for label, n in suspects.items() if label not in of_genes},
        gene_suspects=of_genes,
        separator=separator,
        strip=strip,
        otherwise_joined={name: rows_of[name] for name in _otherwise_joined(names, separator, known_genes)},
        numbers={name: n for name, n in rows_of.items() if gene_share >= HALF and NUMBER.fullmatch(name)},
        gene_share=gene_share,
        control_labels=control_labels,
        targets=_single_targets(parts, genes, of_mouse=column.of_mouse),
        cells=_cells(column.labels.filter(~pl.col("label").is_in(list(UNASSIGNED)))["n"]),
    )


def _taken_apart(name: str, strip: tuple[str, str] | None, separator: tuple[str, str] | None) -> list[str]:
    """Take a label apart as an ingest does."""
    rules = ConditionSection.model_construct(
        strip=strip[0] if strip else None, separator=separator[0] if separator else None
    )
    return split_label(name, rules)


def _controls(column: ColumnSummary, parts: dict[str, list[str]]) -> tuple[dict[str, int], tuple[str, ...]]:
    """Return the controls, numbered guides by the name that is left of all of them, and the labels that are such."""
    found: dict[str, int] = {}
    labels = []
    for label, n in column.labels.filter(pl.col("label").is_in(list(parts))).iter_rows():
        if label in column.controls or (parts[label] != [label] and all(map(is_control, parts[label]))):
            name = parts[label][0] if len(set(parts[label])) == 1 and is_control(parts[label][0]) else label
            found[name] = found.get(name, 0) + n
            labels.append(label)
    return found, tuple(labels)


def _single_targets(parts: dict[str, list[str]], genes: set[str], *, of_mouse: bool) -> dict[str, str]:
    single = {label: each[0] for label, each in parts.items() if len(set(each)) == 1 and each[0] in genes}
    mapped = map_targets(sorted(set(single.values())), translate_mouse=of_mouse).table
    gene_of = dict(mapped.select("original", "gene_id").iter_rows())
    return {label: gene_of[name] for label, name in single.items()}


def counted(labels: dict[str, int]) -> str:
    """Name labels with their numbers of rows, the first of them where they are many."""
    told = [f"{label!r} ({n:,} rows)" for label, n in labels.items()]
    more = f" and {len(told) - MOST_COUNTED:,} more" if len(told) > MOST_COUNTED else ""
    return ", ".join(told[:MOST_COUNTED]) + more


def _strip(names: list[str], known_genes: Known) -> tuple[str, str] | None:
    """Find what nearly all labels begin or end with, and without which they are genes; or a dose before a compound."""
    dosed = [name for name in names if re.match(DOSE_FIRST, name)]
    if dosed and len(dosed) >= MOST * len(names):
        return DOSE_FIRST, f"{len(dosed):,} of {len(names):,} labels begin with a dose, such as {dosed[0]!r}"
    for affixes in AFFIXES:
        matching = [name for name in names if all(re.search(affix, name) for affix in affixes)]
        if len(matching) < MOST * len(names) or not matching:
            continue
        pattern = "|".join(affixes)
        cores = {re.sub(pattern, "", name) for name in matching}
        parts = {part for core in cores for part in core.split("_")}
        if not {VERSUS, TURNED} & set(affixes):
            parts = {part for part in parts if not LOOKS_LIKE_CONTROL.search(part)}
        if parts and len(known_genes(parts)) >= MOST * len(parts):
            written = f"{len(matching):,} of {len(names):,} labels are written like {matching[0]!r}"
            return pattern, f"{written}; without, they are genes"
    return None


def _separator(names: list[str], labels: set[str], known_genes: Known) -> tuple[str, str] | None:
    """Find a sign that separates names which are genes, labels of their own, or controls."""
    for sign in SEPARATORS:
        joined = [name for name in names if len(_split(name, sign)) > 1]
        if not joined:
            continue
        parts = {part for name in joined for part in _split(name, sign)}
        known = known_genes(parts) | (parts & labels) | set(filter(is_control, parts))
        fitting = [name for name in joined if all(part in known for part in _split(name, sign))]
        if len(fitting) >= MOST * len(joined):
            why = (
                f"{len(fitting):,} of the {len(joined):,} labels that hold it join known names, such as {fitting[0]!r}"
            )
            return sign, why
    return None


def _otherwise_joined(names: list[str], separator: tuple[str, str] | None, known_genes: Known) -> list[str]:
    """Find labels that another sign than the separator takes apart into genes."""
    if separator is None:
        return []
    signs = [sign for sign in SEPARATORS if sign not in {separator[0], "_"}]
    parts = {name: _split(name, sign) for sign in signs for name in names if sign in name}
    genes = known_genes({part for each in parts.values() for part in each})
    return [name for name, each in parts.items() if len(each) > 1 and genes.issuperset(each)]


def _split(name: str, sign: str) -> list[str]:
    return [part.strip() for part in name.split(sign) if part.strip()]


def _cells(counts: pl.Series) -> dict[str, float]:
    if not counts.len():
        return {}
    numbers = counts.to_numpy()
    return {
        "fewest": float(numbers.min()),
        "median": float(np.median(numbers)),
        "most": float(numbers.max()),
        f"labels below {FEW_CELLS}": float((numbers < FEW_CELLS).sum()),
    }
