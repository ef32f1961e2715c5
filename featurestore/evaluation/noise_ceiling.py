"""The ceiling that noise sets: what one half of the cells says of the other, and what no honest model can beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from featurestore.evaluation.bootstrap import mean_intervals
from featurestore.metrics import Scores, mae, pds, pearson_delta
from featurestore.models.baseline import mean_effect

if TYPE_CHECKING:
    from featurestore.evaluation.splits import Parts
    from featurestore.features.effects.halves import Halves
    from featurestore.features.matrix.feature_matrix import FeatureMatrix

CORRELATIONS = ("pearson_delta", "centred_pearson")
ALARM = "centred_pearson"
"""The metric that tells a leak: unlike Pearson delta it holds no noise that conditions share through their control."""
Labels: TypeAlias = npt.NDArray[Any]

_CLASSES = 10
_IN_A_CLASS = 12


@dataclass(frozen=True, slots=True)
class NoiseCeiling:
    """How well a measurement repeats.

    Parameters
    ----------
    per_row
        Score of the first half of the cells as a prediction of the second, by metric; of ``mae``, what is expected of
        a prediction without error against all cells. Shape (rows,).
    truth
        Centred Pearson that the truth itself would score; NaN where halves say nothing of a row. Shape (rows,).
    split_half
        Means of ``per_row`` over perturbations, each once however many conditions it has, as models are averaged.
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
    truth: Scores
    split_half: dict[str, float | None]
    low: dict[str, float | None]
    replicate: dict[str, float | None]
    noise_free: dict[str, float | None]

    def to_dict(self) -> dict[str, Any]:
        """Return the means as plain values."""
        return {name: getattr(self, name) for name in ("split_half", "low", "replicate", "noise_free")}


def noise_ceiling(matrix: FeatureMatrix, halves: Halves, parts: Parts, own: npt.NDArray[np.bool_]) -> NoiseCeiling:
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
    return _summarised(per_row, strength, labels)


def _summarised(per_row: dict[str, Scores], strength: Scores, labels: Labels) -> NoiseCeiling:
    found = {name: _by_perturbation(values, labels) for name, values in per_row.items()}
    means = {name: _mean(values) for name, values in found.items()}
    low, _ = mean_intervals(np.column_stack(list(found.values())))
    lows = {name: float(v) if np.isfinite(v) else None for name, v in zip(per_row, low, strict=True)}
    reliable = {name: _reliability(per_row[name], strength) for name in CORRELATIONS}
    replicate: dict[str, float | None] = {}
    noise_free: dict[str, float | None] = {"mae": means["mae"]}
    for name, values in reliable.items():
        least = lows[name]
        agrees = least is not None and least > 0
        replicate[name] = _mean(_by_perturbation(values, labels)) if agrees else None
        noise_free[name] = _mean(_by_perturbation(np.sqrt(values), labels)) if agrees else None
    return NoiseCeiling(per_row, np.sqrt(reliable[ALARM]), means, lows, replicate, noise_free)


def _by_perturbation(values: Scores, labels: Labels) -> Scores:
    """Average the rows of each perturbation that have a value; NaN where none has. Shape (perturbations,)."""
    _, at = np.unique(labels.astype(str), return_inverse=True)
    known = np.isfinite(values)
    n = np.bincount(at[known], minlength=int(at.max()) + 1)
    total = np.bincount(at[known], weights=values[known], minlength=n.size)
    return np.where(n > 0, total / np.maximum(n, 1), np.nan)


def _mean(values: Scores) -> float | None:
    return float(np.nanmean(values)) if np.isfinite(values).any() else None


def _reliability(r: Scores, strength: Scores) -> Scores:
    """Correlation of two whole measurements of each row, from the mean of rows of like strength; shape (rows,)."""
    reliable = np.full(r.size, np.nan)
    defined = np.flatnonzero(np.isfinite(r))
    order = defined[np.argsort(strength[defined], kind="stable")]
    for rows in np.array_split(order, max(1, min(_CLASSES, defined.size // _IN_A_CLASS))):
        if rows.size:
            half = max(float(r[rows].mean()), 0.0)
            reliable[rows] = 2 * half / (1 + half)
    return reliable


def alarms(scores: dict[str, Scores], found: NoiseCeiling | None, labels: Labels) -> dict[str, tuple[float, float]]:
    """Find the models that score at or above what the truth itself would: they have seen the answer.

    Both means are over the rows of which a model says something, perturbation by perturbation.

    Parameters
    ----------
    scores
        Centred Pearson of each model, shape (rows,); NaN where it is undefined.
    found
        The ceiling; None raises no alarm.
    labels
        Perturbation of each row. Shape (rows,).

    Returns
    -------
    For each such model its mean score, and that of the truth.
    """
    rung: dict[str, tuple[float, float]] = {}
    if found is None or found.noise_free[ALARM] is None:
        return rung
    for name, values in scores.items():
        both = np.isfinite(values) & np.isfinite(found.truth)
        mean, limit = (_mean(_by_perturbation(np.where(both, v, np.nan), labels)) for v in (values, found.truth))
        if mean is not None and limit is not None and mean >= limit:
            rung[name] = mean, limit
    return rung
