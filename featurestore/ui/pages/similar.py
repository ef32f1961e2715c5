"""What has the same effect as a signature, and what the opposite: of a condition, a perturbation or pasted genes."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.errors import QueryError, first_of
from featurestore.features.effects.similarity import FEWEST_GENES
from featurestore.search import Query, condition_query, perturbation_query, running_sum, set_query, signatures_of
from featurestore.search.block import SignatureBlock
from featurestore.ui.alike import choices, keys_of, lists, shown_lists
from featurestore.ui.asked import Asked
from featurestore.ui.page import Chart, Page, figure

_DRAWN = 4000
"""Points of one scatter: those farthest from 0."""
_CHOICES = 20
"""Signatures of each list whose enrichment can be plotted."""
_POINTS = 500
"""Points of a curve, those of the set's genes and of its highest and lowest place beside them."""


def _query(asked: Asked) -> Query | None:
    """Make the query that the address gives: genes are taken as they are pasted, never as the name of a file."""
    store, condition, perturbation = asked.questions.store, asked.text("condition"), asked.text("perturbation")
    if condition:
        dataset_id, _, condition_id = condition.partition(":")
        return condition_query(store, dataset_id, condition_id)
    if perturbation:
        return perturbation_query(store, perturbation)
    up, down = (re.split(r"[\s,;]+", asked.text(side)) for side in ("up", "down"))
    return set_query(store, up, down, "the genes given") if any(up + down) else None


def _needed(asked: Asked) -> Query:
    query = _query(asked)
    if query is None:
        raise QueryError("There is nothing to search for.", do="name a perturbation, or paste genes")
    return query


def _mimic(asked: Asked) -> pl.DataFrame:
    return lists(asked, _needed(asked))[0]


def _reverse(asked: Asked) -> pl.DataFrame:
    return lists(asked, _needed(asked))[1]


def _hit(asked: Asked) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.float64], SignatureBlock]:
    """Return the genes of the signature that is looked at, its values (NaN where there is none), and its dataset."""
    dataset_id, _, condition_id = asked.needed("hit").partition(":")
    for block in signatures_of(asked.questions.store).blocks:
        if block.dataset_id == dataset_id:
            for row in block.conditions.with_row_index("row").filter(condition_id=condition_id)["row"]:
                return block.genes, np.where(block.rows[row] == 0, np.nan, block.rows[row]), block
    raise QueryError("There is no such signature.", got=asked.text("hit"), do="choose one of the list on the page")


def _curves(asked: Asked) -> pl.DataFrame:
    """Return the running sums of the query's sets down one signature: set, rank and sum."""
    query, (_, values, block) = _needed(asked), _hit(asked)
    sides = zip(("up", "down"), query.members(block), strict=True)
    return pl.concat(_curve(side, running_sum(values, members)) for side, members in sides if members.size)


def _both(asked: Asked, given: Query | None = None) -> pl.DataFrame:
    """Return the query's values and one signature's, for the genes that both have, as they are compared."""
    query, (genes, values, block) = given or _needed(asked), _hit(asked)
    asked_for = np.where(query.on(block) == 0, np.nan, query.on(block))
    symbols = asked.questions.ask("symbols")
    both = pl.DataFrame({"gene_id": genes, "query": asked_for, "hit": values}).filter(
        pl.col("query").is_finite(), pl.col("hit").is_finite()
    )
    return both.join(symbols, on="gene_id", how="left", maintain_order="left").select(
        "gene_id", "gene_symbol", "query", "hit"
    )


def _scatter(asked: Asked) -> Chart:
    from featurestore.ui import charts  # noqa: PLC0415, a page needs no chart library

    query = _needed(asked)
    both = _both(asked, query)
    far = both.sort(pl.max_horizontal(pl.col("query").abs(), pl.col("hit").abs()), descending=True).head(_DRAWN)
    points = far.select(
        pl.coalesce("gene_symbol", "gene_id").alias("gene"),
        x="query",
        y="hit",
        target=pl.lit("other gene"),
    )
    r = both.select(pl.corr("query", "hit")).item() if both.height >= FEWEST_GENES else None
    return charts.scatter(points, query.name, asked.text("hit"), r=None if r is None or np.isnan(r) else r)


def _curve(side: str, sums: np.ndarray[Any, np.dtype[np.float64]]) -> pl.DataFrame:
    drawn = np.unique([*np.linspace(0, len(sums) - 1, _POINTS).astype(int), sums.argmax(), sums.argmin()])
    return pl.DataFrame({"set": [f"genes that go {side}"] * len(drawn), "rank": drawn + 1, "sum": sums[drawn]})


def _enrichment(asked: Asked) -> Chart:
    from featurestore.ui import charts  # noqa: PLC0415, a page needs no chart library

    return charts.running_sums(_curves(asked))


def _similar(asked: Asked) -> dict[str, Any]:
    context: dict[str, Any] = {
        "title": "Similar signatures",
        "of": "",
        "asked": {name: asked.text(name) for name in ("condition", "perturbation", "up", "down")},
        "choices": choices(asked),
        "chosen": {name: asked.text(name) for name in choices(asked)},
        "mimic": None,
        "error": None,
        "unknown": "",
    }
    try:
        query = _query(asked)
        if query is None:
            return context
        mimic, reverse = lists(asked, query)
    except QueryError as failure:
        return context | {"error": failure}
    plotted = pl.concat([mimic.head(_CHOICES), reverse.head(_CHOICES)])
    names = plotted.select(
        pl.concat_str("perturbation", "context_label", "dataset_id", separator=", ", ignore_nulls=True)
    ).to_series()
    context |= {"of": query.name, "unknown": first_of(query.unknown, 20), "n_genes": len(query.genes)}
    context |= shown_lists(asked, mimic, reverse)
    keys = keys_of(plotted)
    if not keys:
        return context
    of_hit = Asked(asked.page, {**asked.values, "hit": asked.text("hit") or keys[0]}, asked.questions)
    enrichment = (
        "Running sum of the query's genes down the signature, from what it raises most to what it lowers most; "
        "a peak on the left for genes that go up and a trough on the right for those that go down are a mimic."
    )
    scatter = "The query against the signature, as they are compared: scaled, without what all signatures share."
    return context | {
        "hits": list(zip(keys, names, strict=True)),
        "hit": asked.text("hit"),
        "enrichment": figure(of_hit, "enrichment", enrichment),
        "scatter": None if query.is_sets else figure(of_hit, "scatter", scatter, "tall"),
        "scatter_as": of_hit.parts("scatter", "csv", "parquet"),
    }


def _about(asked: Asked, _: str) -> tuple[str, tuple[str, ...]]:
    """Name the query and the signature that it is compared with, and the datasets of both."""
    hit = asked.needed("hit")
    datasets = [name.partition(":")[0] for name in (asked.text("condition"), hit) if name]
    return f"{_needed(asked).name} against {hit}", tuple(dict.fromkeys(datasets))


PAGE = Page(
    "similar",
    "similar.html",
    _similar,
    {"mimic": _mimic, "reverse": _reverse, "enrichment": _curves, "scatter": _both},
    {"enrichment": _enrichment, "scatter": _scatter},
    about=_about,
)
