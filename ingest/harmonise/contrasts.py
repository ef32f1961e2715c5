"""Names of contrasts, ``STAT1_vs_control``: which side was perturbed, and so which sign an effect has."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ingest.column_names import plain_name
from ingest.harmonise.words import LOOKS_LIKE_CONTROL

_BETWEEN = "vs|versus|over|against|minus|relative[-_. ]to|compared[-_. ](?:to|with)"
_VERSUS = re.compile(rf"(.*?)(?:[-_. ]+(?:{_BETWEEN})\.?[-_. ]+|(?<=[A-Za-z0-9])vs(?=[A-Z0-9]))(.+)", re.IGNORECASE)
_SIGN = re.compile(r"([^-/]+?) ?[-/] ?([^-/]+)")
"""limma's way of writing a contrast, which names of genes and controls may hold as well."""
_REFERENCE = re.compile(
    r"(?:^|[^a-z0-9])(?:wt|wild.?type|parental|reference|ref|baseline|rest|others|controls|unstimulated|naive|"
    r"empty.?vector|unedited|non.?perturbed|untransduced|(?:s[gh]|si)?(?:ntc?|gfp|egfp|luc|scr|scramble))(?![a-z])",
    re.IGNORECASE,
)
_SIDES = (
    ("numerator", "denominator"), ("group1", "group2"), ("group_1", "group_2"), ("condition1", "condition2"),
    ("condition_1", "condition_2"), ("ident_1", "ident_2"), ("sample_1", "sample_2"), ("case", "control"),
    ("treatment", "control"), ("test", "reference"), ("target", "reference"), ("group", "reference"),
)  # fmt: skip
"""Names of two columns that hold the sides of a contrast, what was compared first."""
_NEAREST = 3
"""Words before a ``vs`` that may say what was compared; what comes before is the name of a file."""
MAY_BE = rf"(?i)(?:{_BETWEEN})| [-/] "
"""What a text holds that may name a contrast."""
_WORDS = re.compile(r"[^A-Za-z0-9]+")
VERSUS = r"[-_. ]+[vV][sS][-_. ].*$"
"""What a contrast is called after what was perturbed: ``TP53_vs_control``."""
TURNED = r"^(?:.*[-_. ])?[vV][sS][-_. ]+"
"""What stands before what was perturbed in the name of a turned contrast."""


def is_turned(name: str, perturbed: Iterable[str] = ()) -> bool:
    """Say whether a contrast is named the other way round: the control, or another, against what was perturbed.

    Parameters
    ----------
    name
        Of a contrast, a file or a column; what names no contrast is not turned.
    perturbed
        What was perturbed, where that is known.

    Examples
    --------
    >>> is_turned("condition_control_vs_STAT1"), is_turned("STAT1_vs_control"), is_turned("MYC_vs_STAT1", ["STAT1"])
    (True, False, True)
    >>> is_turned("ctrl - STAT1", ["STAT1"]), is_turned("NT-1"), is_turned("HLA-A")
    (True, False, False)
    """
    known = [" ".join(_words(each)) for each in perturbed]
    named = _VERSUS.fullmatch(name.strip())
    if named is None:
        signed = _SIGN.fullmatch(name.strip())
        return signed is not None and _is_control(signed[1]) and _holds(signed[2], known)
    one, other = " ".join(re.split("[_. ]+", named[1])[-_NEAREST:]), named[2]
    if _is_control(one) != _is_control(other):
        return _is_control(one)
    return _holds(other, known) and not _holds(one, known)


def is_contrast(name: str) -> bool:
    """Say whether a text names a contrast, either way round."""
    signed = _SIGN.fullmatch(name.strip())
    return _VERSUS.fullmatch(name.strip()) is not None or (
        signed is not None and any(map(_is_control, signed.groups()))
    )


def two_sides(columns: Iterable[str]) -> tuple[str, str] | None:
    """Find the two columns that hold the sides of a contrast, by their names.

    Examples
    --------
    >>> two_sides(["gene", "ident.1", "ident.2"]), two_sides(["gene", "reference"])
    (('ident.1', 'ident.2'), None)
    """
    named = {plain_name(name): name for name in columns}
    return next(((named[one], named[other]) for one, other in _SIDES if one in named and other in named), None)


def _is_control(side: str) -> bool:
    return bool(LOOKS_LIKE_CONTROL.search(side) or _REFERENCE.search(side))


def _words(text: str) -> list[str]:
    return [word for word in _WORDS.split(text.casefold()) if word]


def _holds(side: str, known: Iterable[str]) -> bool:
    text = f" {' '.join(_words(side))} "
    return any(name and f" {name} " in text for name in known)
