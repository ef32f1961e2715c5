"""Scores of held-out predictions by condition, and their means over perturbations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.metrics import Effects, Scores, centred_pearson, mae, pds, pearson_delta

if TYPE_CHECKING:
    from featurestore.features.feature_matrix import FeatureMatrix


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric's name in tables and files, its title, and whether more is better."""

    name: str
    title: str
    more_is_better: bool


METRICS = (
    Metric("pearson_delta", "Pearson delta", more_is_better=True),
    Metric("centred_pearson", "centred Pearson", more_is_better=True),
    Metric("mae", "MAE", more_is_better=False),
    Metric("pds", "PDS", more_is_better=True),
    Metric("pds_cosine", "PDS cosine", more_is_better=True),
)
STRATA = ("all", "covered", "uncovered")
_ROW = ("condition_id", "perturbation_id", "perturbation_label", "group", "fold")


def score_fold(
    matrix: FeatureMatrix,
    rows: npt.NDArray[np.intp],
    predicted: Effects,
    train_mean: Effects,
    own: npt.NDArray[np.bool_],
) -> dict[str, Scores]:
    """Score the predictions of one fold's rows; discrimination is among the rows of the fold.

    Parameters
    ----------
    matrix
        The matrix.
    rows
        Positions of the fold's rows.
    predicted
        Predicted effects, shape (rows of the fold, genes).
    train_mean
        Mean effect of the fold's training rows, shape (genes,).
    own
        Own targets of all rows, which no metric looks at.
    """
    whole = matrix.Y[rows]
    measured = np.where(own[rows], np.nan, whole)
    labels = matrix.rows["perturbation_id"].to_numpy()[rows]

    def discrimination(distance: Any) -> Scores:
        return pds(predicted, whole, distance=distance, left_out=own[rows], labels=labels)

    return {
        "pearson_delta": pearson_delta(predicted, measured),
        "centred_pearson": centred_pearson(predicted, measured, train_mean),
        "mae": mae(predicted, measured),
        "pds": discrimination("l1"),
        "pds_cosine": discrimination("cosine"),
    }


def score_table(
    matrix: FeatureMatrix, model: str, scores: dict[str, Scores], is_fallback: npt.NDArray[np.bool_]
) -> pl.DataFrame:
    """Put the scores of one model beside its rows; undefined scores are NULL.

    Parameters
    ----------
    matrix
        The matrix.
    model
        Name of the model.
    scores
        Scores of every row by metric.
    is_fallback
        Whether the model had nothing to say about the row and predicted the training mean.
    """
    return matrix.rows.select(
        pl.lit(model).alias("model"),
        *_ROW,
        is_covered=pl.Series(matrix.covered),
        is_fallback=pl.Series(is_fallback),
        **{name: pl.Series(values).fill_nan(None) for name, values in scores.items()},
    )


def summarise(table: pl.DataFrame) -> pl.DataFrame:
    """Average scores over perturbations, each perturbation once however many conditions it has.

    Returns
    -------
    One row per model, stratum (all rows, those that some source covers, the others) and metric: ``mean`` (NULL where
    none is defined), ``n_perturbations`` and ``n_undefined``.
    """
    chosen: dict[str, pl.Expr] = {
        "all": pl.lit(value=True),
        "covered": pl.col("is_covered"),
        "uncovered": ~pl.col("is_covered"),
    }
    parts = [
        table.filter(rule)
        .unpivot([m.name for m in METRICS], index=["model", "perturbation_id"], variable_name="metric")
        .group_by("model", "metric", "perturbation_id", maintain_order=True)
        .agg(pl.col("value").mean())
        .group_by("model", "metric", maintain_order=True)
        .agg(
            mean=pl.col("value").mean(),
            n_perturbations=pl.len().cast(pl.Int64()),
            n_undefined=pl.col("value").null_count().cast(pl.Int64()),
        )
        .select("model", pl.lit(stratum).alias("stratum"), "metric", "mean", "n_perturbations", "n_undefined")
        for stratum, rule in chosen.items()
    ]
    return pl.concat(parts)
