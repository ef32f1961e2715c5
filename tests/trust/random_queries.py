"""Questions about datasets as nobody would think of them all, and their answers by one engine: ``random_queries.py``.

As a program it reads a list of queries (JSON) from standard input, asks them of the warehouse that it is given, and
writes the answers and the engine's version.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import duckdb

from featurestore.errors import FeatureStoreError
from featurestore.query.results import json_text
from featurestore.query.warehouse import Warehouse

VIEWS = ("dataset", "condition", "quality", "signature", "mapping", "context", "effects", "statistics")
JOINS = ("join", "left join", "right join", "full join", "semi join", "anti join")
TOGETHER = ("union all", "union", "except", "intersect")
ABSENT = "no_such_dataset"


def query(rng: random.Random, names: list[str]) -> str:
    """Make a query whose answer does not depend on the order of rows or of sums."""
    view, other = rng.choice(VIEWS), rng.choice(VIEWS)
    where, also = (_pinned(rng, names, alias) for alias in ("a", "b"))
    join, together = rng.choice(JOINS), rng.choice(TOGETHER)
    grouped = "select a.dataset_id, count(*) as n from"
    forms = [
        f"{grouped} {view} a where {where} group by all order by all",
        f"select distinct dataset_id from {view} a where {where} order by all",
        f"select count(*) as n, min(dataset_id), max(dataset_id) from {view} a where {where}",
        (
            f"{grouped} {view} a {join} dataset b on a.dataset_id = b.dataset_id and {also} where {where} "
            "group by all order by all"
        ),
        f"{grouped} {view} a {join} dataset b using (dataset_id) where {where} group by all order by all",
        f"with c as (select * from {view} b where {also}) {grouped} c a where {where} group by all order by all",
        f"{grouped} (select * from {view} b where {also}) a where {where} group by all order by all",
        (
            f"select dataset_id from {view} a where {where} {together} "
            f"select dataset_id from {other} b where {also} order by all"
        ),
        (
            f"select a.dataset_id, (select count(*) from {view} b where b.dataset_id = a.dataset_id and {also}) as n "
            f"from dataset a where {where} order by all"
        ),
        (
            f"select a.dataset_id from dataset a where {rng.choice(['', 'not '])}exists (select 1 from {view} b where "
            f"b.dataset_id = a.dataset_id and {also}) and {where} order by all"
        ),
        (
            f"{grouped} {view} a where {where} group by all having count(*) > (select count(*) from {other} b "
            f"where {also}) order by all"
        ),
        f"select dataset_id, count(*) filter (where {where}) as n from {view} a group by all order by all",
        (
            f"select * from (select a.dataset_id, row_number() over (order by a.dataset_id) as n from dataset a "
            f"where {where}) where n > 1 order by all"
        ),
    ]
    return rng.choice(forms)


def _pinned(rng: random.Random, names: list[str], alias: str) -> str:
    """Make a condition, of which half name the datasets that a row can be of."""
    more = _condition(rng, names, alias)
    pins = (f"{alias}.dataset_id = '{rng.choice(names)}'", f"{alias}.dataset_id in {tuple(rng.sample(names, 2))}")
    return f"{rng.choice(pins)} and {more}" if rng.random() < 0.5 else more


def _condition(rng: random.Random, names: list[str], alias: str, depth: int = 2) -> str:
    column = f"{alias}.dataset_id"
    one, two = rng.choice([*names, ABSENT]), rng.choice(names)
    if depth and rng.random() < 0.5:
        parts = [_condition(rng, names, alias, depth - 1) for _ in range(2)]
        return rng.choice([f"({parts[0]} and {parts[1]})", f"({parts[0]} or {parts[1]})", f"(not {parts[0]})"])
    return rng.choice(
        [
            f"{column} = '{one}'",
            f"'{one}' = {column}",
            f"{column} <> '{one}'",
            f"{column} in ('{one}', '{two}')",
            f"{column} not in ('{one}', '{two}')",
            f"{column} is not distinct from '{one}'",
            f"{column} like '{one[:2]}%'",
            f"{column} between '{one}' and '{two}'",
            f"{column} || '' = '{one}'",
            f"upper({column}) = '{one.upper()}'",
            f"{column} = (select min(dataset_id) from dataset)",
            f"{column} in (select dataset_id from dataset where dataset_id > '{one}')",
            f"(case when {column} = '{one}' then true else {column} = '{two}' end)",
            f"coalesce({column} = '{one}', true)",
            f"({column} = '{one}') is not true",
            f"({column}, 1) in (('{one}', 1), ('{two}', 2))",
            "true",
            "null",
        ]
    )


def answers(root: Path, queries: list[str]) -> list[str]:
    """Ask each query; what is refused is its answer too."""
    found = []
    with Warehouse(root) as store:
        for each in queries:
            try:
                found.append(json_text(store.frame(each)))
            except FeatureStoreError as error:
                found.append(type(error).__name__)
    return found


if __name__ == "__main__":
    json.dump([duckdb.__version__, answers(Path(sys.argv[1]), json.load(sys.stdin))], sys.stdout)
