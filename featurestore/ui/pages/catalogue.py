"""Catalogue and search: what is in the warehouse, and where a name leads."""

from __future__ import annotations

from typing import Any

import polars as pl

from featurestore.ui.asked import Asked
from featurestore.ui.page import Page
from featurestore.ui.tables import table


def _datasets(asked: Asked) -> pl.DataFrame:
    return asked.questions.ask("catalogue")


def _catalogue(asked: Asked) -> dict[str, Any]:
    frame = _datasets(asked)
    enough = pl.coalesce("n_data_points", "n_conditions").alias("n_data_points")
    sums = frame.select(pl.col("n_conditions", "n_responders", "n_cells").sum(), enough.sum()).row(0, named=True)
    return {
        "title": "Catalogue",
        "n_datasets": frame.height,
        "sums": sums,
        "datasets": table(asked, "datasets", "Datasets", frame),
    }


def _found(asked: Asked) -> pl.DataFrame:
    return asked.questions.ask("search", words=asked.needed("q").lower()).drop("is_exact")


def _search(asked: Asked) -> dict[str, Any]:
    words = asked.text("q")
    if not words:
        return {"title": "Search", "words": "", "hits": None}
    hits = table(asked, "hits", f"What is called {words}", _found(asked).with_columns(id=pl.col("id")))
    return {"title": f"{words}: search", "words": words, "hits": hits}


CATALOGUE = Page("", "catalogue.html", _catalogue, {"datasets": _datasets})
SEARCH = Page("search", "search.html", _search, {"hits": _found})
