"""The labels of the likeliest perturbation column: controls, combinations, guide suffixes, and cells of each."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import polars as pl

from ingest.harmonise.genes import map_targets
from ingest.harmonise.words import LOOKS_LIKE_CONTROL, UNASSIGNED, UNEXPRESSED
from ingest.inspection.columns import Column
from ingest.inspection.known import GUIDE_PREFIXES

SEPARATORS = ("+", ",", ";", "|", "&", "_")
SUFFIXES = (r"_\d+$", r"_(pM|pD|pB|only).*$", r"g\d+$", r"-\d+$")
"""What guide numbers and plasmids look like at the end of a label."""
AFFIXES = [
    *((suffix,) for suffix in SUFFIXES),
    *((prefix, suffix) for prefix in GUIDE_PREFIXES for suffix in SUFFIXES),
    *((prefix,) for prefix in GUIDE_PREFIXES),
]
"""What may be taken off labels together: their end, the beginning and end of guides, the beginning of guides."""
DOSE_FIRST = r"^[0-9.]+ ?[munp]?M "
"""What a dose before the name of a compound looks like."""
MOST = 0.8
"""What part of the labels in question must fit."""
FEW_CELLS = 10
MOST_COUNTED = 6
"""How many labels are named with their numbers of rows."""


@dataclass(frozen=True, slots=True)
class Labels:
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
    gene_share
        Part of the labels that name genes, taken apart.
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
    gene_share: float
    cells: dict[str, float]


def judge_labels(column: Column) -> Labels:
    """Judge a column of perturbation labels."""
    others = column.others
    names = others["label"].to_list()
    strip = _strip(names)
    whole = [re.sub(strip[0], "", name) for name in names] if strip else names
    separator = _separator(whole, {*names, *column.controls})
    parts = [_split(name, separator[0]) if separator else [name] for name in whole]
    genes = _known_genes({part for each in parts for part in each} - set(column.controls))
    is_gene = [all(part in genes or part in column.controls for part in each) for each in parts]
    suspects = {label: n for label, n in others.iter_rows() if LOOKS_LIKE_CONTROL.search(label)}
    unexpressed = {label: n for label, n in others.iter_rows() if UNEXPRESSED.fullmatch(label) or label in suspects}
    of_genes = {label: n for label, n in unexpressed.items() if label in genes}
    return Labels(
        column=column.name,
        n_labels=column.n_labels,
        controls=column.controls,
        unassigned=column.unassigned,
        n_missing=column.n_missing,
        suspects={label: n for label, n in suspects.items() if label not in of_genes},
        gene_suspects=of_genes,
        separator=separator,
        strip=strip,
        gene_share=sum(is_gene) / max(len(is_gene), 1),
        cells=_cells(column.labels.filter(~pl.col("label").is_in(list(UNASSIGNED)))["n"]),
    )


def counted(labels: dict[str, int]) -> str:
    """Name labels with their numbers of rows, the first of them where they are many."""
    told = [f"{label!r} ({n:,} rows)" for label, n in labels.items()]
    more = f" and {len(told) - MOST_COUNTED:,} more" if len(told) > MOST_COUNTED else ""
    return ", ".join(told[:MOST_COUNTED]) + more


def _strip(names: list[str]) -> tuple[str, str] | None:
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
        if len(_known_genes(parts)) >= MOST * len(parts):
            written = f"{len(matching):,} of {len(names):,} labels are written like {matching[0]!r}"
            return pattern, f"{written}; without, they are genes"
    return None


def _separator(names: list[str], labels: set[str]) -> tuple[str, str] | None:
    """Find a sign that separates names which are genes or labels of their own."""
    for sign in SEPARATORS:
        joined = [name for name in names if len(_split(name, sign)) > 1]
        if not joined:
            continue
        parts = {part for name in joined for part in _split(name, sign)}
        known = _known_genes(parts) | (parts & labels)
        fitting = [name for name in joined if all(part in known for part in _split(name, sign))]
        if len(fitting) >= MOST * len(joined):
            why = (
                f"{len(fitting):,} of the {len(joined):,} labels that hold it join known names, such as {fitting[0]!r}"
            )
            return sign, why
    return None


def _split(name: str, sign: str) -> list[str]:
    return [part.strip() for part in name.split(sign) if part.strip()]


def _known_genes(names: set[str]) -> set[str]:
    table = map_targets(sorted(names)).table
    return set(table.filter(pl.col("gene_id").is_not_null())["original"])


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
