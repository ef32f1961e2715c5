"""Scores of held-out predictions by condition, and their means over perturbations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.metrics import Effects, Inputs, Metric, Scores, compute, get_metric

if TYPE_CHECKING:
    from featurestore.features.effects.significant import Calls
    from featurestore.features.matrix.feature_matrix import FeatureMatrix

METRICS: tuple[Metric, ...] = tuple(map(get_metric, ("pearson_delta", "centred_pearson", "mae", "pds", "pds_cosine")))
"""What a model is judged by."""
FURTHER: tuple[Metric, ...] = tuple(
    map(get_metric, ("mse", "spearman_lfc", "overlap_at_n", "direction_match", "ap_by_lfc"))
)
"""What else is told of it; most of these need genes that respond."""
OWN_TARGETS = "mae_own_targets"
"""Mean absolute error on own targets, which no other score looks at."""
SCORED = (*(m.name for m in (*METRICS, *FURTHER)), OWN_TARGETS)
OF_EFFECTS = ("mae", "mse")
"""Of a single readout nothing but errors is defined row by row."""
STRATA = ("all", "covered", "uncovered", "responder", "non_responder")
_ROW = ("condition_id", "perturbation_id", "perturbation_label", "group")
_DISCRIMINATION = ("pds", "pds_cosine")
_ELSEWHERE = (*_DISCRIMINATION, OWN_TARGETS)


def score_rows(
    matrix: FeatureMatrix,
    rows: npt.NDArray[np.intp],
    predicted: Effects,
    train_mean: Effects,
    own: npt.NDArray[np.bool_],
    calls: Calls | None = None,
    names: tuple[str, ...] = SCORED,
) -> dict[str, Scores]:
    """Score the predictions of some rows; discrimination is among these rows.

    Parameters
    ----------
    matrix
        The matrix.
    rows
        Positions of the rows.
    predicted
        Predicted effects, shape (rows of the part, genes).
    train_mean
        Mean effect of the part's training rows, shape (genes,).
    own
        Own targets of all rows, which no metric but :data:`OWN_TARGETS` looks at.
    calls
        Genes that respond, of those tested, of all rows: scores that need them look at no gene that was not tested.
    names
        What to compute, as far as it can be.
    """
    whole, left_out = matrix.Y[rows], own[rows]
    visible = np.where(left_out, np.nan, whole)
    known = Inputs(predicted=predicted, measured=visible, train_mean=train_mean)
    called = Inputs() if calls is None else _called(calls[rows], predicted, visible)
    labels = matrix.rows["perturbation_id"].to_numpy()[rows]
    rivals = Inputs(predicted=predicted, measured=whole, left_out=left_out, labels=labels)
    single = matrix.Y.shape[1] == 1
    scores: dict[str, Scores] = {}
    for inputs, chosen in (
        (known, [n for n in names if n not in _ELSEWHERE and not _needs_calls(n)]),
        (called, [n for n in names if n not in _ELSEWHERE and _needs_calls(n)]),
        (rivals, [n for n in names if n in _DISCRIMINATION]),
    ):
        given = inputs.given()
        can = [n for n in chosen if all(need in given for need in get_metric(n).needs)]
        can = [n for n in can if n in OF_EFFECTS or not single]
        scores |= {name: np.asarray(values) for name, values in compute(inputs, can).items()}
    if OWN_TARGETS in names:
        of_own = Inputs(predicted=predicted, measured=np.where(left_out, whole, np.nan))
        scores[OWN_TARGETS] = np.asarray(compute(of_own, ["mae"])["mae"])
    return scores


def _needs_calls(name: str) -> bool:
    return "significant" in get_metric(name).needs


def _called(calls: Calls, predicted: Effects, visible: Effects) -> Inputs:
    """Return what scores of calls are computed from: of genes that were tested alone, own targets left out."""
    tested = calls.tested & np.isfinite(visible)
    effects = np.where(tested, predicted, np.nan), np.where(tested, visible, np.nan)
    return Inputs(predicted=effects[0], measured=effects[1], significant=calls.significant & tested)


def score_table(
    matrix: FeatureMatrix,
    model: str,
    scores: dict[str, Scores],
    is_fallback: npt.NDArray[np.bool_],
    fold: npt.NDArray[np.int64],
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
    fold
        The part in which a row was held out.
    """
    has = matrix.rows.columns
    return matrix.rows.select(
        pl.lit(model).alias("model"),
        *_ROW,
        fold=pl.Series(fold),
        n_cells=pl.col("n_cells") if "n_cells" in has else pl.lit(None, pl.Int64()),
        is_covered=pl.Series(matrix.covered),
        is_fallback=pl.Series(is_fallback),
        is_responder=pl.col("is_responder") if "is_responder" in has else pl.lit(None, pl.Boolean()),
        **{name: pl.Series(values).fill_nan(None) for name, values in scores.items()},
    )


def by_perturbation(table: pl.DataFrame, metric: str) -> pl.DataFrame:
    """Average a score over the conditions of each perturbation: one column per model, in order of perturbation_id."""
    return (
        table.group_by("perturbation_id", "model", maintain_order=True)
        .agg(pl.col(metric).mean())
        .pivot("model", index="perturbation_id", values=metric)
        .sort("perturbation_id")
    )


def summarise(table: pl.DataFrame) -> pl.DataFrame:
    """Average scores over perturbations, each perturbation once however many conditions it has.

    Returns
    -------
    One row per model, stratum and metric: ``mean`` (NULL where none is defined), ``n_perturbations`` and
    ``n_undefined``. Strata are all rows, those that some source covers and the others, responders and the others; a
    condition of which it is unknown whether it responds is in neither of the last two.
    """
    responds = pl.col("is_responder") if "is_responder" in table.columns else pl.lit(None, pl.Boolean())
    chosen: dict[str, pl.Expr] = {
        "all": pl.lit(value=True),
        "covered": pl.col("is_covered"),
        "uncovered": ~pl.col("is_covered"),
        "responder": responds.fill_null(value=False),
        "non_responder": (~responds).fill_null(value=False),
    }
    parts = [
        table.filter(rule)
        .unpivot(
            [name for name in SCORED if name in table.columns],
            index=["model", "perturbation_id"],
            variable_name="metric",
        )
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
