"""What each source is worth: the ridge with it against the ridge without it, and the source alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from featurestore.evaluation.bootstrap import mean_intervals
from featurestore.evaluation.held_out import QUICK, HeldOut, Setting
from featurestore.metrics import Scores, get_metric
from featurestore.models import TrainMean


def of_perturbations(setting: Setting, values: Scores) -> Scores:
    """Average over the conditions of each perturbation, in order of perturbation_id; NaN where none is defined."""
    frame = pl.DataFrame({"id": setting.matrix.rows["perturbation_id"], "value": values}).fill_nan(None)
    means = frame.group_by("id").agg(pl.col("value").mean()).sort("id")["value"]
    return np.asarray(means.fill_null(np.nan).to_numpy())


def source_values(setting: Setting, ridge: Any, whole: HeldOut) -> pl.DataFrame:
    """Leave each source out in turn.

    Parameters
    ----------
    setting
        Rows, parts and scores.
    ridge
        The unfitted model, with ``blocks``.
    whole
        What it predicts from all sources.

    Returns
    -------
    One row per source and metric: ``value``, the mean paired gain of having the source over having all but it (the
    sign turned so that more is better), with its 95 % bootstrap interval ``low`` to ``high`` over perturbations, and
    ``alone``, the mean score from that source alone.
    """
    block = setting.matrix.columns["block"].to_numpy()
    sources = list(dict.fromkeys(block.tolist()))
    several = len(sources) > 1
    scores = setting.run_on(ridge, [block != s for s in sources if several] + [block == s for s in sources], QUICK)
    without = scores[: len(sources)] if several else [setting.run(TrainMean(), names=QUICK).scores]
    records = []
    for source, rest, alone in zip(sources, without, scores[-len(sources) :], strict=True):
        gains = [_gain(setting, name, whole.scores, rest) for name in QUICK]
        low, high = mean_intervals(np.stack(gains, axis=1))
        for place, name in enumerate(QUICK):
            own = of_perturbations(setting, alone[name])
            records.append(
                {
                    "source": source,
                    "metric": name,
                    "value": mean_of_known(gains[place]),
                    "low": low[place],
                    "high": high[place],
                    "alone": mean_of_known(own),
                }
            )
    numbers = {name: pl.Float64() for name in ("value", "low", "high", "alone")}
    return pl.DataFrame(records, schema={"source": pl.String(), "metric": pl.String(), **numbers}).fill_nan(None)


def _gain(setting: Setting, name: str, whole: dict[str, Scores], without: dict[str, Scores]) -> Scores:
    difference = whole[name] - without[name]
    return of_perturbations(setting, difference if get_metric(name).more_is_better else -difference)


def mean_of_known(values: Scores) -> float:
    """Average what is defined; NaN where nothing is."""
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
