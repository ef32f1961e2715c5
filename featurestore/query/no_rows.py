"""Why a statement may have no rows: a name in its WHERE that nothing has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from featurestore.errors import did_you_mean
from featurestore.query.confine import check_select
from featurestore.query.tree import parts_of, text_of

if TYPE_CHECKING:
    from featurestore.query.warehouse import Warehouse

_NAMES = {
    "perturbation": "condition.perturbation",
    "perturbation_kind": "condition.perturbation_kind",
    "context_label": "condition.context_label",
    "context_id": "condition.context_id",
    "dataset_id": "dataset.dataset_id",
    "gene": "gene.gene_symbol",
    "gene_symbol": "gene.gene_symbol",
}
"""Columns that are asked for by name, and where all the names of one are."""


def unknown_values(store: Warehouse, query: str) -> list[str]:
    """Say which names of a SELECT nothing has, each in a sentence, with those that may be meant.

    Parameters
    ----------
    store
        Where it was asked.
    query
        A SELECT that DuckDB answered, without rows.
    """
    with store.cursor(query="") as cursor:
        tree = check_select(cursor, query)
    asked = dict.fromkeys(_compared(json.loads(tree))) if tree else {}
    found = []
    for column, value in asked:
        view, name = _NAMES[column].split(".")
        known = store.frame(f"select distinct {name} from {view} where {name} is not null order by 1").to_series()  # noqa: S608
        if value not in known:
            meant = _as_gene(store, value) if column == "perturbation" else ""
            found.append(f"No {column} is '{value}': {meant or did_you_mean(value, known.to_list())}")
    return found


def _as_gene(store: Warehouse, value: str) -> str:
    """Say that a name is of a gene that was measured and not perturbed."""
    is_gene = store.frame("select 1 from gene where gene_symbol = ? limit 1", [value]).height
    return f"it was measured, not perturbed; what moves it is in effects where gene = '{value}'" if is_gene else ""


def _compared(tree: Any) -> Iterator[tuple[str, str]]:
    """Yield each column that is compared with a text, and the text."""
    for part in parts_of(tree):
        if part.get("type") == "COMPARE_EQUAL":
            yield from _pairs([part.get("left"), part.get("right")])
        elif part.get("type") == "COMPARE_IN":
            yield from _pairs(part.get("children") or [])


def _pairs(sides: list[Any]) -> Iterator[tuple[str, str]]:
    columns = [str(side["column_names"][-1]).lower() for side in sides if side and side.get("column_names")]
    texts = [text for side in sides if (text := text_of(side)) is not None]
    yield from ((column, text) for column in columns if column in _NAMES for text in texts)
