"""Scores of a single readout, such as viability: the correlation across perturbations within the rows held out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from featurestore.evaluation.bootstrap import ends, resampled
from featurestore.metrics import Scores


def correlation_across(predicted: Scores, measured: Scores, part: Any) -> dict[str, float | None]:
    """Correlate predicted and measured readouts over rows, each part's means taken away.

    The mean of a part is not the model's doing: training means are low where held-out values are high. Pooled without
    centring, the train mean would score below 0.

    Returns
    -------
    ``r`` and its 95 % bootstrap interval ``low`` to ``high``; None where a side does not vary.

    Examples
    --------
    >>> import numpy as np
    >>> a = np.array([1.0, 2.0, 3.0, 14.0, 12.0, 13.0])
    >>> found = correlation_across(a, 2 * a, np.array([0, 0, 0, 1, 1, 1]))
    >>> round(found["r"], 6)
    1.0
    """
    both = np.isfinite(predicted) & np.isfinite(measured)
    x, y = (_centred(values[both], part[both]) for values in (predicted, measured))
    scale = np.sqrt(np.square(x).sum() * np.square(y).sum())
    smallest = 1e-6 * np.sqrt(np.square(predicted[both]).sum() * np.square(y).sum())
    if len(x) <= 1 or scale <= smallest:
        return {"r": None, "low": None, "high": None}
    drawn = []
    for counts in resampled(len(x)):
        n = counts.sum(axis=1)
        mean_x, mean_y = counts @ x / n, counts @ y / n
        joint = counts @ (x * y) / n - mean_x * mean_y
        spread = (counts @ (x * x) / n - mean_x**2) * (counts @ (y * y) / n - mean_y**2)
        with np.errstate(invalid="ignore", divide="ignore"):
            drawn.append(joint / np.sqrt(spread))
    low, high = ends(np.concatenate(drawn)[:, None])
    return {"r": float((x * y).sum() / scale), "low": float(low[0]), "high": float(high[0])}


def readout_scores(
    predicted: Mapping[str, npt.NDArray[np.float32]], measured: npt.NDArray[np.float32], fold: npt.NDArray[np.int64]
) -> dict[str, dict[str, float | None]]:
    """Correlate a readout with every model's held-out prediction of it.

    Parameters
    ----------
    predicted, measured
        What each model predicted, by its name, and what was measured; shape (rows, 1).
    fold
        The fold in which each row was held out, shape (rows,).
    """
    truth = measured[:, 0].astype(np.float64)
    return {name: correlation_across(each[:, 0].astype(np.float64), truth, fold) for name, each in predicted.items()}


def _centred(values: Scores, part: Any) -> Scores:
    _, group, n = np.unique(part, return_inverse=True, return_counts=True)
    return np.asarray(values - (np.bincount(group, values) / n)[group])
