"""Perturbation discrimination: is a prediction nearer to its own measured effect than to those of others."""

from __future__ import annotations

from typing import get_args

import numpy as np

from featurestore.metrics.distances import TIE, Distance, distances
from featurestore.metrics.registry import metric
from featurestore.metrics.rows import Effects, Labels, Scores, Truths, alike


@metric("PDS", best=1.0, chance=0.5)
def pds(
    predicted: Effects,
    measured: Effects,
    *,
    distance: Distance = "l1",
    left_out: Truths | None = None,
    labels: Labels | None = None,
) -> Scores:
    r"""Perturbation discrimination score: is a prediction nearest to its own measured effect of all, by L1 distance.

    .. math:: 1 - k / (n - 1), \quad k = \#\text{nearer} + \tfrac12 \#\text{as near}

    over the ``n - 1`` other measured perturbations. Best value 1, chance 0.5, worst 0; undefined without competitors.

    Loophole: With L1 and L2 larger predicted effects score higher whatever their direction, so report the cosine,
    which is blind to scale, beside them; and the target's own knock-down gives it away, hence ``left_out``.

    Source: ``discrimination_score_*`` of cell-eval 0.8.2, whose value is ``1 - k / n`` with ties broken by position, so
    perfect is 1, chance ``(n + 1) / 2n``, and ours is ``1 - (1 - theirs) * n / (n - 1)`` where nothing ties. The scale
    and the half ties are those of ``pds_cosine`` in cell-eval2 (Virtual Cell Challenge 2026).

    Parameters
    ----------
    distance
        ``l1``, ``l2`` or ``cosine``; averaged over the genes that a pair shares. With ``cosine`` a vector of zeros is
        at distance 1 from everything.
    left_out
        Genes that are left out of row p's distances, its own targets above all; shape (perturbations, genes).
    labels
        Perturbation of each row, where several rows share one: those do not compete with each other.

    Raises
    ------
    ValueError
        The distance is not known, or the arrays are not of one shape.
    """
    if distance not in get_args(Distance):
        raise ValueError(f"distance is one of {', '.join(get_args(Distance))}; got {distance!r}")
    predicted, measured = alike(predicted, measured)
    n = len(measured)
    skip = np.zeros(measured.shape, dtype=bool) if left_out is None else left_out
    names = np.arange(n) if labels is None else np.unique(labels, return_inverse=True)[1]
    scores = np.full(n, np.nan)
    for rows, d in distances(predicted, measured, skip, distance):
        place = np.arange(n)[rows]
        own = d[np.arange(len(d)), place]
        rivals = (names[rows][:, None] != names) & np.isfinite(d)
        ahead = own[:, None] - d
        k = ((ahead > TIE) & rivals).sum(axis=1) + ((np.abs(ahead) <= TIE) & rivals).sum(axis=1) / 2
        defined = rivals.any(axis=1) & np.isfinite(own)
        scores[place[defined]] = 1 - k[defined] / rivals.sum(axis=1)[defined]
    return scores


@metric("PDS L2", best=1.0, chance=0.5)
def pds_l2(
    predicted: Effects, measured: Effects, left_out: Truths | None = None, labels: Labels | None = None
) -> Scores:
    """Perturbation discrimination score by Euclidean distance; see :func:`pds`.

    Loophole: Larger predicted effects score higher whatever their direction, more so than with L1.

    Source: ``discrimination_score_l2`` of cell-eval 0.8.2, on the scale of :func:`pds`.
    """
    return pds(predicted, measured, distance="l2", left_out=left_out, labels=labels)


@metric("PDS cosine", best=1.0, chance=0.5)
def pds_cosine(
    predicted: Effects, measured: Effects, left_out: Truths | None = None, labels: Labels | None = None
) -> Scores:
    """Perturbation discrimination score by cosine distance, which is blind to scale; see :func:`pds`.

    Loophole: Blind to scale: a prediction of the right direction and absurd size is perfect; read it with the MAE.

    Source: ``discrimination_score_cosine`` of cell-eval 0.8.2, on the scale of :func:`pds`.
    """
    return pds(predicted, measured, distance="cosine", left_out=left_out, labels=labels)
