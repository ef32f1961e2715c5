"""Catalogue and search: a picture of the warehouse, questions that it answers, its datasets, and where a name leads."""

from __future__ import annotations

from typing import Any

import polars as pl

from featurestore.ui.asked import Asked, address
from featurestore.ui.links import link
from featurestore.ui.page import Chart, Page, figure
from featurestore.ui.pages.coverage import shared_perturbations
from featurestore.ui.tables import table

_DRAWN = 20
"""Datasets of one picture, and lines."""
_RECENT = 5
"""Datasets that are listed as recent."""


def _datasets(asked: Asked) -> pl.DataFrame:
    return asked.questions.ask("catalogue")


def _by_kind(asked: Asked) -> pl.DataFrame:
    return asked.questions.ask("conditions_by_kind")


def _largest(asked: Asked) -> list[str]:
    """Name the datasets that pictures show: those of most conditions."""
    totals = _by_kind(asked).group_by("dataset_id").agg(pl.col("n_conditions").sum())
    return totals.sort(["n_conditions", "dataset_id"], descending=[True, False])["dataset_id"].head(_DRAWN).to_list()


def _kinds(asked: Asked) -> Chart:
    from featurestore.ui import charts  # noqa: PLC0415, a page needs no chart library

    largest = pl.DataFrame({"dataset_id": _largest(asked)}, {"dataset_id": pl.String})
    summed = _by_kind(asked).group_by("dataset_id", "perturbation_kind").agg(n=pl.col("n_conditions").sum())
    points = largest.join(summed, on="dataset_id", maintain_order="left").select(
        "n",
        group="dataset_id",
        kind="perturbation_kind",
        page=pl.col("dataset_id").map_elements(lambda name: address("dataset", id=name), pl.String),
    )
    return charts.bars(points, "conditions of each dataset")


def _lines(asked: Asked) -> Chart:
    from featurestore.ui import charts  # noqa: PLC0415, a page needs no chart library

    cells = _by_kind(asked).filter(pl.col("dataset_id").is_in(_largest(asked)))
    cells = cells.group_by("line", dataset="dataset_id").agg(n=pl.col("n_conditions").sum())
    lines = cells.group_by("line").agg(pl.col("n").sum()).sort(["n", "line"], descending=[True, False]).head(_DRAWN)
    drawn = lines.select("line").join(cells, on="line", maintain_order="left")
    return charts.counts(drawn, one="line", other="dataset", title="conditions")


def _overlaps(asked: Asked) -> Chart:
    from featurestore.ui import charts  # noqa: PLC0415, a page needs no chart library

    largest = _largest(asked)
    shared = shared_perturbations(asked).filter(pl.col("a").is_in(largest) & pl.col("b").is_in(largest))
    return charts.counts(shared, one="a", other="b", title="perturbations in both")


def _examples(asked: Asked) -> list[tuple[str, str]]:
    """Return three questions that this warehouse answers, each with the address of its answer."""
    told = asked.questions.ask("telling")
    if told.is_empty():
        return []
    one = told.row(0, named=True)
    key = {"dataset_id": one["dataset_id"], "condition_id": one["condition_id"]}
    genes = asked.questions.ask("signature", **key).drop_nulls("gene_symbol")
    moved = genes.filter(~pl.col("gene_id").is_in(one["target_gene_ids"] or []))
    name, n = one["perturbation"], one["n_datasets"]
    where = f"in {n} datasets" if n > 1 else "here"
    questions = [(f"What does {name} do, {where}?", address("perturbation", id=one["perturbation_id"]))]
    for gene_id, symbol in moved.select("gene_id", "gene_symbol").head(1).iter_rows():
        questions.append((f"Which perturbations move {symbol} most?", address("gene", id=gene_id)))
    alike = address("similar", condition=":".join(key.values()))
    return [*questions, (f"Which perturbations have the same effect as {name}, and which the opposite?", alike)]


def _catalogue(asked: Asked) -> dict[str, Any]:
    frame = _datasets(asked)
    enough = pl.coalesce("n_data_points", "n_conditions").alias("n_data_points")
    sums = frame.select(pl.col("n_conditions", "n_responders", "n_cells").sum(), enough.sum()).row(0, named=True)
    of = "" if frame.height <= _DRAWN else f" The {_DRAWN} datasets of most conditions."
    recent = frame.sort("ingested_at", descending=True, nulls_last=True, maintain_order=True).head(_RECENT)
    return {
        "title": "Catalogue",
        "n_datasets": frame.height,
        "sums": sums,
        "examples": _examples(asked),
        "figures": [
            figure(asked, "kinds", f"Conditions of each dataset, by kind of perturbation; a bar leads to it.{of}"),
            figure(asked, "lines", f"Conditions in each cell line or type, the {_DRAWN} of most; blank is none.{of}"),
            figure(asked, "overlaps", f"Perturbations that two datasets share; the diagonal is all that each has.{of}"),
        ],
        "recent": recent.select("dataset_id", "title", "ingested_at").rows(named=True),
        "datasets": table(asked, "datasets", "Datasets", frame),
    }


def _found(asked: Asked) -> pl.DataFrame:
    return asked.questions.ask("search", words=asked.needed("q").lower()).drop("is_exact")


def _search(asked: Asked) -> dict[str, Any]:
    words = asked.text("q")
    if not words:
        return {"title": "Search", "words": "", "hits": None, "near": []}
    hits = table(asked, "hits", f"What is called {words}", _found(asked).with_columns(id=pl.col("id")))
    near = [] if hits.n_rows else asked.questions.ask("suggestions", words=words).rows(named=True)
    suggested = [(row["label"], row["entity"], link("label", row)) for row in near]
    return {"title": f"{words}: search", "words": words, "hits": hits, "near": suggested}


CATALOGUE = Page(
    "",
    "catalogue.html",
    _catalogue,
    {"datasets": _datasets},
    {"kinds": _kinds, "lines": _lines, "overlaps": _overlaps},
    about=lambda asked, _: ("The warehouse", tuple(_largest(asked))),
)
SEARCH = Page("search", "search.html", _search, {"hits": _found})
