"""One block of a feature matrix: what one source says about the rows, and where that is from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.features.effects.components import component_reduction, gene_reduction
from featurestore.features.effects.signature import Effects

if TYPE_CHECKING:
    from featurestore.features.selection import Source

_FEWEST_CONDITIONS = 3
"""Fewer conditions than this have no principal components worth the name."""
ORIGIN = ("dataset_id", "release_id", "licence")
"""What a manifest says of each source."""
_PER_COLUMN = ("kind", "dataset_id", "release_id", "context_id", "effect_kind", "licence")


@dataclass(frozen=True, slots=True)
class FeatureBlock:
    """Features of one source.

    Parameters
    ----------
    name
        First part of its column names.
    values
        float32, shape (rows, features); no features where the source is skipped.
    columns
        One row per feature, as in a feature matrix.
    per_row
        ``n_conditions/<name>`` and ``rule/<name>`` of each row; rules that differ among its parts or sources are
        joined by ``; ``.
    facts
        What the manifest says of the source.
    origins
        dataset_id, release_id and licence of everything that it is made from.
    likeness
        The guard's verdicts on whether what it is made from looks like the target.
    of_genes
        The same features of the measured genes, float32, shape (genes, features), where it describes these too.
    """

    name: str
    values: npt.NDArray[np.float32]
    columns: pl.DataFrame
    per_row: pl.DataFrame
    facts: dict[str, Any]
    origins: list[dict[str, Any]]
    likeness: list[dict[str, Any]]
    of_genes: npt.NDArray[np.float32] | None = None


def source_facts(source: Source) -> dict[str, Any]:
    """Return what a manifest says of a source before it is read."""
    first = source.conditions.row(0, named=True)
    return {
        "source": source.block,
        "kind": source.feature.kind,
        "dataset_id": source.dataset_id,
        "release_id": first["release_id"],
        "context_id": source.context_id,
        "context_label": None if source.context_id is None else first["context_label"],
        "effect_kind": source.effect_kind,
        "licence": first["licence"],
        "n_conditions": source.conditions.height,
    }


def make_block(
    facts: dict[str, Any],
    matches: pl.DataFrame,
    external: npt.NDArray[np.float32],
    matched: npt.NDArray[np.floating],
    names: pl.DataFrame,
    *,
    components: int | None = None,
    origins: list[dict[str, Any]] | None = None,
    likeness: list[dict[str, Any]] | None = None,
    of_genes: Effects | None = None,
) -> FeatureBlock:
    """Reduce matched values to a block; one that has nothing to reduce is skipped, with the reason.

    Parameters
    ----------
    facts
        As of :func:`source_facts`.
    matches
        As of ``match_conditions``.
    external
        What components are fitted on, shape (conditions, features).
    matched
        Values of the rows, shape (rows, features).
    names
        ``gene_id`` of each feature, and ``suffix`` where its column name does not end with that.
    components
        How many components; None keeps every feature.
    origins, likeness
        As of :class:`FeatureBlock`; by default the one dataset of the facts, and no verdict.
    of_genes
        Values of the measured genes, shape (genes, features), where they are described too.
    """
    n_rows = len(matched)
    if matches.is_empty():
        return skipped(facts, n_rows, "no perturbation in common with the rows", likeness)
    if not matched.shape[1]:
        return skipped(facts, n_rows, "none of the named genes is measured", likeness)
    matched = matched if of_genes is None else np.concatenate([matched, of_genes])
    reduction = gene_reduction(matched, names)
    if components is not None:
        has = np.isfinite(external)
        filled, known = has.any(axis=1), has.any(axis=0)
        present = external if filled.all() else external[filled]
        if not known.all():
            present, matched = present[:, known], matched[:, known]
        if len(present) < _FEWEST_CONDITIONS or not (np.nanmin(present, axis=0) < np.nanmax(present, axis=0)).any():
            return skipped(facts, n_rows, "too few conditions, or none that differ, for components", likeness)
        reduction = component_reduction(present, matched, components)
    covered = np.asarray(np.isfinite(reduction.values).any(axis=1))
    values = np.asarray(reduction.values, dtype=np.float32)
    more = {
        "n_genes": external.shape[1],
        "n_features": reduction.columns.height,
        "n_rows_covered": int(covered[:n_rows].sum()),
        **({} if of_genes is None else {"n_genes_covered": int(covered[n_rows:].sum())}),
        "share_observed": float(np.isfinite(external).mean()),
        "explained_variance": reduction.columns["explained_variance"].sum() if components else None,
    }
    return FeatureBlock(
        facts["source"],
        values[:n_rows],
        _columns(facts, reduction.columns),
        _per_row(facts["source"], matches, n_rows),
        facts | more,
        [{name: facts[name] for name in ORIGIN}] if origins is None else origins,
        likeness or [],
        None if of_genes is None else values[n_rows:],
    )


def skipped(
    facts: dict[str, Any], n_rows: int, reason: str, likeness: list[dict[str, Any]] | None = None
) -> FeatureBlock:
    """Make a block without features of a source that says nothing about the rows, and tell why."""
    nothing = gene_reduction(np.empty((n_rows, 0)), pl.DataFrame(schema={"gene_id": pl.String()}))
    no_match = pl.DataFrame(schema={"row": pl.UInt32(), "rule": pl.String()})
    facts = facts | {"n_features": 0, "n_rows_covered": 0, "skipped": reason}
    columns, per_row = _columns(facts, nothing.columns), _per_row(facts["source"], no_match, n_rows)
    origins = [{name: facts[name] for name in ORIGIN}]
    return FeatureBlock(
        facts["source"], nothing.values.astype(np.float32), columns, per_row, facts, origins, likeness or []
    )


def _columns(facts: dict[str, Any], columns: pl.DataFrame) -> pl.DataFrame:
    return columns.select(
        name=pl.concat_str(pl.lit(f"{facts['source']}/"), "suffix"),
        block=pl.lit(facts["source"]),
        **{name: pl.lit(facts[name], pl.String()) for name in _PER_COLUMN},
        gene_id="gene_id",
        component="component",
        explained_variance="explained_variance",
    )


def _per_row(name: str, matches: pl.DataFrame, n_rows: int) -> pl.DataFrame:
    rules = pl.col("rule").unique(maintain_order=True).str.join("; ")
    counted = matches.group_by("row", maintain_order=True).agg(pl.len().cast(pl.Int64()).alias("n"), rules)
    every = pl.DataFrame({"row": np.arange(n_rows, dtype=np.uint32)}).join(
        counted, on="row", how="left", maintain_order="left"
    )
    return every.select(pl.col("n").fill_null(0).alias(f"n_conditions/{name}"), pl.col("rule").alias(f"rule/{name}"))
