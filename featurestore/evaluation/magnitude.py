"""Scores of predictions multiplied by a number: what a score owes to magnitude, and not to what was learnt."""

from __future__ import annotations

import numpy as np
import polars as pl

from featurestore.evaluation.held_out import HeldOut, Setting
from featurestore.evaluation.value import of_perturbations

FACTORS = (0.25, 0.5, 1.0, 1.5, 2.0, 4.0)
_NAMES = ("pearson_delta", "mae", "pds", "pds_cosine")


def rescaled_scores(setting: Setting, found: dict[str, HeldOut]) -> pl.DataFrame:
    """Multiply held-out predictions and score them again.

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
            scores = {name: np.full(setting.matrix.rows.height, np.nan) for name in _NAMES}
            for train, test in setting.parts:
                scaled = held_out.predicted * np.float32(factor)
                for name, values in setting.score(scaled, train, test, _NAMES).items():
                    scores[name][test] = values
            means = {name: _mean(of_perturbations(setting, values)) for name, values in scores.items()}
            records.append({"model": model, "factor": factor} | means)
    return pl.DataFrame(records).fill_nan(None) if records else pl.DataFrame()


def _mean(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
