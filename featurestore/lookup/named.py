"""Find what a name means in a snapshot: names of any time and any notation, whatever their capitals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from featurestore.errors import QueryError, did_you_mean, first_of
from featurestore.query.sqlfiles import sql_files

if TYPE_CHECKING:
    from featurestore.query.warehouse import Warehouse

ENTITIES = ("perturbation", "compound", "gene", "context", "dataset")
_SUGGESTED = 5


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
            store.frame(sql_files("lookup")["contexts_named"], {"words": words}),
        ]
    )
    is_id = pl.col("id").str.to_lowercase() == words.lower()
    exact = hits.filter(pl.col("is_exact") | is_id).drop("is_exact")
    found = exact.unique(["entity", "id"], keep="first", maintain_order=True)
    if found.is_empty():
        raise _not_found(store, name, hits)
    rank = pl.col("entity").replace_strict({entity: at for at, entity in enumerate(ENTITIES)})
    return found.sort(rank, maintain_order=True)


def refuse_name_of_several_genes(found: pl.DataFrame, name: str) -> None:
    """Refuse a name, found as :func:`find_named` does, that several genes have and no perturbation or compound has.

    Raises
    ------
    QueryError
        It names every gene.
    """
    genes = found.filter(pl.col("entity") == "gene").sort("label")
    if genes.height > 1 and not found["entity"].is_in(["perturbation", "compound"]).any():
        raise QueryError(
            f"'{name}' is a name of {genes.height:,} genes.",
            got=first_of([f"{label} ({what})" for label, what in genes.select("label", "what").iter_rows()]),
            do=f"ask for the one that is meant: {first_of(genes['label'].to_list())}",
        )


def _not_found(store: Warehouse, name: str, hits: pl.DataFrame) -> QueryError:
    compared = store.frame(sql_files("lookup")["controls_named"], {"words": name.strip()})["dataset_id"].to_list()
    if compared:
        return QueryError(
            f"'{name}' is a control: other conditions are compared with it.",
            where=first_of(compared),
            do='see its cells: featurestore sql "select * from condition where is_control"',
        )
    near = [f"{label} ({entity})" for entity, label in hits.select("entity", "label").head(_SUGGESTED).iter_rows()]
    do = "ask for one of these"
    if not near:
        do = did_you_mean(name, store.frame(sql_files("lookup")["names"]).to_series().to_list())
    return QueryError(
        f"Nothing is called '{name}' in this snapshot.",
        got=f"names that hold it: {', '.join(near)}" if near else "",
        do=do,
    )
