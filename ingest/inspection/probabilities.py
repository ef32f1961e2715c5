"""Columns of p-values and of what corrects them: as they are, as logarithms, or disbelieved for what they hold."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from ingest.inspection.columns import ColumnSummary
from ingest.inspection.known import plain
from ingest.inspection.known_results import PROBABILITIES, STATISTICS
from ingest.readers.long_text import quoted_name

LOGARITHM = re.compile(r"(?:neg(?:ative)?_?|minus_?|m|n)?(?P<log>log_?(?P<base>10|2)?|ln)_?(?P<of>[a-z]\w*)")
"""What columns of logarithms of p-values are called, in plain names, as of ``-log10(padj)`` and ``nlogp``."""


@dataclass(frozen=True, slots=True)
class Probability:
    """A column named as p-values, or as what corrects them, are.

    Parameters
    ----------
    name
        The column.
    text
        What ``[table]`` calls it: the column, SQL over it, or None where it is not believed.
    values
        Its p-values, where it is believed.
    told
        What is to be said of it.
    is_doubtful
        Whether it is no more than a guess.
    """

    name: str
    text: str | None
    values: pl.Series | None
    told: str = ""
    is_doubtful: bool = False


def find_probabilities(columns: Mapping[str, ColumnSummary], lines: pl.DataFrame) -> dict[str, Probability]:
    """Find the columns of p-values and of what corrects them: one that is believed, else one that is not.

    Parameters
    ----------
    columns
        The columns, summarised.
    lines
        The first lines.
    """
    found = {}
    for key in PROBABILITIES:
        known = STATISTICS[key]
        named = sorted((known.index(plain(name)), name) for name in columns if plain(name) in known)
        candidates = [_as_it_is(lines[name]) for _, name in named]
        logged = ((name, LOGARITHM.fullmatch(plain(name))) for name in columns)
        candidates += [_of_logarithms(lines[name], match) for name, match in logged if match and match["of"] in known]
        best = sorted(candidates, key=lambda each: each.text is None)
        if best:
            found[key] = best[0]
    return found


def _as_it_is(column: pl.Series) -> Probability:
    """Take a column of numbers from 0 to 1; disbelieve any other, and say what it may be."""
    values = _numbers(column)
    if column.dtype == pl.String:
        return Probability(column.name, None, None, _of_text(column, values))
    if values.null_count() == values.len():
        return Probability(column.name, None, None)
    if values.drop_nulls().is_between(0, 1).all():
        return Probability(column.name, column.name, values)
    known = values.drop_nulls().to_numpy()
    told = f"'{column.name}' reaches from {known.min():.4g} to {known.max():.4g}: these are no p-values"
    if known.min() >= 0:
        told = f"{told}; if they are their -log10: 'pow(10, -{quoted_name(column.name)})'"
    return Probability(column.name, None, None, told)


def _of_text(column: pl.Series, values: pl.Series) -> str:
    """Say by which texts a column of numbers is none."""
    others = column.filter(values.is_null() & column.is_not_null())
    n_numbers = column.len() - values.null_count()
    if not n_numbers:
        return ""
    number = f"try_cast({quoted_name(column.name)} as double)"
    what = f"'{column.name}' is text in {others.len():,} lines, such as {str(others[0])!r}"
    return f"{what}; '{number}' reads the numbers and takes the others for missing"


def _of_logarithms(column: pl.Series, match: re.Match[str]) -> Probability:
    """Take logarithms of p-values, all of one sign, back to what they are of."""
    values = _numbers(column)
    known = values.drop_nulls()
    if column.dtype == pl.String or not known.len():
        return Probability(column.name, None, None)
    if not ((known >= 0).all() or (known <= 0).all()):
        return Probability(column.name, None, None, f"'{column.name}' is of both signs: no logarithm of a p-value")
    sign = "-" if (known >= 0).all() else ""
    base = match["base"] or ("e" if match["log"] == "ln" else "10")
    power = f"{sign}{quoted_name(column.name)}"
    text = f"exp({power})" if base == "e" else f"pow({base}, {power})"
    p_values = (-values.abs() * (1.0 if base == "e" else math.log(float(base)))).exp()
    is_told = match["base"] is not None or base == "e"
    told = f"{'minus ' * bool(sign)}the logarithm of it to base {base}{'' if is_told else ', as its name does not say'}"
    return Probability(column.name, text, p_values, told, is_doubtful=not is_told)


def _numbers(column: pl.Series) -> pl.Series:
    return column.cast(pl.Float64, strict=False).fill_nan(None)
