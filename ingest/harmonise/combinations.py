"""Perturbation labels taken apart by their dataset's rules: guide suffixes off, combinations into components.

A sign that names themselves may hold, such as the ``_`` of ``5S_rRNA``, separates a label only where every component
is a known name or a control. Any other label stays whole, and its note says why.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import polars as pl

from featurestore.compound_names import normalise_name
from featurestore.errors import first_of
from ingest.condition_section import ConditionSection
from ingest.harmonise.genes import map_targets
from ingest.harmonise.words import ABSENT, UNASSIGNED

_MOST_NAMED = 3

NEVER_IN_GENES = frozenset("+,;|& ")
"""Signs that no gene symbol holds, but for a handful of aliases that end in a plus."""

NEVER_IN_COMPOUNDS = frozenset("+;|&")
"""Signs that no name of a compound holds outside brackets."""


@dataclass(frozen=True, slots=True)
class _Components:
    """What a label names, controls left out, and why it was not taken apart if it looks as if it could be.

    No names at all: the label names nothing but controls, unless what it names is unassigned.
    """

    names: tuple[str, ...]
    note: str | None = None
    is_unassigned: bool = False


def control_words(rules: ConditionSection) -> frozenset[str]:
    """Return the labels that a spec calls controls."""
    return frozenset(name.strip() for name in rules.controls)


def unassigned_words(rules: ConditionSection) -> frozenset[str]:
    """Return the labels that mean no perturbation is known, in any source and by a spec."""
    return UNASSIGNED.union(name.strip() for name in rules.unassigned) - control_words(rules)


def absent_controls(
    labels: Iterable[str | None], rules: ConditionSection, controls_apart: Collection[str] = ()
) -> list[str]:
    """List the controls that a spec names and no label holds, taken apart or whole.

    Labels that were put together of several columns hold no control: of those, ``controls_apart`` are there.
    """
    if isinstance(rules.perturbation, list):
        return [name for name in rules.controls if name.strip() not in controls_apart]
    there = {name for label in labels if label is not None for name in (label, *split_label(label, rules))}
    return [name for name in rules.controls if name.strip() not in there]


def components(table: pl.DataFrame, rules: ConditionSection, dictionary: pl.DataFrame | None) -> pl.DataFrame:
    """Return one row per component of each label.

    Parameters
    ----------
    table
        ``label``, ``is_genetic``, and any other columns, which each component repeats.
    rules
        The ``[condition]`` table of the dataset's spec.
    dictionary
        Known compounds, or None.

    Returns
    -------
    The table with ``part`` (null where a label names nothing but controls), ``n_parts`` of its label,
    ``is_unassigned``: whether its label has a part that means no perturbation is known, and ``note``: why a label
    that looks like a combination was not split.
    """
    labels = table["perturbation_label"].unique(maintain_order=True).to_list()
    rows = []
    kinds = (
        (True, NEVER_IN_GENES, _known_genes),
        (False, NEVER_IN_COMPOUNDS, partial(_known_compounds, labels, dictionary)),
    )
    for is_genetic, never_in_names, known in kinds:
        own = table.filter(pl.col("is_genetic") == is_genetic)["perturbation_label"].unique(maintain_order=True)
        apart = _take_apart(own.to_list(), rules, known, never_in_names)
        rows += [
            (label, is_genetic, name, len(found.names), found.is_unassigned, found.note)
            for label, found in apart.items()
            for name in found.names or (None,)
        ]
    schema = {
        "perturbation_label": pl.String,
        "is_genetic": pl.Boolean,
        "part": pl.String,
        "n_parts": pl.Int64,
        "is_unassigned": pl.Boolean,
        "note": pl.String,
    }
    parts = pl.DataFrame(rows, schema=schema, orient="row")
    return table.join(parts, on=["perturbation_label", "is_genetic"], how="left", maintain_order="left")


def _known_genes(names: Collection[str]) -> Collection[str]:
    """Pick the names that stand for a gene, even if for several, a retired one or one of the mouse."""
    mapped = map_targets(sorted(names)).table
    is_known = (pl.col("candidates").list.len() > 0) | (pl.col("status") == "retired_no_successor")
    return set(mapped.filter(is_known)["original"])


def _known_compounds(labels: Sequence[str], dictionary: pl.DataFrame | None, names: Collection[str]) -> Collection[str]:
    """Pick the names that are a label of the dataset themselves, or a name in its dictionary."""
    listed = dictionary["names"].explode().drop_nulls() if dictionary is not None else ()
    known = {normalise_name(name) for name in (*labels, *listed)}
    return [name for name in names if normalise_name(name) in known]


def _take_apart(
    labels: Iterable[str],
    rules: ConditionSection,
    known: Callable[[Collection[str]], Collection[str]],
    never_in_names: Collection[str],
) -> dict[str, _Components]:
    """Take distinct labels apart; ``known`` picks known names, ``never_in_names`` are signs that always separate."""
    split = {label: split_label(label, rules) for label in labels}
    aside = control_words(rules) | unassigned_words(rules)
    sign = (rules.separator or "").strip() or rules.separator or ""
    may_be_in_names = not set(sign).issubset(never_in_names)
    doubtful = {name for names in split.values() if len(names) > 1 for name in names if name not in aside}
    unknown = doubtful.difference(known(doubtful)) if may_be_in_names and doubtful else set()
    return {label: _decided(label, names, unknown, rules) for label, names in split.items()}


def split_label(label: str, rules: ConditionSection) -> list[str]:
    """Split a label, not inside brackets: ``(+)-JQ1`` is one name; ``strip`` is taken off each component once."""
    core = _stripped(label, rules)
    pieces = _pieces(core, rules)
    if len(pieces) == 1 or any(piece.count("(") != piece.count(")") for piece in pieces):
        return [core]
    whole = _pieces(label, rules)
    named = whole if len(whole) == len(pieces) else pieces
    return [_stripped(piece, rules) for piece in named if piece] or [core]


def _pieces(label: str, rules: ConditionSection) -> list[str]:
    return [piece.strip() for piece in label.split(rules.separator)] if rules.separator else [label]


def _stripped(label: str, rules: ConditionSection) -> str:
    return re.sub(rules.strip, "", label).strip() or label if rules.strip else label


def _decided(label: str, names: list[str], unknown: set[str], rules: ConditionSection) -> _Components:
    controls, unassigned = control_words(rules), unassigned_words(rules)
    strange = [name for name in dict.fromkeys(names) if name in unknown]
    if strange and len(names) > 1:
        named = first_of(list(map(repr, strange)), _MOST_NAMED)
        return _Components((_stripped(label, rules),), f"not split at '{rules.separator}': {named} not known")
    if names[0] in unassigned or not unassigned.difference(ABSENT).isdisjoint(names):
        return _Components((), is_unassigned=True)
    return _Components(tuple(name for name in dict.fromkeys(names) if name not in controls | unassigned))
