"""The score of the Virtual Cell Challenge 2026: six metrics, each between a mean response and a replicate, averaged."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from featurestore.metrics.registry import get_metric

VCC_2026 = {
    "pds_2026": (-math.inf, math.inf),
    "expression_error": (0.0, 1.0),
    "lfc_error": (-6.0, math.inf),
    "direction_fidelity": (-math.inf, math.inf),
    "direction_reach": (-math.inf, math.inf),
    "significant_jaccard": (-math.inf, math.inf),
}
"""The metrics of the challenge, each with the least and the most that its score can be."""


def from_ends(name: str, value: float, baseline: float, replicate: float) -> float:
    """Place a metric between a baseline (0) and a replicate of the experiment (1), within the bounds of its score.

    Undefined is the least that the score can be, and where that has no bound what the value 0 scores.

    Raises
    ------
    ValueError
        The replicate is no better than the baseline, or one of them is undefined: the scale has no length.

    Source: ``score_one`` of cell-eval2 0.20 on its replicate scale: (value - baseline) / (replicate - baseline).

    Examples
    --------
    >>> from_ends("lfc_error", 0.5, 1.0, 0.2), from_ends("lfc_error", 9.0, 1.0, 0.2)
    (0.625, -6.0)
    """
    least, most = VCC_2026[name]
    length = (replicate - baseline) * (1 if get_metric(name).more_is_better else -1)
    if not (math.isfinite(length) and length > 0):
        raise ValueError(
            f"{name} has no scale: its baseline is {baseline:.4g} and its replicate, which has to be better, "
            f"{replicate:.4g}"
        )
    if math.isnan(value) and math.isfinite(least):
        return least
    share = ((0.0 if math.isnan(value) else value) - baseline) / (replicate - baseline)
    return min(max(share, least), most)


def score_2026(
    values: Mapping[str, float], baseline: Mapping[str, float], replicate: Mapping[str, float]
) -> dict[str, float]:
    """Score the six metrics of one context, and average them.

    Parameters
    ----------
    values, baseline, replicate
        Each of :data:`VCC_2026` by name: of the prediction, of the mean response, of a replicate.

    Returns
    -------
    The score of each metric, and their ``average``.

    Raises
    ------
    ValueError
        A metric's replicate is no better than its baseline.
    """
    shares = {name: from_ends(name, values[name], baseline[name], replicate[name]) for name in VCC_2026}
    return shares | {"average": float(np.mean(list(shares.values())))}
