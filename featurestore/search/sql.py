"""``similar(perturbation)`` and ``similar(dataset, condition)`` in SQL: a table of what a signature is like.

A statement that names it is looked at before it runs: each condition that is asked for is searched, and its answer
waits in a table in memory, which the macro of that name reads. Nothing is written, and no file read that a query may
not read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl

from featurestore.errors import QueryError, first_of
from featurestore.query.tree import Parameters, parts_of, text_of
from featurestore.search.answer import search

if TYPE_CHECKING:
    from featurestore.query.warehouse import Warehouse

NAME = "similar"
_TABLE = "similar_signatures"
_COLUMNS = """
    query_dataset varchar, query_condition varchar, dataset_id varchar, condition_id varchar, perturbation varchar,
    context_label varchar, dose_um double, time_h double, score double, p_value double, q_value double, n_genes bigint,
    is_responder boolean, effect_kind varchar, perturbation_kind varchar
"""
_CONDITIONS = """
    select condition_id from condition where dataset_id = $dataset
    and (condition_id = $named or lower(perturbation) = lower($named)) order by condition_id
"""
_MACRO = """
    create macro "similar"
    (dataset, condition) as table (
        select * exclude (query_dataset, query_condition) from memory.main.similar_signatures
        where query_dataset = dataset and query_condition = condition order by score desc, dataset_id, condition_id
    ),
    (named) as table (
        select * exclude (query_dataset, query_condition) from memory.main.similar_signatures
        where query_dataset = '' and query_condition = named order by score desc, dataset_id, condition_id
    )
"""


def answer_similar(warehouse: Warehouse, tree: str, parameters: Parameters) -> None:
    """Search what a SELECT asks of ``similar``, unless that was done before.

    Parameters
    ----------
    warehouse
        Where to search.
    tree
        The SELECT as ``json_serialize_sql`` writes it.
    parameters
        What its ``?`` or ``$name`` stand for.

    Raises
    ------
    QueryError
        The dataset or condition is not known, or not written out.
    """
    calls = list(_calls(json.loads(tree), parameters))
    if not calls:
        return
    with warehouse.cursor(query="") as cursor:
        cursor.execute(f"create table if not exists {_TABLE} ({_COLUMNS})")
        for dataset_id, condition_id in calls:
            done = f"select 1 from {_TABLE} where query_dataset = ? and query_condition = ? limit 1"  # noqa: S608
            if cursor.execute(done, [dataset_id, condition_id]).fetchone():
                continue
            if dataset_id:
                key = (dataset_id, _condition(warehouse, dataset_id, condition_id))
                found = search(warehouse, condition=key, top=0)
            else:
                found = search(warehouse, perturbation=condition_id, top=0)
            named = found.select(
                pl.lit(dataset_id).alias("query_dataset"), pl.lit(condition_id).alias("query_condition"), pl.all()
            )
            cursor.register("found", named.to_arrow())
            cursor.execute(f"insert into {_TABLE} select * from found")  # noqa: S608
            cursor.unregister("found")
        try:
            cursor.execute(_MACRO)
        except duckdb.CatalogException:
            return  # it was made before


def _condition(warehouse: Warehouse, dataset_id: str, named: str) -> str:
    """Return the condition that is named by its id, or by its perturbation where the dataset has one such condition.

    Raises
    ------
    QueryError
        The dataset has several of that perturbation.
    """
    ids = warehouse.frame(_CONDITIONS, {"dataset": dataset_id, "named": named})["condition_id"].to_list()
    if named in ids or not ids:
        return named
    if len(ids) > 1:
        raise QueryError(
            f"{dataset_id} has {len(ids):,} conditions of '{named}'.",
            do=f"name one: {first_of([repr(each) for each in ids])}",
        )
    return str(ids[0])


def _calls(tree: Any, parameters: Parameters) -> Iterator[tuple[str, str]]:
    for part in parts_of(tree):
        function = part.get("function")
        name = function.get("function_name") if isinstance(function, dict) else None
        if part.get("type") == "TABLE_FUNCTION" and str(name).lower() == NAME:
            yield _arguments(function or {}, parameters)


def _arguments(function: Mapping[str, Any], parameters: Parameters) -> tuple[str, str]:
    given = function.get("arguments") or []
    values = [text_of(each.get("expression"), parameters) for each in given]
    if len(values) not in {1, 2} or None in values:
        raise QueryError(
            f"{NAME} needs a perturbation, or a dataset and a condition, written out.",
            do="ask: select * from similar('STAT1'), or similar('dataset_id', 'condition_id')",
        )
    *dataset, named = map(str, values)
    return (dataset[0] if dataset else ""), named
