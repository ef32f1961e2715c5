"""Find what a name means in a snapshot: names of any time and any notation, whatever their capitals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from featurestore.errors import QueryError, did_you_mean
from featurestore.query.sqlfiles import sql_files

if TYPE_CHECKING:
    from featurestore.query.warehouse import Warehouse

ENTITIES = ("perturbation", "compound", "gene", "context", "dataset")
_SUGGESTED = 5
_CONTEXTS = r"""
select 'context' as entity, context_id as id, any_value(context_label) as label, context_id as what,
    true as is_exact
from condition
where regexp_replace(lower($words), '[^a-z0-9]', '', 'g')
    in (regexp_replace(lower(context_label), '[^a-z0-9]', '', 'g'), lower(context_id))
group by context_id
"""
_NAMES = """
select distinct unnest([perturbation, context_label, dataset_id]) as name from condition where not is_control order by 1
"""


def find_named(store: Warehouse, name: str) -> pl.DataFrame:
    """Find what is called exactly so.

    Parameters
    ----------
    store
        An open warehouse.
    name
        A symbol, former symbol or identifier of a gene, a perturbation, a compound, a cell line or a dataset.

    Returns
    -------
    One row each, perturbations first: ``entity`` (perturbation, compound, gene, context or dataset), ``id``, ``label``
    and ``what`` is known of it in a few words.

    Raises
    ------
    QueryError
        Nothing is called so; the nearest names are given.
    """
    words = name.strip()
    hits = pl.concat(
        [
            store.frame(sql_files("ui")["search"], {"words": words}).drop("n_conditions"),
            store.frame(_CONTEXTS, {"words": words}),
        ]
    )
    is_id = pl.col("id").str.to_lowercase() == words.lower()
    exact = hits.filter(pl.col("is_exact") | is_id).drop("is_exact")
    found = exact.unique(["entity", "id"], keep="first", maintain_order=True)
    if found.is_empty():
        raise _not_found(store, name, hits)
    rank = pl.col("entity").replace_strict({entity: at for at, entity in enumerate(ENTITIES)})
    return found.sort(rank, maintain_order=True)


def _not_found(store: Warehouse, name: str, hits: pl.DataFrame) -> QueryError:
    near = [f"{label} ({entity})" for entity, label in hits.select("entity", "label").head(_SUGGESTED).iter_rows()]
    return QueryError(
        f"Nothing is called '{name}' in this snapshot.",
        got=f"names that hold it: {', '.join(near)}" if near else "",
        do="ask for one of these" if near else did_you_mean(name, store.frame(_NAMES).to_series().to_list()),
    )
