"""Scores of predicted against measured effects, one value per perturbation.

Every function takes effects (differences from control) of shape (perturbations, genes) and returns float64 of shape
(perturbations,). A gene that is NaN on either side is left out for that perturbation. A score that is undefined is
NaN, never 0: whoever averages has to count them.

The definitions follow cell-eval 0.8.2 where it has the metric; the differences are stated where there are any.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist

Effects = npt.NDArray[np.floating]
Scores = npt.NDArray[np.float64]
_Vector = npt.NDArray[np.float64]
_Matrix = npt.NDArray[np.float64]
Distance = Literal["l1", "l2", "cosine"]

_RESOLUTION = 1e-6
"""Share of a vector's length below which what is left of it is single-precision rounding, not variance."""
_TIE = 1e-12
"""Distances closer than this tie: equal effects need not give equal sums in the last bit."""


def pearson_delta(predicted: Effects, measured: Effects) -> Scores:
    """Pearson correlation of predicted and measured effect over genes.

    Best value 1. Undefined where either side has no variance or fewer than two genes are shared. Blind to scale: ten
    times the right effect scores 1. Rewards the response that all perturbations of a screen share, so the mean of the
    training perturbations scores well; :func:`centred_pearson` takes that away.

    Source: ``pearson_delta`` of cell-eval (Arc Institute), which measures predicted effects from the prediction's own
    control cells.

    Examples
    --------
    >>> import numpy as np
    >>> pearson_delta(np.array([[1.0, 2.0, 3.0]]), np.array([[2.0, 4.0, 6.0]])).round(3)
    array([1.])
    """
    a, b, shared = _pairs(predicted, measured)
    return _correlation(a, b, shared, np.zeros_like(a))


def centred_pearson(predicted: Effects, measured: Effects, train_mean: Effects) -> Scores:
    """Pearson correlation after the mean training effect is taken from both sides: what is specific to a perturbation.

    Best value 1; the train mean itself has no specific part, so it is undefined there. Still blind to scale. A
    prediction of no change is the negative train mean here and may score above 0 on perturbations that barely respond.

    Parameters
    ----------
    train_mean
        Mean effect of the training perturbations, shape (genes,), or one row per perturbation where folds differ.

    Source: the perturbed-mean reference of Systema (Viñas Torné et al. 2025); template-removed Pearson.
    """
    a, b, shared = _pairs(predicted, measured)
    mean = np.broadcast_to(np.asarray(train_mean, dtype=np.float64), a.shape)
    shared &= np.isfinite(mean)
    return _correlation(a, b, shared, np.where(shared, mean, 0.0))


def mae(predicted: Effects, measured: Effects) -> Scores:
    """Mean absolute error over genes, in units of the effect.

    Best value 0. Most genes do not respond, so "no change" scores well: compare it with the baselines only.

    Source: ``mae_delta`` of cell-eval; equal to its ``mae`` when predicted and measured levels share one control.
    """
    a, b, shared = _pairs(predicted, measured)
    return _mean(np.abs(a - b), shared)


def mse(predicted: Effects, measured: Effects) -> Scores:
    """Mean squared error over genes, in squared units of the effect.

    Best value 0. A few strong genes decide it, and shrinking every prediction towards the mean lowers it.

    Source: ``mse_delta`` of cell-eval.
    """
    a, b, shared = _pairs(predicted, measured)
    return _mean(np.square(a - b), shared)


def pds(
    predicted: Effects,
    measured: Effects,
    *,
    distance: Distance = "l1",
    left_out: npt.NDArray[np.bool_] | None = None,
    labels: npt.NDArray[np.str_] | None = None,
) -> Scores:
    r"""Perturbation discrimination score: is a prediction nearest to its own measured effect of all.

    .. math:: 1 - k / (n - 1), \quad k = \#\text{nearer} + \tfrac12 \#\text{as near}

    over the ``n - 1`` other measured perturbations. Best value 1, chance 0.5, worst 0; undefined without competitors.
    Loopholes: with ``l1`` and ``l2`` larger predicted effects score higher whatever their direction, so report
    ``cosine``, which is blind to scale, beside them; and the target's own knock-down gives it away, hence ``left_out``.

    Parameters
    ----------
    distance
        ``l1``, ``l2`` or ``cosine``; averaged over the genes that a pair shares. With ``cosine`` a vector of zeros is
        at distance 1 from everything.
    left_out
        Genes that are left out of row p's distances, its own targets above all; shape (perturbations, genes).
    labels
        Perturbation of each row, where several rows share one: those do not compete with each other.

    Source: ``discrimination_score_*`` of cell-eval 0.8.2, whose value is ``1 - k / n`` with ties broken by position, so
    perfect is 1, chance ``(n + 1) / 2n``, and ours is ``1 - (1 - theirs) * n / (n - 1)`` where nothing ties. The scale
    and the half ties are those of ``pds_cosine`` in cell-eval2 (Virtual Cell Challenge 2026).
    """
    if distance not in get_args(Distance):
        raise ValueError(f"distance is one of {', '.join(get_args(Distance))}; got {distance!r}")
    predicted, measured = _checked(predicted, measured)
    n = len(measured)
    skip = np.zeros(measured.shape, dtype=bool) if left_out is None else left_out
    names = np.arange(n) if labels is None else np.asarray(labels)
    patterns = _patterns(measured)
    scores = np.full(n, np.nan)
    for p in range(n):
        d = _distances(predicted[p], patterns, skip[p], n, distance)
        rivals = (names != names[p]) & np.isfinite(d)
        if rivals.any() and np.isfinite(d[p]):
            ahead = d[p] - d[rivals]
            nearer, as_near = (ahead > _TIE).sum(), (np.abs(ahead) <= _TIE).sum()
            scores[p] = 1 - (nearer + as_near / 2) / rivals.sum()
    return scores


@dataclass(frozen=True, slots=True)
class _Pattern:
    """Rows that have the same genes: which genes, which rows, their effects (0 for missing) and these squared."""

    present: npt.NDArray[np.bool_]
    rows: npt.NDArray[np.intp]
    effects: _Matrix
    squares: _Matrix


def _patterns(measured: _Matrix) -> list[_Pattern]:
    found, group = np.unique(np.isfinite(measured), axis=0, return_inverse=True)
    patterns = []
    for i, present in enumerate(found):
        rows = np.flatnonzero(group == i)
        effects = np.nan_to_num(measured[rows])
        patterns.append(_Pattern(present, rows, effects, np.square(effects)))
    return patterns


def _distances(
    prediction: _Vector,
    patterns: list[_Pattern],
    skip: npt.NDArray[np.bool_],
    n: int,
    distance: Distance,
) -> _Vector:
    """Distance of one prediction to each of n measured rows, a mean over shared genes; NaN where none is shared."""
    distances = np.full(n, np.nan)
    usable = np.isfinite(prediction) & ~skip
    row = np.nan_to_num(prediction)
    for pattern in patterns:
        shared = (usable & pattern.present).astype(np.float64)
        if not shared.any():
            continue
        if distance == "cosine":
            distances[pattern.rows] = 1 - _cosine(row * shared, pattern, shared)
        elif distance == "l1":
            distances[pattern.rows] = cdist(row[None], pattern.effects, "cityblock", w=shared)[0] / shared.sum()
        else:
            distances[pattern.rows] = cdist(row[None], pattern.effects, "sqeuclidean", w=shared)[0] / shared.sum()
    return distances


def _cosine(row: _Vector, pattern: _Pattern, shared: _Vector) -> _Vector:
    """Cosine of one row with every row of a pattern over the shared genes; 0 where either has no length there."""
    lengths = np.sqrt(pattern.squares @ shared) * np.sqrt(row @ row)
    cosine: _Vector = np.zeros(len(pattern.rows))
    np.divide(pattern.effects @ row, lengths, out=cosine, where=lengths > 0)
    return cosine


def _checked(predicted: Effects, measured: Effects) -> tuple[_Matrix, _Matrix]:
    a, b = np.asarray(predicted, dtype=np.float64), np.asarray(measured, dtype=np.float64)
    if a.ndim != 2 or a.shape != b.shape:  # noqa: PLR2004
        raise ValueError(f"predicted and measured are (perturbations, genes) alike; got {a.shape} and {b.shape}")
    return a, b


def _pairs(predicted: Effects, measured: Effects) -> tuple[_Matrix, _Matrix, npt.NDArray[np.bool_]]:
    """Bring both to float64 with 0 wherever either is missing, and say where neither is."""
    a, b = _checked(predicted, measured)
    shared = np.isfinite(a) & np.isfinite(b)
    return np.where(shared, a, 0.0), np.where(shared, b, 0.0), shared


def _correlation(a: _Matrix, b: _Matrix, shared: npt.NDArray[np.bool_], mean: _Matrix) -> Scores:
    """Correlate the rows of a and b, each less mean, over the shared genes."""
    a_part, b_part = _deviation(a - mean, shared), _deviation(b - mean, shared)
    a_norm, b_norm = _norm(a_part), _norm(b_part)
    defined = (a_norm > _RESOLUTION * _norm(a)) & (b_norm > _RESOLUTION * _norm(b)) & (shared.sum(axis=1) > 1)
    r: Scores = np.full(len(a), np.nan)
    np.divide((a_part * b_part).sum(axis=1), a_norm * b_norm, out=r, where=defined)
    return r.clip(-1.0, 1.0)


def _deviation(x: _Matrix, shared: npt.NDArray[np.bool_]) -> _Matrix:
    """Deviation of each value from its row's mean over the shared genes; 0 elsewhere."""
    mean = x.sum(axis=1) / np.maximum(shared.sum(axis=1), 1)
    return np.where(shared, x - mean[:, None], 0.0)


def _norm(x: _Matrix) -> Scores:
    norm: Scores = np.sqrt(np.square(x).sum(axis=1))
    return norm


def _mean(x: _Matrix, shared: npt.NDArray[np.bool_]) -> Scores:
    n_genes = shared.sum(axis=1)
    mean: Scores = np.full(len(x), np.nan)
    np.divide(x.sum(axis=1), n_genes, out=mean, where=n_genes > 0)
    return mean
