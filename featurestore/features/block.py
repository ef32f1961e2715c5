"""One block of a feature matrix: what one external source says about the rows, and where that is from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.errors import FeatureError
from featurestore.features.lookalike import check_lookalikes
from featurestore.features.matrix import signature_matrix
from featurestore.features.perturbations import match_conditions
from featurestore.features.signature import (
    Reduction,
    component_reduction,
    gene_reduction,
    mean_of_matches,
    pick_genes,
)

if TYPE_CHECKING:
    from featurestore.features.elsewhere import Elsewhere, Measured
    from featurestore.features.selection import Source
    from featurestore.warehouse import Warehouse

_FEWEST_CONDITIONS = 3
"""Fewer conditions than this have no principal components worth the name."""


@dataclass(frozen=True, slots=True)
class Block:
    """Features of one source.

    Parameters
    ----------
    source
        The source.
    values
        float32, shape (rows, features); no features where the source is skipped.
    columns
        One line per feature, as in a feature matrix.
    per_row
        ``n_conditions/<source>`` and ``rule/<source>`` of each row.
    facts
        What the manifest says of the source.
    likeness
        The guard's verdict on whether the source looks like the target; None where it was not read.
    """

    source: Source
    values: npt.NDArray[np.float32]
    columns: pl.DataFrame
    per_row: pl.DataFrame
    facts: dict[str, Any]
    likeness: dict[str, Any] | None = None


def signature_block(warehouse: Warehouse, source: Source, measured: Measured, elsewhere: Elsewhere) -> Block:
    """Match, average and reduce one source, and add it to the mean elsewhere.

    A source that cannot say anything about the rows is skipped, and the block's facts say why.

    Raises
    ------
    LeakageError
        The source looks like the target under another name.
    FeatureError
        A dataset that the spec names has no effect of the wanted kind.
    """
    matches = match_conditions(measured.rows, source.conditions)
    n_rows = measured.rows.height
    if matches.is_empty():
        return _skipped(source, n_rows, matches, "no perturbation in common with the rows")
    try:
        ids = source.conditions["condition_id"]
        matrix = signature_matrix(warehouse, source.dataset_id, ids, source.effect_kind)
    except FeatureError as error:
        if source.feature.datasets is not None:
            raise
        return _skipped(source, n_rows, matches, error.what)
    likeness = check_lookalikes(source, matrix, matches, measured)
    elsewhere.add(source, matrix, matches)
    picked = pick_genes(matrix, source.feature.genes)
    values = matrix.values[:, picked]
    if not len(picked):
        return _skipped(source, n_rows, matches, "none of the named genes is measured")
    matched = mean_of_matches(values, matches, n_rows)
    present = values[np.isfinite(values).any(axis=1)]
    if source.feature.components is None:
        reduction = gene_reduction(matched, matrix.genes[picked])
    elif len(present) < _FEWEST_CONDITIONS or not np.nanstd(present, axis=0).any():
        return _skipped(source, n_rows, matches, "too few conditions, or none that differ, for components")
    else:
        reduction = component_reduction(present, matched, source.feature.components)
    return _block(source, matches, values, reduction, likeness)


def _block(
    source: Source,
    matches: pl.DataFrame,
    values: npt.NDArray[np.float32],
    reduction: Reduction,
    likeness: dict[str, Any],
) -> Block:
    covered = np.asarray(np.isfinite(reduction.values).any(axis=1))
    explained = reduction.columns["explained_variance"].sum() if source.feature.components else None
    facts = _facts(source) | {
        "n_genes": values.shape[1],
        "n_features": reduction.columns.height,
        "n_rows_covered": int(covered.sum()),
        "share_observed": float(np.isfinite(values).mean()),
        "explained_variance": explained,
    }
    return Block(
        source,
        reduction.values.astype(np.float32),
        _columns(source, reduction.columns),
        _per_row(source, matches, len(covered)),
        facts,
        likeness,
    )


def _skipped(source: Source, n_rows: int, matches: pl.DataFrame, reason: str) -> Block:
    nothing = gene_reduction(np.empty((n_rows, 0)), pl.DataFrame(schema={"gene_id": pl.String()}))
    return Block(
        source,
        nothing.values.astype(np.float32),
        _columns(source, nothing.columns),
        _per_row(source, matches, n_rows),
        _facts(source) | {"n_features": 0, "n_rows_covered": 0, "skipped": reason},
    )


def _facts(source: Source) -> dict[str, Any]:
    first = source.conditions.row(0, named=True)
    return {
        "source": source.block,
        "kind": source.feature.kind,
        "dataset_id": source.dataset_id,
        "release_id": first["release_id"],
        "context_id": source.context_id,
        "context_label": first["context_label"],
        "effect_kind": source.effect_kind,
        "licence": first["licence"],
        "n_conditions": source.conditions.height,
    }


def _columns(source: Source, columns: pl.DataFrame) -> pl.DataFrame:
    facts = _facts(source)
    shared = {
        name: facts[name] for name in ("kind", "dataset_id", "release_id", "context_id", "effect_kind", "licence")
    }
    return columns.select(
        name=pl.concat_str(pl.lit(f"{source.block}/"), "suffix"),
        block=pl.lit(source.block),
        **{name: pl.lit(value, pl.String()) for name, value in shared.items()},
        gene_id="gene_id",
        component="component",
        explained_variance="explained_variance",
    )


def _per_row(source: Source, matches: pl.DataFrame, n_rows: int) -> pl.DataFrame:
    counted = matches.group_by("row").agg(pl.len().cast(pl.Int64()).alias("n"), pl.col("rule").first())
    every = pl.DataFrame({"row": np.arange(n_rows, dtype=np.uint32)}).join(
        counted, on="row", how="left", maintain_order="left"
    )
    return every.select(
        pl.col("n").fill_null(0).alias(f"n_conditions/{source.block}"), pl.col("rule").alias(f"rule/{source.block}")
    )
