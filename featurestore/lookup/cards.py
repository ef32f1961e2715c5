"""What is known of a perturbation, a gene, a cell line or a dataset, as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from featurestore.errors import QueryError
from featurestore.lookup.named import find_named, refuse_name_of_several_genes
from featurestore.query.sqlfiles import sql_files

if TYPE_CHECKING:
    from featurestore.query.warehouse import Warehouse


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
    return signatures_of(store, pl.DataFrame({"dataset_id": [dataset_id], "condition_id": [condition_id]}))


def signatures_of(store: Warehouse, conditions: pl.DataFrame) -> pl.DataFrame:
    """Read the signatures of conditions, in their order, as :func:`signature_of` does; each dataset is asked once."""
    query, key = sql_files("lookup")["signatures"], ["dataset_id", "condition_id"]
    asked = conditions.group_by("dataset_id", maintain_order=True).agg("condition_id").rows()
    found = pl.concat(store.frame(query, {"dataset_id": dataset, "condition_ids": ids}) for dataset, ids in asked)
    return conditions.select(key).join(found, on=key, how="inner", maintain_order="left_right").select(found.columns)


def conditions_named(
    store: Warehouse, name: str, *, dataset_id: str | None = None, context: str | None = None
) -> pl.DataFrame:
    """List the conditions of a perturbation of some name, as :func:`conditions_of` does.

    Raises
    ------
    QueryError
        Nothing is called so, or several genes are; or it was not perturbed there.
    """
    called = find_named(store, name)
    found = called.filter(pl.col("entity").is_in(["perturbation", "compound"]))
    refuse_name_of_several_genes(called, name)
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
    return signatures_of(store, conditions)


def responses_of(store: Warehouse, gene_id: str) -> pl.DataFrame:
    """List how a gene responds to every condition that measured it, the surest first."""
    return store.frame(sql_files("ui")["responses"], {"gene_id": gene_id})


def datasets_in(store: Warehouse, context_id: str) -> pl.DataFrame:
    """List the datasets that measured a cell line or type, with their conditions and responders there."""
    return store.frame(sql_files("lookup")["datasets_of_context"], {"context_id": context_id})


def strongest_of(store: Warehouse, dataset_id: str) -> pl.DataFrame:
    """List the conditions of a dataset, those that change most genes beyond noise first."""
    return store.frame(sql_files("lookup")["strongest"], {"dataset_id": dataset_id})


def perturbations_of(store: Warehouse) -> pl.DataFrame:
    """List the perturbations of the snapshot, those of most datasets first."""
    return store.frame(sql_files("lookup")["perturbations"])


def moved_most(signature: pl.DataFrame, n: int, *, up: bool) -> pl.DataFrame:
    """Take the genes that go up, or down, the surest first; those that were not tested come by their effect."""
    sign = pl.col("effect") > 0 if up else pl.col("effect") < 0
    return signature.filter(sign).head(n)
