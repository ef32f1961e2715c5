"""Scores of predicted against measured effects: small pure functions, each registered once.

Arrays are of shape (perturbations, genes) and scores float64 of shape (perturbations,). A gene that is NaN on either
side is left out for that perturbation. A score that is undefined is NaN, never 0: whoever averages has to count them.

:data:`METRICS` lists every metric with its definition, best value and known loophole; :func:`compute` computes all
that its inputs allow. The definitions follow cell-eval 0.8.2 and cell-eval2 0.20 where these have the metric; what
differs is stated in the docstring.
"""

from featurestore.metrics.deltas import centred_pearson, mae, mae_levels, mse, mse_levels, pearson_delta

# isort: split
# isort: split, metrics are listed in this order
from featurestore.metrics.challenge_2025 import VCC_2025, from_baseline, mean_profile, score_2025
from featurestore.metrics.challenge_2026 import (
    direction_fidelity,
    direction_reach,
    expression_error,
    lfc_error,
    log_bulk,
    pds_2026,
    significant_jaccard,
)
from featurestore.metrics.discrimination import pds, pds_cosine, pds_l2
from featurestore.metrics.distances import Distance
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
from featurestore.metrics.score_2026 import VCC_2026, score_2026

__all__ = [
    "METRICS",
    "VCC_2025",
    "VCC_2026",
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
    "direction_fidelity",
    "direction_match",
    "direction_reach",
    "expression_error",
    "from_baseline",
    "get_metric",
    "lfc_error",
    "log_bulk",
    "mae",
    "mae_levels",
    "mean_profile",
    "mse",
    "mse_levels",
    "overlap_at_n",
    "pds",
    "pds_2026",
    "pds_cosine",
    "pds_l2",
    "pearson_delta",
    "precision_at_n",
    "roc_by_lfc",
    "roc_by_p",
    "score_2025",
    "score_2026",
    "significant_jaccard",
    "significant_recall",
    "spearman_effect_size",
    "spearman_lfc",
    "spearman_n_significant",
]
