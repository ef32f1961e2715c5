"""What does the same as a signature, and what the opposite: of a condition, a perturbation, or of genes pasted here."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import polars as pl

from featurestore.errors import QueryError, did_you_mean, first_of
from featurestore.search import (
    SCORES,
    Query,
    condition_query,
    perturbation_query,
    running_sum,
    search,
    set_query,
    signatures_of,
)
from featurestore.ui.asked import Asked
from featurestore.ui.page import Chart, Page, figure
from featurestore.ui.tables import table

_MOST = 200
"""Signatures of each list."""
_CHOICES = 20
"""Signatures of each list whose enrichment can be plotted."""
_POINTS = 500
"""Points of a curve, those of the set's genes and of its highest and lowest place beside them."""
_KINDS = "select distinct perturbation_kind from condition where not is_control order by all"


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


def _choices(asked: Asked) -> dict[str, list[str]]:
    """Return what lists can be narrowed to, by the name of the value."""
    kinds = asked.questions.store.frame(_KINDS)["perturbation_kind"].drop_nulls().to_list()
    return {"kind": kinds, "dataset": sorted(asked.questions.store.snapshot.datasets), "score": list(SCORES)}


def _answer(asked: Asked, *, is_opposite: bool) -> pl.DataFrame:
    chosen = {}
    for name, known in _choices(asked).items():
        chosen[name] = asked.text(name)
        if chosen[name] and chosen[name] not in known:
            raise QueryError(f"There is no {name} '{chosen[name]}'.", do=did_you_mean(chosen[name], known))
    score = next(name for name in SCORES if name == (chosen["score"] or SCORES[0]))
    where = f"dataset_id = '{chosen['dataset']}'" if chosen["dataset"] else None
    answer = search(
        asked.questions.store,
        _needed(asked),
        score=score,
        where=where,
        kind=chosen["kind"] or None,
        opposite=is_opposite,
        top=_MOST,
    )
    answer = answer.filter(pl.col("score") < 0 if is_opposite else pl.col("score") > 0)
    named = asked.questions.ask("named", conditions=tuple(_key(answer)))
    return answer.join(named, on=["dataset_id", "condition_id"], how="left", maintain_order="left")


def _key(frame: pl.DataFrame) -> list[str]:
    return frame.select(pl.format("{}:{}", "dataset_id", "condition_id")).to_series().to_list()


def _mimic(asked: Asked) -> pl.DataFrame:
    return _answer(asked, is_opposite=False)


def _reverse(asked: Asked) -> pl.DataFrame:
    return _answer(asked, is_opposite=True)


def _curves(asked: Asked) -> pl.DataFrame:
    """Return the running sums of the query's sets down one signature: set, rank and sum."""
    query, (dataset_id, _, condition_id) = _needed(asked), asked.needed("hit").partition(":")
    for block in signatures_of(asked.questions.store).blocks:
        if block.dataset_id != dataset_id:
            continue
        for row in block.conditions.with_row_index("row").filter(condition_id=condition_id)["row"]:
            values = np.where(block.rows[row] == 0, np.nan, block.rows[row])
            sides = zip(("up", "down"), query.members(block), strict=True)
            return pl.concat(_curve(side, running_sum(values, members)) for side, members in sides if members.size)
    raise QueryError("There is no such signature.", got=asked.text("hit"), do="choose one of the list on the page")


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
        "asked": {name: asked.text(name) for name in ("condition", "perturbation", "up", "down", *_choices(asked))},
        "choices": _choices(asked),
        "mimic": None,
        "error": None,
        "unknown": "",
    }
    try:
        query = _query(asked)
        if query is None:
            return context
        mimic, reverse = _mimic(asked), _reverse(asked)
    except QueryError as failure:
        return context | {"error": failure}
    plotted = pl.concat([mimic.head(_CHOICES), reverse.head(_CHOICES)])
    names = plotted.select(
        pl.concat_str("perturbation", "context_label", "dataset_id", separator=", ", ignore_nulls=True)
    ).to_series()
    keys = _key(plotted)
    asked = Asked(
        asked.page, {**asked.values, "hit": asked.text("hit") or keys[0]} if keys else asked.values, asked.questions
    )
    return context | {
        "of": query.name,
        "unknown": first_of(query.unknown, 20),
        "n_genes": len(query.genes),
        "mimic": table(asked, "mimic", "Mimic: these do the same", mimic, "Nothing does the same."),
        "reverse": table(asked, "reverse", "Reverse: these do the opposite", reverse, "Nothing does the opposite."),
        "hits": list(zip(keys, names, strict=True)),
        "hit": asked.text("hit"),
        "enrichment": figure(
            asked,
            "enrichment",
            "Running sum of the query's genes down the signature, from what it raises most to what it lowers most; "
            "a peak on the left for genes that go up and a trough on the right for those that go down are a mimic.",
        )
        if keys
        else None,
    }


PAGE = Page(
    "similar",
    "similar.html",
    _similar,
    {"mimic": _mimic, "reverse": _reverse, "enrichment": _curves},
    {"enrichment": _enrichment},
)
