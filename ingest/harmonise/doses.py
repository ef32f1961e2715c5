"""Doses in micromolar and times in hours, from the many ways in which sources write them.

Numbers are multiplied exactly and rounded once, so ``70 nM`` and ``0.07 uM`` are the same double and the same
condition. What cannot be converted has no value but a note that says why; the published text is kept beside it.
"""

from __future__ import annotations

import ast
import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache

import polars as pl

from ingest.harmonise.published import MISSING

Number = str | int | float | None

LINCS_MISSING = -666
DAMAGED = "sign of a damaged encoding read as micro"
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

NOMINAL_DIGITS = ("1", "1.11", "1.25", "1.5", "2", "2.5", "3", "3.16", "3.33", "3.7", "4", "5", "6.25", "7.5", "8")
"""Leading digits of the doses that plates are laid out in: tenfold, half-log, threefold and twofold series, and
doses chosen by hand."""

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,2})?"
_UNIT = r"[^\W\d_][\w/%]*|%"
_QUANTITY = re.compile(rf"({_NUMBER})(?:\s*({_UNIT})(?:\s+(.*))?)?", re.DOTALL)
_WITH_UNIT = re.compile(rf"(?<![\w.-]){_NUMBER}\s*({_UNIT})")
_JOINED = re.compile(r"(?:[-+/]|(?:and|to)\b)\s*\.?\d", re.IGNORECASE)
"""How a text goes on that holds a second value, even one without a unit."""
_DISSOLVED = re.compile(r"in\s", re.IGNORECASE)
"""How it goes on with what the dose is given in, such as 0.1% DMSO."""
_WORD_FIRST = re.compile(r"([a-z]{3,})[\s_]*(\d+(?:\.\d+)?)", re.IGNORECASE)
_DAY_FIRST = re.compile(r"(d|[a-z]{3,})[\s_]*(\d+(?:\.\d+)?)", re.IGNORECASE)
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


@dataclass(frozen=True, slots=True)
class _Scale:
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


class _UnreadableError(Exception):
    """A text holds no value; says why."""


def dose_um(text: Number, unit: str | None = None) -> Quantity:
    """Read one dose.

    Parameters
    ----------
    text
        As published: a number, a number with a unit, Tahoe's ``[('drug', 0.05, 'uM')]``, or several of these joined
        by ``|`` or ``&``, which have to agree.
    unit
        The unit that the source gives elsewhere; a unit in the text itself is believed before it.

    Returns
    -------
    Quantity
        In micromolar. Words after the unit (``0.2 uM panobinostat``) are noted and left out; a second value among
        them (``100 nM + 50 nM``) leaves the text without one.

    Examples
    --------
    >>> dose_um("70 nM").value
    0.07
    >>> dose_um("300 ng")
    Quantity(value=None, note="unit 'ng' is not molar")
    """
    return _read(text, unit, _DOSE)


def time_h(text: Number, unit: str | None = None) -> Quantity:
    """Read one time, as `dose_um` reads a dose; in hours. Units that get smaller are added up; one may come first.

    Examples
    --------
    >>> time_h("6 d").value, time_h("1 h 30 min").value, time_h("Day 6").value
    (144.0, 1.5, 144.0)
    """
    return _read(text, unit, _TIME)


def map_doses(values: pl.Series, unit: str | None = None) -> pl.DataFrame:
    """Read a column of doses.

    Returns
    -------
    polars.DataFrame
        ``original`` (text), ``value`` (micromolar) and ``note``, one row per value, in order.
    """
    return _map(values, unit, dose_um)


def map_times(values: pl.Series, unit: str | None = None) -> pl.DataFrame:
    """Read a column of times, in which ``D7`` is a day and no donor or well; ``value`` is in hours."""
    return _map(values, unit, lambda text, unit: _read(text, unit, _TIME_OF_COLUMN))


def nominal_dose(values: pl.Series, *, series: Sequence[float] | None = None, tolerance: float = 0.02) -> pl.DataFrame:
    """Give measured doses the nominal dose of their well: 0.01004 was meant as 0.01.

    A dose becomes the nearest member of the series, by ratio, if that is within the tolerance, else it stays what it
    is. Each dose is decided alone, so the answer depends neither on order nor on which other doses are present.

    Parameters
    ----------
    values
        Measured doses, in any one unit.
    series
        The nominal doses, in that unit, where the source states them; otherwise `NOMINAL_DIGITS` in every decade.
    tolerance
        Largest accepted distance, as a share of the nominal dose.

    Returns
    -------
    polars.DataFrame
        ``measured`` and ``nominal``, one row per value, in order.
    """
    measured = values.cast(pl.Float64).fill_nan(None)
    found = {dose: _nominal(dose, series, tolerance) for dose in measured.drop_nulls().unique().to_list()}
    nominal = measured.replace_strict(found, default=None, return_dtype=pl.Float64)
    return pl.DataFrame({"measured": measured, "nominal": nominal})


def _nominal(dose: float, series: Sequence[float] | None, tolerance: float) -> float:
    if dose <= 0 or math.isinf(dose):
        return dose
    if series is None:
        decade = math.floor(math.log10(dose))
        series = [float(f"{digits}e{power}") for power in (decade, decade + 1) for digits in NOMINAL_DIGITS]
    positive = [step for step in series if step > 0]
    nearest = min(positive, key=lambda step: abs(math.log(dose / step)), default=dose)
    return nearest if abs(dose - nearest) <= tolerance * nearest else dose


def _map(values: pl.Series, unit: str | None, read: Callable[[str | None, str | None], Quantity]) -> pl.DataFrame:
    original = values.cast(pl.String).alias("original")
    distinct = original.unique(maintain_order=True)
    quantities = [read(text, unit) for text in distinct]
    table = pl.DataFrame(
        {
            "original": distinct,
            "value": pl.Series([quantity.value for quantity in quantities], dtype=pl.Float64),
            "note": pl.Series([quantity.note or None for quantity in quantities], dtype=pl.String),
        }
    )
    return original.to_frame().join(table, on="original", how="left", nulls_equal=True, maintain_order="left")


def _read(text: Number, unit: str | None, scale: _Scale) -> Quantity:
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


def _read_one(text: str, unit: str, scale: _Scale) -> tuple[Fraction, str]:
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


def _added(value: Fraction, factor: Fraction, rest: str, scale: _Scale) -> tuple[Fraction, str]:
    """Add what follows in smaller units than that of the factor, and return what is left of the text."""
    match = _QUANTITY.fullmatch(rest) if scale.adds_up and rest[:1].isdigit() else None
    smaller = scale.factor(match[2] or "") if match else None
    if match is None or smaller is None or smaller >= factor:
        return value, rest
    return _added(value + Fraction(match[1]) * smaller, smaller, match[3] or "", scale)


def _is_unit(text: str, scale: _Scale) -> bool:
    return scale.factor(text) is not None or NOT_MOLAR.fullmatch(text) is not None


def _read_tuple(text: str, unit: str, scale: _Scale) -> Quantity:
    """Read Tahoe's ``drugname_drugconc``: a Python list of one (drug, number, unit)."""
    try:
        ((_, number, own_unit),) = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return Quantity(None, f"not one (compound, {scale.name}, unit): '{text}'")
    return _read(f"{number} {own_unit}", unit, scale)


@cache
def _plain(text: str) -> str:
    """Trim, and bring both code points of the micro sign (U+00B5, U+03BC), and what damage makes of them, to 'u'."""
    return unicodedata.normalize("NFKC", _DAMAGED_MICRO.sub("u", text)).replace("\u03bc", "u").strip()


def _molar(unit: str) -> Fraction | None:
    """Look a unit up as it is written, since M and m differ; a word, whatever its case."""
    return MOLAR.get(unit) or (MOLAR.get(unit.casefold()) if "mol" in unit.casefold() else None)


def _molar_refusal(unit: str) -> str:
    return f"unit '{unit}' is not {'molar' if NOT_MOLAR.fullmatch(unit) else 'known'}"


_DOSE = _Scale("dose", _molar, _molar_refusal, adds_up=False)
_TIME = _Scale(
    "time",
    lambda unit: HOURS.get(unit.casefold()),
    lambda unit: f"unit '{unit}' is not a unit of time",
    adds_up=True,
    unit_first=_WORD_FIRST,
)
_TIME_OF_COLUMN = replace(_TIME, unit_first=_DAY_FIRST)
