"""Units of concentration and of time, and what each is in micromolar or in hours."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

MOLAR = {
    **dict.fromkeys(("fM", "fmol/l", "femtomolar"), Fraction(1, 10**9)),
    **dict.fromkeys(("pM", "pmol/l", "picomolar"), Fraction(1, 10**6)),
    **dict.fromkeys(("nM", "nm", "nmol/l", "nanomolar"), Fraction(1, 1000)),
    **dict.fromkeys(("uM", "um", "UM", "umol/l", "micromolar"), Fraction(1)),
    **dict.fromkeys(("mM", "mmol/l", "millimolar"), Fraction(1000)),
    **dict.fromkeys(("M", "mol/l", "molar"), Fraction(10**6)),
}
"""Micromolar in one of each unit; case counts: mM is not MM."""

NOT_MOLAR = re.compile(
    r"([fpnumk]|micro|milli|nano)?(g|l|mol|u|iu)(/([nuμmd]?l|[nuμmk]?g))?|%|x|gy|moi|cells?|ratio|[vw]/v", re.IGNORECASE
)
"""Masses, volumes, amounts, activities and shares: known units from which no concentration follows."""

HOURS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), Fraction(1, 3600)),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), Fraction(1, 60)),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), Fraction(1)),
    **dict.fromkeys(("d", "day", "days"), Fraction(24)),
    **dict.fromkeys(("w", "wk", "wks", "week", "weeks"), Fraction(168)),
}
"""Hours in one of each unit, casefolded; 'm' is no unit, being minutes, months or metres."""
_WORD_FIRST = re.compile(r"([a-z]{3,})[\s_]*(\d+(?:\.\d+)?)", re.IGNORECASE)
_DAY_FIRST = re.compile(r"(d|[a-z]{3,})[\s_]*(\d+(?:\.\d+)?)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Scale:
    """What is being read, the factor of a unit (None if it has none), and what to say of such a unit.

    ``adds_up`` says that values in ever smaller units (``1 h 30 min``) are one, ``unit_first`` how a unit is written
    that comes first.
    """

    name: str
    factor: Callable[[str], Fraction | None]
    refusal: Callable[[str], str]
    adds_up: bool
    unit_first: re.Pattern[str] | None = None

    def number_first(self, text: str) -> str:
        """Write ``Day 3`` as ``3 Day``; any other text as it is."""
        match = self.unit_first.fullmatch(text) if self.unit_first is not None else None
        return f"{match[2]} {match[1]}" if match and self.factor(match[1]) is not None else text


def _molar(unit: str) -> Fraction | None:
    """Look a unit up as it is written, since M and m differ; a word, whatever its case."""
    return MOLAR.get(unit) or (MOLAR.get(unit.casefold()) if "mol" in unit.casefold() else None)


def _molar_refusal(unit: str) -> str:
    return f"unit '{unit}' is not {'molar' if NOT_MOLAR.fullmatch(unit) else 'known'}"


DOSE = Scale("dose", _molar, _molar_refusal, adds_up=False)
TIME = Scale(
    "time",
    lambda unit: HOURS.get(unit.casefold()),
    lambda unit: f"unit '{unit}' is not a unit of time",
    adds_up=True,
    unit_first=_WORD_FIRST,
)
TIME_OF_COLUMN = replace(TIME, unit_first=_DAY_FIRST)
