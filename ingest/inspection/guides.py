"""Guides told by how they are written, whatever their column is called: what to take off, and what joins them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ingest.inspection.known import CONTROLS, GUIDE_PREFIXES, NUMBERED_CONTROL

ENDINGS = (
    r"_[+-]_\d+(?:\.\d+)*(?:[-_][A-Za-z]\w*)?",
    r"(?:[-_. ](?i:sg|sgrna|g|grna|guide)[-_. ]?|sg|g)\d+",
    r"[-_.](?i:[acgt]{17,23})",
    r"[-_.#]\d+",
)
"""What ends the name of a guide: strand and position at a promoter, a numbered guide, its sequence, a number."""
NUMBER = re.compile(r"[-_. ]?\d+$")
"""What ends the name of a control guide, which may be numbered in a way of its own."""
JOINED_BY = (";", ",", "|", "+", "&", "/")
WITHIN = "_"
"""A sign that joins guides and is in their names, too."""
MOST = 0.8
"""What part of the labels must be written so."""
FEWEST_TARGETS = 2
"""How many genes there must be guides of: ACH-000001 is a cell line, and ACH a name of FGFR3."""


@dataclass(frozen=True, slots=True)
class Guides:
    """How guides are written.

    Parameters
    ----------
    strip, separator
        As the spec has them; no separator where no label holds several guides.
    targets
        What each label names: genes or controls, without what is taken off.
    why
        An example in words.
    """

    strip: str
    separator: str | None
    targets: dict[str, tuple[str, ...]]
    why: str


Known = Callable[[set[str]], set[str]]


def read_guides(labels: Sequence[str], known_genes: Known) -> Guides | None:
    """Tell how guides are written; None where most labels are not such.

    Parameters
    ----------
    labels
        Distinct labels.
    known_genes
        Picks the names that are genes.
    """
    signs = [sign for sign in JOINED_BY if any(sign in label for label in labels)]
    for start in ("", *GUIDE_PREFIXES):
        if start and sum(re.search(start, label) is not None for label in labels) < MOST * len(labels):
            continue
        for ending in ENDINGS:
            for sign in (*signs, None, WITHIN):
                found = _fitting(labels, start, ending, sign, known_genes)
                if found is not None:
                    return found
    return None


def is_control(name: str) -> bool:
    """Say whether a name that is left of a guide is that of controls."""
    return name in CONTROLS or NUMBERED_CONTROL.fullmatch(f"{name}_1") is not None


def _fitting(labels: Sequence[str], start: str, ending: str, sign: str | None, known_genes: Known) -> Guides | None:
    """Try one way of writing: it has to fit most labels, and most of those that hold the sign if there is one."""
    stop = "(?=_|$)" if sign == WITHIN else "$"
    guides = {label: _guides(label, sign, f"{ending}{stop}") for label in labels}
    several = [label for label, each in guides.items() if len(each) > 1]
    if sign is not None and not several:
        return None
    off = {guide: re.search(f"{ending}$", guide) for each in guides.values() for guide in each}
    numbered = {guide for guide in off if NUMBERED_CONTROL.fullmatch(re.sub(start, "", guide) if start else guide)}
    written = [label for label, each in guides.items() if all(off[guide] or guide in numbered for guide in each)]
    ends = {found[0] for label in written for guide in guides[label] if (found := off[guide]) is not None}
    if len(written) < MOST * len(labels) or not ends:
        return None
    strip = "|".join([*([start] if start else []), f"{_shape(ends, ending)}{stop}"])
    controls = {NUMBER.sub("", guide) for guide in numbered if not off[guide]}
    strip = "|".join([strip, *(f"(?<=^{re.escape(name)}){NUMBER.pattern}" for name in sorted(controls))])
    cores = {guide: re.sub(strip, "", guide) or guide for guide in off}
    genes = known_genes({cores[guide] for label in written for guide in guides[label]})
    named = {
        label: tuple(cores[guide] for guide in each)
        for label, each in guides.items()
        if all(cores[guide] in genes or is_control(cores[guide]) for guide in each)
    }
    fitting = [label for label in written if label in named]
    joins = sign is None or sum(label in named for label in several) >= MOST * len(several)
    n_targets = len(genes.intersection(core for each in named.values() for core in each))
    if len(fitting) < MOST * len(written) or not joins or n_targets < FEWEST_TARGETS:
        return None
    example = next(label for label in (several if sign else fitting) if label in named)
    why = f"{len(fitting):,} of {len(labels):,} labels are guides, written like {example!r}"
    return Guides(strip, sign, named, why)


def _guides(label: str, sign: str | None, ending: str) -> list[str]:
    """Take a label apart into guides."""
    if sign != WITHIN:
        return [part.strip() for part in label.split(sign) if part.strip()] if sign else [label]
    stops = [found.end() for found in re.finditer(ending, label)]
    if len(stops) < 2 or stops[-1] != len(label):  # noqa: PLR2004, two guides
        return [label]
    return [label[first:stop].strip(WITHIN) for first, stop in zip([0, *stops], stops, strict=False)]


def _shape(ends: set[str], ending: str) -> str:
    """Write a pattern as what it found: ``_sg\\d+``, where all that it found differs by numbers alone."""
    shapes = {re.sub(r"\d+", r"\\d+", re.sub(r"([.+])", r"\\\1", end)) for end in ends}
    return shapes.pop() if len(shapes) == 1 else ending
