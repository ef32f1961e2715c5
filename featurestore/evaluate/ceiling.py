"""The ceiling that noise sets: what one half of the cells says of the other, and what no honest model can beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from featurestore.evaluate.bootstrap import mean_intervals
from featurestore.metrics import Scores, mae, pds, pearson_delta
from featurestore.models.baseline import mean_effect

if TYPE_CHECKING:
    from featurestore.evaluate.splits import Parts
    from featurestore.features.feature_matrix import FeatureMatrix
    from featurestore.features.halves import Halves

CORRELATIONS = ("pearson_delta", "centred_pearson")
ALARM = "centred_pearson"
"""The metric that tells a leak: unlike Pearson delta it holds no noise that conditions share through their control."""
_CLASSES = 10
_IN_A_CLASS = 12


@dataclass(frozen=True, slots=True)
class Ceiling:
    """How well a measurement repeats.

    Parameters
    ----------
    per_row
        Score of the first half of the cells as a prediction of the second, by metric; of ``mae``, what is expected of
        a prediction without error against all cells. Shape (rows,).
    split_half
        Means of these.
    low
        Lower end of the 95 % bootstrap interval of these means.
    replicate
        Of correlations, that of a second measurement with as many cells: 2 r / (1 + r) (Spearman and Brown), by classes
        of strength, since strong effects repeat better than the mean of all suggests.
    noise_free
        What the truth itself would score: of correlations the root of that; of ``mae`` the mean of ``per_row``. None
        where halves do not agree more than by chance.
    """

    per_row: dict[str, Scores]
    split_half: dict[str, float | None]
    low: dict[str, float | None]
    replicate: dict[str, float | None]
    noise_free: dict[str, float | None]

    def to_dict(self) -> dict[str, Any]:
        """Return the means as plain values."""
        return {name: getattr(self, name) for name in ("split_half", "low", "replicate", "noise_free")}


def ceiling(matrix: FeatureMatrix, halves: Halves, parts: Parts, own: npt.NDArray[np.bool_]) -> Ceiling:
    """Score the halves of the cells against each other, part by part, as models are scored.

    Centred on the training mean and against one control, as models are: what is wrong with either of these, the halves
    share as predictions and measurements do. The error of a difference of halves is that of all cells times the root of
    n^2 / (n_1 n_2): hence the floor of ``mae``.
    """
    per_row = {name: np.full(matrix.rows.height, np.nan) for name in (*CORRELATIONS, "mae", "pds", "pds_cosine")}
    labels = matrix.rows["perturbation_id"].to_numpy()
    for train, test in parts:
        first, whole = halves.first[test], halves.second[test]
        second = np.where(own[test], np.nan, whole)
        train_mean = mean_effect(halves.whole[train])
        centred = [side[test] - train_mean for side in halves.sharing_control]
        centred[1] = np.where(own[test], np.nan, centred[1])
        n = halves.cells[test]
        shrunk = np.sqrt(n.prod(axis=1)) / np.maximum(n.sum(axis=1), 1)
        per_row["pearson_delta"][test] = pearson_delta(first, second)
        per_row["centred_pearson"][test] = pearson_delta(centred[0], centred[1])
        per_row["mae"][test] = mae(centred[0], centred[1]) * shrunk
        usable = np.isfinite(first).any(axis=1) & np.isfinite(whole).any(axis=1)
        for name, distance in (("pds", "l1"), ("pds_cosine", "cosine")):
            scores = pds(first, whole, distance=distance, left_out=own[test], labels=labels[test])  # type: ignore[arg-type]
            per_row[name][test] = np.where(usable, scores, np.nan)
    strength = np.sqrt(np.nansum(np.where(own, 0.0, halves.whole) ** 2, axis=1))
    return _summarised(per_row, strength)


def _summarised(per_row: dict[str, Scores], strength: Scores) -> Ceiling:
    means = {name: float(np.nanmean(v)) if np.isfinite(v).any() else None for name, v in per_row.items()}
    low, _ = mean_intervals(np.column_stack(list(per_row.values())))
    lows = {name: float(v) if np.isfinite(v) else None for name, v in zip(per_row, low, strict=True)}
    replicate: dict[str, float | None] = {}
    noise_free: dict[str, float | None] = {"mae": means["mae"]}
    for name in CORRELATIONS:
        r, least = means[name], lows[name]
        agrees = r is not None and least is not None and least > 0
        reliable = _reliability(per_row[name], strength)
        replicate[name] = float(reliable.mean()) if agrees else None
        noise_free[name] = float(np.sqrt(reliable).mean()) if agrees else None
    return Ceiling(per_row, means, lows, replicate, noise_free)


def _reliability(r: Scores, strength: Scores) -> Scores:
    """Correlation of two whole measurements of each row, the mean of rows of like strength; shape (defined rows,)."""
    defined = np.isfinite(r)
    order = np.argsort(strength[defined], kind="stable")
    classes = np.array_split(r[defined][order], max(1, min(_CLASSES, int(defined.sum()) // _IN_A_CLASS)))
    return np.concatenate([np.full(len(c), 2 * max(c.mean(), 0) / (1 + max(c.mean(), 0))) for c in classes if len(c)])


def alarms(scores: dict[str, float | None], found: Ceiling | None) -> list[str]:
    """Name the models that score at or above what the truth itself would: they have seen the answer.

    Parameters
    ----------
    scores
        Mean centred Pearson of each model.
    found
        The ceiling; None raises no alarm.
    """
    limit = None if found is None else found.noise_free[ALARM]
    return [] if limit is None else [name for name, score in scores.items() if score is not None and score >= limit]
