"""What is known of a perturbation, a gene, a cell line or a dataset, as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from featurestore.errors import QueryError
from featurestore.lookup.named import find_named
from featurestore.query.sqlfiles import sql_files

if TYPE_CHECKING:
    from featurestore.query.warehouse import Warehouse

_SIGNATURES = """
select dataset_id, condition_id, perturbation, context_label, dose_um, time_h, n_cells, is_responder, gene_id, gene,
    effect, effect_kind, standard_error, log2fc, z, p_value, q_value
from effects where dataset_id = $dataset_id and condition_id = $condition_id
order by abs(z) desc nulls last, abs(effect) desc, gene_id
"""
_OF_CONTEXT = """
select dataset_id, count(*) as n_conditions, count(*) filter (q.is_responder) as n_responders,
    sum(c.n_cells)::bigint as n_cells
from condition as c left join quality as q using (dataset_id, condition_id)
where c.context_id = $context_id and not c.is_control group by dataset_id order by n_conditions desc, dataset_id
"""
_OF_DATASET = """
select perturbation, context_label, dose_um, time_h, c.n_cells, q.knockdown_ratio, q.n_significant, q.is_responder
from condition as c left join quality as q using (dataset_id, condition_id)
where c.dataset_id = $dataset_id and not c.is_control
order by q.n_significant desc nulls last, q.effect_norm desc nulls last, c.condition_id
"""
_PERTURBATIONS = """
select perturbation, perturbation_kind, count(distinct dataset_id) as n_datasets,
    count(distinct context_id) as n_contexts, count(*) as n_conditions, count(*) filter (q.is_responder) as n_responders
from condition as c left join quality as q using (dataset_id, condition_id)
where not c.is_control group by all order by n_datasets desc, n_conditions desc, perturbation, perturbation_kind
"""


def conditions_of(store: Warehouse, perturbation_id: str) -> pl.DataFrame:
    """List the conditions of a perturbation or compound, those that change most genes beyond noise first.

    Returns
    -------
    Among others ``dataset_id``, ``condition_id``, ``perturbation_kind``, ``context_label``, ``dose_um``, ``time_h``,
    ``n_cells``, ``knockdown_ratio``, ``n_significant``, ``is_responder`` and the ``reason``.
    """
    return store.frame(sql_files("ui")["perturbation"], {"perturbation_id": perturbation_id})


def signature_of(store: Warehouse, dataset_id: str, condition_id: str) -> pl.DataFrame:
    """Read the signature of a condition, the surest genes first, each row with what is known of the condition."""
    return store.frame(_SIGNATURES, {"dataset_id": dataset_id, "condition_id": condition_id})


def conditions_named(
    store: Warehouse, name: str, *, dataset_id: str | None = None, context: str | None = None
) -> pl.DataFrame:
    """List the conditions of a perturbation of some name, as :func:`conditions_of` does.

    Raises
    ------
    QueryError
        Nothing is called so; or it was not perturbed there.
    """
    found = find_named(store, name).filter(pl.col("entity").is_in(["perturbation", "compound"]))
    listed = [conditions_of(store, identity) for identity in found["id"].unique(maintain_order=True)]
    conditions = pl.concat(listed) if listed else pl.DataFrame(schema={"dataset_id": pl.String})
    if not conditions.is_empty() and dataset_id is not None:
        conditions = conditions.filter(pl.col("dataset_id") == dataset_id)
    if not conditions.is_empty() and context is not None:
        ids = find_named(store, context).filter(pl.col("entity") == "context")["id"]
        conditions = conditions.filter(pl.col("context_id").is_in(ids.to_list()))
    if conditions.is_empty():
        where = " and ".join(filter(None, (dataset_id and f"dataset {dataset_id}", context and f"context {context}")))
        raise QueryError(
            f"'{name}' was not perturbed{' in ' + where if where else ' in this snapshot'}.",
            do="featurestore show NAME says where it was, or what moves it",
        )
    return conditions


def signatures_named(
    store: Warehouse, name: str, *, dataset_id: str | None = None, context: str | None = None
) -> pl.DataFrame:
    """Read the signatures of a perturbation of some name; see :meth:`featurestore.store.Store.signature`.

    Raises
    ------
    QueryError
        Nothing is called so; or it was not perturbed there.
    """
    conditions = conditions_named(store, name, dataset_id=dataset_id, context=context)
    keys = conditions.select("dataset_id", "condition_id").iter_rows()
    return pl.concat(signature_of(store, *key) for key in keys)


def responses_of(store: Warehouse, gene_id: str) -> pl.DataFrame:
    """List how a gene responds to every condition that measured it, the surest first."""
    return store.frame(sql_files("ui")["responses"], {"gene_id": gene_id})


def datasets_in(store: Warehouse, context_id: str) -> pl.DataFrame:
    """List the datasets that measured a cell line or type, with their conditions and responders there."""
    return store.frame(_OF_CONTEXT, {"context_id": context_id})


def strongest_of(store: Warehouse, dataset_id: str) -> pl.DataFrame:
    """List the conditions of a dataset, those that change most genes beyond noise first."""
    return store.frame(_OF_DATASET, {"dataset_id": dataset_id})


def perturbations_of(store: Warehouse) -> pl.DataFrame:
    """List the perturbations of the snapshot, those of most datasets first."""
    return store.frame(_PERTURBATIONS)


def moved_most(signature: pl.DataFrame, n: int, *, up: bool) -> pl.DataFrame:
    """Take the genes that go up, or down, the surest first; those that were not tested come by their effect."""
    sign = pl.col("effect") > 0 if up else pl.col("effect") < 0
    return signature.filter(sign).head(n)
