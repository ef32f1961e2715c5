"""From conditions to perturbations, and from perturbations to the mechanisms and targets that they share."""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy.special import ndtr

from featurestore.search.null import q_values

FEWEST_MEMBERS = 3
"""Perturbations of a mechanism, or of a target, that say something of it."""
_HIGH, _LOW = 0.67, 0.33


def by_perturbation(found: pl.DataFrame) -> pl.DataFrame:
    """Give each perturbation one line.

    Its score is the 67th or the 33rd percentile of its conditions' scores, whichever is of larger magnitude, as CMap
    aggregates; its p the smallest of its conditions' times their number.
    """
    high = pl.col("score").quantile(_HIGH, "linear")
    low = pl.col("score").quantile(_LOW, "linear")
    table = found.group_by("perturbation_id", "perturbation_kind", maintain_order=True).agg(
        pl.col("perturbation").first(),
        score=pl.when(high.abs() >= low.abs()).then(high).otherwise(low),
        p_value=(pl.col("p_value").min() * pl.len()).clip(0, 1),
        n_conditions=pl.len().cast(pl.Int64),
        n_datasets=pl.col("dataset_id").n_unique().cast(pl.Int64),
        n_genes=pl.col("n_genes").median().round().cast(pl.Int64),
        n_responders=pl.when(pl.col("is_responder").count() > 0).then(pl.col("is_responder").sum()).cast(pl.Int64),
        compound_id=pl.col("compound_id").first(),
        target_symbols=pl.col("target_symbols").first(),
    )
    return table.with_columns(q_value=_q(table))


def enriched(perturbations: pl.DataFrame, compounds: pl.DataFrame, by: str) -> pl.DataFrame:
    """Find the mechanisms (``moa``) or targets whose perturbations stand together at one end of the list.

    Parameters
    ----------
    perturbations
        Of :func:`by_perturbation`.
    compounds
        compound_id, moa and targets.
    by
        ``moa`` or ``target``.

    Returns
    -------
    A line for each with three perturbations or more: score (1 where all are before all others, -1 where all are after),
    the two-sided p of the rank sum, q, and the perturbations.
    """
    named = perturbations.join(compounds.unique("compound_id"), on="compound_id", how="left")
    ranks = named["score"].rank("average")
    column = "moa" if by == "moa" else "targets"
    dtype = named.schema[column]
    parts = pl.col(column) if dtype == pl.List(pl.String()) else pl.col(column).cast(pl.String()).str.split("|")
    groups = (
        parts.fill_null([]) if by == "moa" else parts.fill_null([]).list.concat(pl.col("target_symbols").fill_null([]))
    )
    members = (
        named.select(
            "perturbation",
            "perturbation_id",
            "score",
            rank=ranks,
            name=groups.list.eval(pl.element().str.strip_chars()),
        )
        .explode("name")
        .filter(pl.col("name").str.len_chars() > 0)
        .unique(["perturbation_id", "name"], maintain_order=True)
    )
    table = (
        members.sort("score", descending=True, maintain_order=True)
        .group_by("name", maintain_order=True)
        .agg(
            rank_sum=pl.col("rank").sum(),
            n_perturbations=pl.len().cast(pl.Int64),
            mean_score=pl.col("score").mean(),
            perturbations=pl.col("perturbation"),
        )
        .filter(pl.col("n_perturbations") >= FEWEST_MEMBERS, pl.col("n_perturbations") < named.height)
    )
    n, total = table["n_perturbations"].to_numpy().astype(float), float(named.height)
    u = table["rank_sum"].to_numpy() - n * (n + 1) / 2
    others = np.maximum(total - n, 1)
    ties = named["score"].value_counts()["count"].to_numpy().astype(float)
    spread = n * others / 12 * (total + 1 - (ties**3 - ties).sum() / max(total * (total - 1), 1))
    z = (np.abs(u - n * others / 2) - 0.5) / np.sqrt(np.where(spread > 0, spread, np.inf))
    table = table.with_columns(
        score=pl.Series(2 * u / (n * others) - 1, dtype=pl.Float64()),
        p_value=pl.Series(np.minimum(2 * ndtr(-np.maximum(z, 0)), 1), dtype=pl.Float64()),
    )
    table = table.with_columns(q_value=_q(table)).rename({"name": by})
    return table.select(by, "score", "p_value", "q_value", "n_perturbations", "mean_score", "perturbations")


def _q(table: pl.DataFrame) -> pl.Series:
    return pl.Series(q_values(table["p_value"].to_numpy()), dtype=pl.Float64())
