"""One quantity in a text: a number, with or without a unit, as sources write them.

Numbers are multiplied exactly and rounded once, so ``70 nM`` and ``0.07 uM`` are the same double and the same
condition. What cannot be converted has no value but a note that says why.
"""

from __future__ import annotations

import ast
import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from ingest.harmonise.published import MISSING
from ingest.harmonise.units import NOT_MOLAR, Scale

Number = str | int | float | None

LINCS_MISSING = -666
DAMAGED = "sign of a damaged encoding read as micro"

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,2})?"
_UNIT = r"[^\W\d_][\w/%]*|%"
_QUANTITY = re.compile(rf"({_NUMBER})(?:\s*({_UNIT})(?:\s+(.*))?)?", re.DOTALL)
_WITH_UNIT = re.compile(rf"(?<![\w.-]){_NUMBER}\s*({_UNIT})")
_JOINED = re.compile(r"(?:[-+/]|(?:and|to)\b)\s*\.?\d", re.IGNORECASE)
"""How a text goes on that holds a second value, even one without a unit."""
_DISSOLVED = re.compile(r"in\s", re.IGNORECASE)
"""How it goes on with what the dose is given in, such as 0.1% DMSO."""
_AGREE = Fraction(1, 10**6)
_DAMAGED_MICRO = re.compile("(?:\u00c2\u00b5|\u00ce\u00bc|\u00ac\u00b5|\ufffd{1,2})(?=M\\b|mol)")
"""The micro sign as it is after one wrong decoding: of no other prefix does a sign beyond ASCII remain."""
_COMMA = re.compile(r"([-+]?\d+),(\d+)(?![\d,])(.*)", re.DOTALL)
_IN_THOUSANDS = 3
"""Digits after a comma that may be one of thousands."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value in the harmonised unit, or None and a note that says why."""

    value: float | None
    note: str = ""


class _UnreadableError(Exception):
    """A text holds no value; says why."""


def read_quantity(text: Number, unit: str | None, scale: Scale) -> Quantity:
    """Read one quantity on a scale; several that are joined by ``|`` or ``&`` have to agree."""
    plain, given = _plain("" if text is None else str(text)), _plain(unit or "")
    damage = [DAMAGED] if text is not None and _DAMAGED_MICRO.search(str(text)) else []
    if plain.startswith("[(") and plain.endswith(")]"):
        return _read_tuple(plain, given, scale)
    values: list[Fraction] = []
    notes: list[str] = []
    failures: list[str] = []
    for part in re.split("[|&]", plain):
        try:
            value, note = _read_one(part.strip(), given, scale)
        except _UnreadableError as failure:
            failures.append(str(failure))
        else:
            values.append(value)
            notes.append(note)
    if not values:
        return Quantity(None, failures[0])
    if failures or max(values) - min(values) > _AGREE * max(values):
        return Quantity(None, f"several values that differ: '{plain}'")
    return Quantity(float(values[0]), "; ".join([*damage, *filter(None, [notes[0]])]))


def _read_one(text: str, unit: str, scale: Scale) -> tuple[Fraction, str]:
    """Read one number with or without a unit; also what the reader of the value should know."""
    if text.casefold() in MISSING:
        raise _UnreadableError("missing")
    written, text = text, _with_point(text)
    match = _QUANTITY.fullmatch(scale.number_first(text))
    if match is None:
        raise _UnreadableError(f"not a {scale.name}: '{text}'")
    number, own_unit = Fraction(match[1]), match[2] or ""
    if number < 0:
        raise _UnreadableError("missing" if number == LINCS_MISSING else f"below zero: '{text}'")
    if not (own_unit or unit):
        raise _UnreadableError("no unit")
    factor = scale.factor(own_unit or unit)
    if factor is None:
        raise _UnreadableError(scale.refusal(own_unit or unit))
    notes = [f"decimal comma in '{written}'"] if written != text else []
    notes += [f"unit in the text, not '{unit}'"] if own_unit and unit and scale.factor(unit) != factor else []
    value, rest = _added(number * factor, factor, match[3] or "", scale)
    others = () if _DISSOLVED.match(rest) else _WITH_UNIT.findall(rest)
    if _JOINED.match(rest) or any(_is_unit(found, scale) for found in others):
        raise _UnreadableError(f"several values: '{text}'")
    notes += [f"read from the start of '{text}'"] if rest else []
    return value, "; ".join(notes)


def _with_point(text: str) -> str:
    """Write a decimal comma as a point; refuse one that may be of thousands."""
    match = _COMMA.fullmatch(text)
    if match is None:
        return text
    if len(match[2]) == _IN_THOUSANDS and not match[1].lstrip("+-").startswith("0"):
        raise _UnreadableError(f"the comma is decimal or of thousands: '{text}'")
    return f"{match[1]}.{match[2]}{match[3]}"


def _added(value: Fraction, factor: Fraction, rest: str, scale: Scale) -> tuple[Fraction, str]:
    """Add what follows in smaller units than that of the factor, and return what is left of the text."""
    match = _QUANTITY.fullmatch(rest) if scale.adds_up and rest[:1].isdigit() else None
    smaller = scale.factor(match[2] or "") if match else None
    if match is None or smaller is None or smaller >= factor:
        return value, rest
    return _added(value + Fraction(match[1]) * smaller, smaller, match[3] or "", scale)


def _is_unit(text: str, scale: Scale) -> bool:
    return scale.factor(text) is not None or NOT_MOLAR.fullmatch(text) is not None


def _read_tuple(text: str, unit: str, scale: Scale) -> Quantity:
    """Read Tahoe's ``drugname_drugconc``: a Python list of one (drug, number, unit)."""
    try:
        ((_, number, own_unit),) = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return Quantity(None, f"not one (compound, {scale.name}, unit): '{text}'")
    return read_quantity(f"{number} {own_unit}", unit, scale)


@cache
def _plain(text: str) -> str:
    """Trim, and bring both code points of the micro sign (U+00B5, U+03BC), and what damage makes of them, to 'u'."""
    return unicodedata.normalize("NFKC", _DAMAGED_MICRO.sub("u", text)).replace("\u03bc", "u").strip()
