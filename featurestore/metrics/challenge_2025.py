"""The score of the Virtual Cell Challenge 2025: three metrics, each against a baseline, averaged."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from featurestore.metrics.registry import get_metric
from featurestore.metrics.rows import Scores

VCC_2025 = ("mae_levels", "pds", "overlap_at_n")
"""The metrics of the challenge, on means over perturbations."""


def from_baseline(score: float, baseline: float, *, best: float) -> float:
    """Share of the way from a baseline to the best value that a score has gone; below the baseline is 0.

    Best value 1, the baseline 0. Undefined is 0, as in the challenge.

    Loophole: A metric below its baseline costs nothing, so whoever gives up on one may overdo the others: inflated
    effects ruin the MAE, which is at 0 already, and raise the PDS.

    Source: ``score_agg_metrics`` of cell-eval 0.8.2.

    Examples
    --------
    >>> round(from_baseline(0.02, 0.04, best=0.0), 6), round(from_baseline(0.4, 0.5, best=1.0), 6)
    (0.5, 0.0)
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        u, b = np.float64(score), np.float64(baseline)
        share = 1 - u / b if best == 0 else (u - b) / (1 - b)
    return 0.0 if np.isnan(share) else max(float(share), 0.0)


def score_2025(means: Mapping[str, float], baseline: Mapping[str, float]) -> dict[str, float]:
    """Score mean metrics against those of a baseline, and average them.

    Parameters
    ----------
    means, baseline
        Mean over perturbations of each metric, by name. The challenge's own three are :data:`VCC_2025`.

    Returns
    -------
    The share of each metric, and their ``average``.

    Raises
    ------
    ValueError
        The two sides do not have the same metrics.
    """
    if set(means) != set(baseline):
        raise ValueError(f"both sides need the same metrics; got {sorted(means)} and {sorted(baseline)}")
    shares = {name: from_baseline(means[name], baseline[name], best=get_metric(name).best) for name in means}
    return shares | {"average": float(np.mean(list(shares.values())))}


def mean_profile(levels: npt.NDArray[np.floating]) -> Scores:
    """Mean expression profile of the conditions, control among them: the baseline prediction for everything.

    Parameters
    ----------
    levels
        Mean of log1p over cells by condition, control included, shape (conditions, genes).

    Source: ``build_base_mean_adata`` of cell-eval 0.8.2, whose mean includes the control.
    """
    profile: Scores = np.asarray(levels, dtype=np.float64).mean(axis=0)
    return profile
