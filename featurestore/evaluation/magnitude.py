"""Scores of predictions multiplied by a number: what a score owes to magnitude, and not to what was learnt."""

from __future__ import annotations

import numpy as np
import polars as pl

from featurestore.evaluation.held_out import HeldOut, Setting
from featurestore.evaluation.value import mean_of_known, of_perturbations

FACTORS = (0.25, 0.5, 1.0, 1.5, 2.0, 4.0)
_SCALE_FREE = ("pearson_delta", "pds_cosine")
"""Scores that a positive factor does not change."""
_OF_SCALE = ("mae", "pds")
_NAMES = ("pearson_delta", "mae", "pds", "pds_cosine")


def rescaled_scores(setting: Setting, found: dict[str, HeldOut]) -> pl.DataFrame:
    """Multiply held-out predictions, and score again what that changes.

    Returns
    -------
    One row per model and factor: ``pearson_delta``, ``mae``, ``pds`` and ``pds_cosine``, means over perturbations;
    nothing of a single readout, which has no magnitude apart from its value.
    """
    if setting.matrix.Y.shape[1] == 1:
        return pl.DataFrame()
    records = []
    for model, held_out in found.items():
        for factor in FACTORS:
            scores = {name: held_out.scores[name] for name in _NAMES if factor == 1 or name in _SCALE_FREE}
            if factor != 1:
                scores |= setting.score_parts(held_out.predicted * np.float32(factor), _OF_SCALE)
            means = {name: mean_of_known(of_perturbations(setting, scores[name])) for name in _NAMES}
            records.append({"model": model, "factor": factor} | means)
    return pl.DataFrame(records).fill_nan(None) if records else pl.DataFrame()
