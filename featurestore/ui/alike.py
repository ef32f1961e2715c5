"""Lists of what has the same effect as a signature, and what the opposite, on any page that has one."""

from __future__ import annotations

from typing import Any

import polars as pl

from featurestore.errors import QueryError, did_you_mean
from featurestore.search import SCORES, Query, both_ends
from featurestore.ui.asked import Asked
from featurestore.ui.tables import table

_MOST = 200
"""Signatures of each list."""


def choices(asked: Asked) -> dict[str, list[str]]:
    """Return what lists can be narrowed to, by the name of the value, and the scores."""
    known = asked.questions.ask("searchable_kinds")
    kinds, contexts = (
        known[name].drop_nulls().unique().sort().to_list() for name in ("perturbation_kind", "context_label")
    )
    datasets = sorted(asked.questions.store.snapshot.datasets)
    return {"kind": kinds, "context": contexts, "dataset": datasets, "score": list(SCORES)}


def lists(asked: Asked, query: Query) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Search once for what has the same effect and what the opposite, narrowed as the address says.

    Raises
    ------
    QueryError
        A choice is none of those that there are.
    """
    chosen = {}
    for name, known in choices(asked).items():
        chosen[name] = asked.text(name)
        if chosen[name] and chosen[name] not in known:
            raise QueryError(f"There is no {name} '{chosen[name]}'.", do=did_you_mean(chosen[name], known))
    columns = {"dataset_id": chosen["dataset"], "context_label": chosen["context"]}
    where = " and ".join(f"{name} = {_text(value)}" for name, value in columns.items() if value)
    score = next(name for name in SCORES if name == (chosen["score"] or SCORES[0]))
    ends = both_ends(
        asked.questions.store, query, score=score, where=where or None, kind=chosen["kind"] or None, top=_MOST
    )
    keys = tuple(key for end in ends for key in keys_of(end))
    named = asked.questions.ask("named", conditions=keys)
    first, last = (
        end.join(named, on=["dataset_id", "condition_id"], how="left", maintain_order="left") for end in ends
    )
    return first, last


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def keys_of(frame: pl.DataFrame) -> list[str]:
    """Name conditions as addresses do."""
    return frame.select(pl.format("{}:{}", "dataset_id", "condition_id")).to_series().to_list()


def shown_lists(asked: Asked, mimic: pl.DataFrame, reverse: pl.DataFrame) -> dict[str, Any]:
    """Return what the macro ``show_alike`` shows."""
    known = choices(asked)
    return {
        "choices": known,
        "chosen": {name: asked.text(name) for name in known},
        "mimic": table(asked, "mimic", "Mimic: these have the same effect", mimic, "Nothing has the same effect."),
        "reverse": table(asked, "reverse", "Reverse: these do the opposite", reverse, "Nothing does the opposite."),
    }
