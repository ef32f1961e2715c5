"""Ask a warehouse which signatures are like one: the question in a user's words, the answer as a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, TypedDict, Unpack, get_args

import numpy.typing as npt
import polars as pl

from featurestore.errors import QueryError, did_you_mean, first_of
from featurestore.features.identifiers import harmonise
from featurestore.search.aggregate import by_perturbation, enriched
from featurestore.search.engine import (
    ANSWER,
    SCORES,
    Report,
    Score,
    Signatures,
    compare,
    conditions_where,
    most_alike,
    signatures_of,
)
from featurestore.search.null import q_values
from featurestore.search.query import GeneNames, Query, set_query, signature_query
from featurestore.search.table import read_signature

if TYPE_CHECKING:
    from featurestore.query.warehouse import Warehouse

By: TypeAlias = Literal["condition", "perturbation", "moa", "target"]
Signature: TypeAlias = "str | Path | pl.DataFrame | tuple[Sequence[str], npt.ArrayLike]"
_KINDS = "select distinct perturbation_kind from condition where not is_control order by all"


class SearchOptions(TypedDict, total=False):
    """What may be said of a search, by name; see :func:`search`."""

    condition: tuple[str, str] | str | None
    perturbation: str | None
    context: str | None
    up: GeneNames | None
    down: GeneNames | None
    signature: Signature | None
    score: Score
    where: str | None
    kind: str | None
    opposite: bool
    by: By
    top: int
    background: Literal["removed", "kept"]
    report: Report


def search(
    warehouse: Warehouse,
    query: Query | None = None,
    *,
    condition: tuple[str, str] | str | None = None,
    perturbation: str | None = None,
    context: str | None = None,
    up: GeneNames | None = None,
    down: GeneNames | None = None,
    signature: Signature | None = None,
    score: Score = "cosine",
    where: str | None = None,
    kind: str | None = None,
    opposite: bool = False,
    by: By = "condition",
    top: int = 50,
    background: Literal["removed", "kept"] = "removed",
    report: Report = lambda _: None,
) -> pl.DataFrame:
    """Find what has the same effect as a query, or the opposite.

    Parameters
    ----------
    warehouse
        Where to search.
    query, condition, perturbation, up, down, signature
        What is searched for, one of: a query that was made before; dataset_id and condition_id (or
        ``"DATASET:ID"``); the name of a perturbation, in all its contexts or in ``context``; genes that go up and down,
        as a list, as ``"A,B"``, or a file; a table with a column of genes and one of values, or both as sequences.
    score
        How two signatures are compared: see ``featurestore/README.md``.
    where
        SQL over the columns of condition, quality, dataset and context: what is searched, and corrected for in q.
    kind
        A perturbation_kind, such as compound: the same as ``where="perturbation_kind = 'compound'"``.
    opposite
        Whether to list what does the opposite, the most opposite first.
    by
        One row for each condition, perturbation, mechanism (``moa``) or target.
    top
        Rows at most; 0 for all.
    background
        ``kept`` compares effects as they are, with what all signatures of a dataset share.

    Raises
    ------
    QueryError
        Not one thing is asked for, it is not known, or ``where`` is no SQL.
    """
    _check(warehouse, score, by, kind, top)
    made = _query(warehouse, query, condition, perturbation, context, up, down, signature, background, report)
    signatures = signatures_of(warehouse, keep_background=background == "kept", report=report)
    if by == "condition":
        answer = _conditions(warehouse, signatures, made, score, where, kind, top, report)
    else:
        answer = by_perturbation(_searched(warehouse, compare(signatures, made, score, report), where, kind))
        if by != "perturbation":
            answer = enriched(answer, warehouse.frame("select compound_id, moa, targets from compound"), by)
    return _ordered(answer, by, top, opposite=opposite)


def both_ends(
    warehouse: Warehouse, query: Query, *, score: Score = "cosine", where: str | None = None, kind: str | None = None,
    top: int = 50,
) -> tuple[pl.DataFrame, pl.DataFrame]:  # fmt: skip
    """Find what has the same effect (scores above 0) and what the opposite (below 0), comparing once.

    Parameters are those of :func:`search`, and so is what is raised.
    """
    _check(warehouse, score, "condition", kind, top)
    answer = _conditions(warehouse, signatures_of(warehouse), query, score, where, kind, top, lambda _: None)
    same, opposite = answer.filter(pl.col("score") > 0), answer.filter(pl.col("score") < 0)
    return _ordered(same, "condition", top, opposite=False), _ordered(opposite, "condition", top, opposite=True)


def _conditions(
    warehouse: Warehouse,
    signatures: Signatures,
    query: Query,
    score: Score,
    where: str | None,
    kind: str | None,
    top: int,
    report: Report,
) -> pl.DataFrame:
    """Score conditions; of a large dataset those at both ends, where no more are wanted."""
    n_others = 0
    if top and score == "cosine" and where is None and kind is None:
        found, n_others = most_alike(signatures, query, top, report)
    else:
        found = _searched(warehouse, compare(signatures, query, score, report), where, kind)
    q = pl.Series(q_values(found["p_value"].to_numpy(), n_others), dtype=pl.Float64())
    return found.with_columns(q_value=q).select(*ANSWER, "effect_kind", "perturbation_kind")


def _ordered(answer: pl.DataFrame, by: By, top: int, *, opposite: bool) -> pl.DataFrame:
    keys = [name for name in ("dataset_id", "condition_id", "perturbation_id", by) if name in answer.columns]
    answer = answer.sort("score", *keys, descending=[not opposite] + [False] * len(keys))
    return answer.head(top) if top else answer


def search_many(warehouse: Warehouse, queries: Sequence[Query], **options: Unpack[SearchOptions]) -> pl.DataFrame:
    """Answer many queries, one below the other; the column ``query`` has their names.

    Raises
    ------
    QueryError
        There is no query, or one cannot be answered.
    """
    parts = [
        search(warehouse, query, **options).select(pl.lit(query.name).alias("query"), pl.all()) for query in queries
    ]
    if not parts:
        raise QueryError("There is nothing to search for.", expected="one query or more")
    return pl.concat(parts)


def condition_query(
    warehouse: Warehouse, dataset_id: str, condition_id: str, *, keep_background: bool = False
) -> Query:
    """Make a query of one condition.

    Raises
    ------
    UnknownDatasetError, QueryError
        There is no such condition, or it has no signature.
    """
    warehouse.snapshot.release_of(dataset_id)
    known = warehouse.frame("select condition_id from condition where dataset_id = ?", [dataset_id])["condition_id"]
    if condition_id not in known:
        do = did_you_mean(condition_id, known.to_list())
        raise QueryError(f"There is no condition '{condition_id}'.", where=dataset_id, do=do)
    signatures = signatures_of(warehouse, keep_background=keep_background)
    return signatures.query_of([(dataset_id, condition_id)], f"{dataset_id}:{condition_id}")


def perturbation_query(
    warehouse: Warehouse, name: str, context: str | None = None, *, keep_background: bool = False
) -> Query:
    """Make a query of a perturbation, by any of its names: the mean over its conditions, in one context or in all.

    Raises
    ------
    QueryError
        No condition has that name, or that context.
    """
    target = harmonise(warehouse, [name])["target_id"][0]
    frame = warehouse.frame(
        "select dataset_id, condition_id, perturbation, context_label, context_id from condition where not is_control "
        "and (perturbation_id = $target or compound_id = $target or lower(perturbation) = lower($name) "
        "or lower(perturbation_label) = lower($name))",
        {"target": target or name, "name": name},
    )
    if frame.is_empty():
        names = warehouse.frame("select distinct perturbation from condition where not is_control")["perturbation"]
        raise QueryError(f"There is no perturbation '{name}'.", do=did_you_mean(name, names.drop_nulls().to_list()))
    if context is not None:
        contexts = frame["context_label"].drop_nulls().unique().sort().to_list()
        is_in = (pl.col("context_label").str.to_lowercase() == context.lower()) | (pl.col("context_id") == context)
        frame = frame.filter(is_in)
        if frame.is_empty():
            raise QueryError(
                f"'{name}' was not done in '{context}'.", got=first_of(contexts), do=did_you_mean(context, contexts)
            )
    signatures = signatures_of(warehouse, keep_background=keep_background)
    label = name if context is None else f"{name} in {context}"
    return signatures.query_of(list(frame.select("dataset_id", "condition_id").iter_rows()), label)


def _query(
    warehouse: Warehouse,
    query: Query | None,
    condition: tuple[str, str] | str | None,
    perturbation: str | None,
    context: str | None,
    up: GeneNames | None,
    down: GeneNames | None,
    signature: Signature | None,
    background: str,
    report: Report,
) -> Query:
    sets = None if up is None and down is None else (up, down)
    asked = [each for each in (query, condition, perturbation, sets, signature) if each is not None]
    if len(asked) != 1:
        raise QueryError(
            "One thing is searched for at a time.",
            expected="one of query, condition, perturbation, up with down, signature",
            got=f"{len(asked)} of them",
        )
    if context is not None and perturbation is None:
        raise QueryError("A context is of a perturbation.", do="name the perturbation, or filter with where")
    if query is not None:
        return query
    is_kept = background == "kept"
    if condition is not None or perturbation is not None:
        signatures_of(warehouse, keep_background=is_kept, report=report)
    if condition is not None:
        dataset_id, condition_id = condition.partition(":")[::2] if isinstance(condition, str) else condition
        return condition_query(warehouse, dataset_id, condition_id, keep_background=is_kept)
    if perturbation is not None:
        return perturbation_query(warehouse, perturbation, context, keep_background=is_kept)
    if sets is not None:
        return set_query(warehouse, up, down)
    genes, values = signature if isinstance(signature, tuple) else read_signature(signature)
    return signature_query(warehouse, genes, values)


def _check(warehouse: Warehouse, score: str, by: str, kind: str | None, top: int) -> None:
    for given, known, what in ((score, SCORES, "score"), (by, get_args(By), "grain")):
        if given not in known:
            raise QueryError(f"There is no {what} '{given}'.", do=did_you_mean(given, known))
    if top < 0:
        raise QueryError("A number of rows is 0, for all, or more.", got=str(top))
    if kind is not None:
        kinds = warehouse.frame(_KINDS)["perturbation_kind"].drop_nulls().to_list()
        if kind not in kinds:
            raise QueryError(f"There is no condition of kind '{kind}'.", do=did_you_mean(kind, kinds))


def _searched(warehouse: Warehouse, found: pl.DataFrame, where: str | None, kind: str | None) -> pl.DataFrame:
    """Keep what was asked for."""
    if kind is not None:
        found = found.filter(pl.col("perturbation_kind") == kind)
    if where is not None:
        found = found.join(
            conditions_where(warehouse, where), on=["dataset_id", "condition_id"], how="semi", maintain_order="left"
        )
    return found
