"""Perturbation labels taken apart by their dataset's rules: guide suffixes off, combinations into components.

A sign that names themselves may hold, such as the ``_`` of ``5S_rRNA``, separates a label only where every component
is a known name or a control. Any other label stays whole, and its note says why.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from ingest.spec import ConditionSection

_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Components:
    """What a label names, controls left out, and why it was not taken apart if it looks as if it could be.

    No names at all: the label names nothing but controls.
    """

    names: tuple[str, ...]
    note: str | None = None


def take_apart(
    labels: Iterable[str],
    rules: ConditionSection,
    known: Callable[[Collection[str]], Collection[str]],
    never_in_names: Collection[str],
) -> dict[str, Components]:
    """Take labels apart.

    Parameters
    ----------
    labels
        Distinct labels.
    rules
        The ``[condition]`` table of the dataset's spec: ``strip``, ``separator`` and ``controls``.
    known
        Picks those of some names that are known.
    never_in_names
        Signs that separate wherever they are.
    """
    split = {label: _split(label, rules) for label in labels}
    controls = {name.strip() for name in rules.controls}
    sign = (rules.separator or "").strip() or rules.separator or ""
    may_be_in_names = not set(sign).issubset(never_in_names)
    doubtful = {name for names in split.values() if len(names) > 1 for name in names if name not in controls}
    unknown = doubtful.difference(known(doubtful)) if may_be_in_names and doubtful else set()
    return {label: _components(label, names, controls, unknown, rules) for label, names in split.items()}


def _split(label: str, rules: ConditionSection) -> list[str]:
    """Split a label, not inside brackets: ``(+)-JQ1`` is one name."""
    core = _stripped(label, rules)
    pieces = [piece.strip() for piece in core.split(rules.separator)] if rules.separator else [core]
    if len(pieces) == 1 or any(piece.count("(") != piece.count(")") for piece in pieces):
        return [core]
    return [_stripped(piece, rules) for piece in pieces if piece]


def _stripped(label: str, rules: ConditionSection) -> str:
    return re.sub(rules.strip, "", label, count=1).strip() or label if rules.strip else label


def _components(
    label: str, names: list[str], controls: set[str], unknown: set[str], rules: ConditionSection
) -> Components:
    strange = [name for name in dict.fromkeys(names) if name in unknown]
    if not strange or len(names) == 1:
        return Components(tuple(name for name in dict.fromkeys(names) if name not in controls))
    named = ", ".join(map(repr, strange[:_MOST_NAMED])) + (", ..." if len(strange) > _MOST_NAMED else "")
    return Components((_stripped(label, rules),), f"not split at '{rules.separator}': {named} not known")
