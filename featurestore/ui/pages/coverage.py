"""Coverage: which perturbations were done in which datasets, and what any two datasets share."""

from __future__ import annotations

from typing import Any

import polars as pl

from featurestore.ui.asked import Asked
from featurestore.ui.page import Chart, Page, figure
from featurestore.ui.tables import Table, table

_SHADES = 5


def _counts(asked: Asked) -> pl.DataFrame:
    return asked.questions.ask("coverage", kind=asked.text("kind"), context=asked.text("context"))


def _wide(asked: Asked) -> pl.DataFrame:
    """Return one row for each perturbation, a column for each dataset, those in most datasets first."""
    long = _counts(asked)
    if long.is_empty():
        return pl.DataFrame(schema={"perturbation_id": pl.String, "perturbation": pl.String, "n_datasets": pl.UInt32})
    names = long.group_by("perturbation_id").agg(pl.col("perturbation").first(), pl.len().alias("n_datasets"))
    counts = long.pivot("dataset_id", index="perturbation_id", values="n_conditions", sort_columns=True)
    return names.join(counts, on="perturbation_id").sort(
        ["n_datasets", "perturbation"], descending=[True, False], maintain_order=True
    )


def shared_perturbations(asked: Asked) -> pl.DataFrame:
    """Count the perturbations that every two datasets share."""
    long = _counts(asked).select("perturbation_id", "dataset_id")
    both = long.join(long, on="perturbation_id", suffix="_b")
    return both.group_by(a="dataset_id", b="dataset_id_b").agg(n=pl.len()).sort("a", "b")


def _overlaps(asked: Asked) -> Chart:
    from featurestore.ui import charts  # noqa: PLC0415, a page needs no chart library

    return charts.counts(shared_perturbations(asked), one="a", other="b", title="perturbations in both")


def _coverage(asked: Asked) -> dict[str, Any]:
    wide = _wide(asked)
    filters = asked.questions.ask("filters")
    made = table(
        asked, "perturbations", "Perturbations by dataset, in conditions", wide, _EMPTY, as_named=set(wide.columns[3:])
    )
    return {
        "title": "Coverage",
        "kinds": filters.filter(entity="kind").select("id", "label").rows(),
        "contexts": filters.filter(entity="context").select("id", "label").rows(),
        "kind": asked.text("kind"),
        "context": asked.text("context"),
        "n_perturbations": wide.height,
        "n_shared": wide.filter(pl.col("n_datasets") > 1).height,
        "perturbations": made,
        "shades": _shades(made),
        "datasets": sorted(set(_counts(asked)["dataset_id"])),
        "overlaps": figure(
            asked, "overlaps", "Perturbations that two datasets share; the diagonal is all that a dataset has.", "tall"
        ),
    }


def _about(asked: Asked, _: str) -> tuple[str, tuple[str, ...]]:
    """Name what is counted, and every dataset that has it."""
    narrowed = ", ".join(filter(None, (asked.text("kind"), asked.text("context"))))
    return narrowed or "Every kind, every context", tuple(sorted(set(_counts(asked)["dataset_id"])))


_EMPTY = "No condition is of this kind in this context; choose another kind, or every context."


def _shades(made: Table) -> list[list[str]]:
    """Return a shade for each cell of a table that counts conditions: the darker, the more."""
    first = 2  # the columns before are the perturbation and its number of datasets
    return [["", ""] + [_shade(cell.text) for cell in row[first:]] for row in made.rows]


def _shade(text: str) -> str:
    digits = text.replace(",", "")
    return f"heat-{min(int(digits).bit_length(), _SHADES)}" if digits.isdigit() else ""


def _pair(asked: Asked) -> tuple[str, str]:
    """Return two datasets: those asked for, else the first of the catalogue."""
    names = asked.questions.ask("catalogue")["dataset_id"].to_list()
    if not names:
        return asked.needed("a"), asked.needed("b")
    return asked.text("a") or names[0], asked.text("b") or names[:2][-1]


def _overlap(asked: Asked) -> pl.DataFrame:
    one, other = _pair(asked)
    return asked.questions.ask("overlap", a=one, b=other)


def _two(asked: Asked) -> dict[str, Any]:
    one, other = _pair(asked)
    for dataset_id in (one, other):
        asked.questions.one("dataset", "dataset", dataset_id=dataset_id)
    frame = _overlap(asked)
    return {
        "title": f"{one} and {other}",
        "one": one,
        "other": other,
        "datasets": asked.questions.ask("catalogue")["dataset_id"].to_list(),
        "shared": table(
            asked,
            "shared",
            "Perturbations in both",
            frame,
            "They share no perturbation: neither can be a feature of the other.",
        ),
    }


PAGE = Page(
    "coverage",
    "coverage.html",
    _coverage,
    {"perturbations": _wide, "overlaps": shared_perturbations},
    {"overlaps": _overlaps},
    about=_about,
)
OVERLAP = Page("overlap", "overlap.html", _two, {"shared": _overlap})
