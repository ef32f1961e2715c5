"""A table on a page: some rows of an answer, sorted on the server, with units, links and files of all of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl

from featurestore.contract import COLUMNS
from featurestore.ui.asked import Asked
from featurestore.ui.links import link

UNKNOWN = "\N{EN DASH}"
ROWS = 50
"""Rows on one page."""
MOST_COLUMNS = 200
"""Columns on one page; files have all of them."""
KEYS = (
    "perturbation_id",
    "condition_id",
    "gene_id",
    "compound_id",
    "context_id",
    "target_gene_ids",
    "is_control",
    "id",
)
"""Keys that links hold and files show."""
HEADINGS = {
    "dataset_id": "dataset",
    "perturbation_label": "perturbation",
    "perturbation_kind": "kind",
    "perturbation_kinds": "kinds",
    "context_label": "context",
    "release_id": "release",
    "gene_symbol": "gene",
    "dose_um": "dose",
    "time_h": "time",
    "knockdown_ratio": "target left",
    "n_significant": "genes changed",
    "mapped_share": "genes mapped",
    "q_value": "q",
    "p_value": "p",
    "what": "what it is",
    "n_data_points": "data points",
    "es": "ES",
    "nes": "NES",
}
UNITS = {
    "dose_um": "µM",
    "time_h": "h",
    "knockdown_ratio": "of control",
    "n_significant": "q < 0.05",
    "mapped_share": "%",
    "n_data_points": "of enough cells",
    "n_conditions": "",
    "standard_error": "",
    "effect_norm": "",
    "z": "",
}
ASIDE = {
    "effect_kind",
    "effect_norm",
    "ingested_at",
    "licence",
    "mapped_share",
    "n_genes",
    "reason",
    "release_id",
    "standard_error",
    "target_symbols",
}
"""Columns that are shown when all are asked for; files have them."""
_PERCENT = {"mapped_share"}
_LONG = {
    "title", "licence", "reason", "note", "such_as", "what", "citation", "withheld", "leading_edge", "changed_genes",
}  # fmt: skip
"""Columns of sentences."""
_HASHES = {"matrix"}
_OF_HASH = 12
"""Characters of a hash that are shown: enough to tell it from others."""
MOST_LETTERS = 2000
"""What a cell shows of a text; files have all of it."""
_SMALLEST = 1e-3
_LARGEST = 1e5


@dataclass(frozen=True)
class Heading:
    """What stands above a column."""

    name: str
    words: str
    unit: str
    sentence: str
    is_number: bool
    is_long: bool
    sort: str
    order: str


@dataclass(frozen=True)
class Cell:
    """What stands in a cell, and where it leads."""

    text: str
    is_number: bool = False
    link: str = ""


@dataclass(frozen=True)
class Table:
    """The rows of one page of a table.

    Parameters
    ----------
    name, title
        Its name in addresses, and its caption.
    headings, rows
        What is shown.
    n_rows, first, last
        Rows in all, and which of them are shown, from 1.
    before, after
        Addresses of the pages before and after, if any.
    files
        Suffix and address of each file.
    empty
        What to do where there are no rows.
    n_aside, other
        Columns that are not shown, and the address that shows all, or fewer again.
    """

    name: str
    title: str
    headings: list[Heading]
    rows: list[list[Cell]]
    n_rows: int
    first: int
    last: int
    before: str
    after: str
    files: dict[str, str]
    empty: str
    n_aside: int = 0
    other: str = ""


def table(
    asked: Asked,
    name: str,
    title: str,
    frame: pl.DataFrame,
    empty: str = "There are none.",
    *,
    is_plain: bool = False,
    as_named: Collection[str] = (),
) -> Table:
    """Lay out the part of an answer that the request asks for, each column under its title and unit.

    Keys, and what is nowhere known, are left to files, and what is seldom looked at until all columns are asked for,
    unless the table is plain: it shows every column by its name. Some may be headed by their name, as datasets are.
    """
    sort = asked.text(f"{name}_sort")
    column = sort.removeprefix("-")
    schema = frame.schema
    if column in schema and not schema[column].is_nested():
        frame = frame.sort(column, descending=sort.startswith("-"), nulls_last=True, maintain_order=True)
    last_page = max(-(-frame.height // ROWS), 1)
    page = min(asked.number(f"{name}_page"), last_page)
    shown = frame.slice((page - 1) * ROWS, ROWS)
    known = [column.name for column in frame.iter_columns() if column.null_count() < frame.height]
    every = list(schema) if is_plain else [column for column in known if column not in KEYS]
    aside = set() if is_plain else _aside(every)
    is_whole = asked.text(f"{name}_all") == "yes"
    names = [column for column in every if is_whole or column not in aside][:MOST_COLUMNS]
    return Table(
        name=name,
        title=title,
        headings=[
            _heading(asked, name, column, schema[column], is_plain=is_plain or column in as_named) for column in names
        ],
        rows=[[_cell(column, row, schema[column]) for column in names] for row in shown.iter_rows(named=True)],
        n_rows=frame.height,
        first=(page - 1) * ROWS + 1,
        last=(page - 1) * ROWS + shown.height,
        before=asked.with_values(**{f"{name}_page": page - 1}) + f"#{name}" if page > 1 else "",
        after=asked.with_values(**{f"{name}_page": page + 1}) + f"#{name}" if page < last_page else "",
        files=asked.parts(name, "csv", "parquet"),
        empty=empty,
        n_aside=len(every) - len(names),
        other=asked.with_values(**{f"{name}_all": None if is_whole else "yes"}) + f"#{name}" if aside else "",
    )


def _aside(columns: list[str]) -> set[str]:
    """Name the columns to leave aside: what is seldom looked at, and what a source calls what has a name."""
    twice = {"perturbation_label"} if "perturbation" in columns else set()
    return (ASIDE | twice).intersection(columns)


def _heading(asked: Asked, name: str, column: str, dtype: pl.DataType, *, is_plain: bool) -> Heading:
    sort = asked.text(f"{name}_sort")
    known = COLUMNS.get(column)
    short = column.removeprefix("n_").removeprefix("is_").replace("_", " ")
    words = column if is_plain else HEADINGS.get(column, short)
    unit = UNITS.get(column, known.unit if known else "")
    order = {column: "ascending", f"-{column}": "descending"}.get(sort, "")
    following = f"-{column}" if (dtype.is_numeric() and not order) or order == "ascending" else column
    resorted = {f"{name}_sort": following, f"{name}_page": None}
    return Heading(
        name=column,
        words=words,
        unit="" if unit == words else unit,
        sentence=known.sentence if known else "",
        is_number=dtype.is_numeric(),
        is_long=column in _LONG,
        sort="" if dtype.is_nested() else f"{asked.with_values(**resorted)}#{name}",
        order=order,
    )


def _cell(column: str, row: dict[str, Any], dtype: pl.DataType) -> Cell:
    value = row[column]
    if column in _PERCENT and isinstance(value, float):
        return Cell(f"{value * 100:.1f}", is_number=True)
    text = str(value)[:_OF_HASH] if column in _HASHES else shown(value)
    text = text if len(text) <= MOST_LETTERS else f"{text[:MOST_LETTERS]} ... ({len(text):,} letters)"
    return Cell(text, dtype.is_numeric(), "" if value is None else link(column, row))


def shown(value: Any) -> str:  # noqa: PLR0911, one kind of value a line
    """Write a value as people read it: thousands apart, three significant digits, a dash where it is not known."""
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        if value and (abs(value) < _SMALLEST or abs(value) >= _LARGEST):
            return f"{value:.2e}"
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"  # noqa: PLR2004, three digits
    if isinstance(value, list):
        return ", ".join(map(shown, value)) or UNKNOWN
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M} UTC"
    return str(value)


def moment(text: str) -> str:
    """Write a time of ISO 8601 as tables do; other text as it is."""
    try:
        return shown(datetime.fromisoformat(text).astimezone(UTC))
    except ValueError:
        return text
