"""Scores of predicted against measured effects: small pure functions, each registered once.

Arrays are of shape (perturbations, genes) and scores float64 of shape (perturbations,). A gene that is NaN on either
side is left out for that perturbation. A score that is undefined is NaN, never 0: whoever averages has to count them.

:data:`METRICS` lists every metric with its definition, best value and known loophole; :func:`compute` computes all
that its inputs allow. The definitions follow cell-eval 0.8.2 and cell-eval2 0.20 where these have the metric; what
differs is stated in the docstring.
"""

from featurestore.metrics.deltas import centred_pearson, mae, mae_levels, mse, mse_levels, pearson_delta
from featurestore.metrics.discrimination import Distance, pds, pds_cosine, pds_l2
from featurestore.metrics.effect_sizes import spearman_effect_size, spearman_lfc, spearman_n_significant
from featurestore.metrics.expression_calls import (
    ap_by_lfc,
    ap_by_p,
    direction_match,
    overlap_at_n,
    precision_at_n,
    roc_by_lfc,
    roc_by_p,
    significant_recall,
)
from featurestore.metrics.inputs import Inputs, computable, compute
from featurestore.metrics.registry import METRICS, Metric, describe, get_metric
from featurestore.metrics.rows import Effects, Scores, Truths

__all__ = [
    "METRICS",
    "Distance",
    "Effects",
    "Inputs",
    "Metric",
    "Scores",
    "Truths",
    "ap_by_lfc",
    "ap_by_p",
    "centred_pearson",
    "computable",
    "compute",
    "describe",
    "direction_match",
    "get_metric",
    "mae",
    "mae_levels",
    "mse",
    "mse_levels",
    "overlap_at_n",
    "pds",
    "pds_cosine",
    "pds_l2",
    "pearson_delta",
    "precision_at_n",
    "roc_by_lfc",
    "roc_by_p",
    "significant_recall",
    "spearman_effect_size",
    "spearman_lfc",
    "spearman_n_significant",
]
