"""What goes into a blend: non-negative weights of its parts, and the magnitude of the whole, from rows held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.optimize import nnls

from featurestore.metrics import mae, pds, pearson_delta
from featurestore.models.baseline import Array, Doubles, Labels, Truths
from featurestore.models.regression import Positions, evened

FACTORS = (0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.45)
"""Magnitudes to choose from."""
FEWEST_ROWS = 20
"""Fewer rows say nothing of a magnitude, nor of weights of their own."""
_MOST_ROWS, _MOST_GENES = 200, 500
"""What magnitudes are compared on: discrimination takes the square of the rows."""
_NO_LOSS = 0.005
"""A loss of this share of a score is none, however sure it is."""
_TOLERANCE = 1.0
"""Standard errors within which the magnitude nearest to 1 is taken."""
_TINY, _HELD = 1e-9, 1e4
_ROWS_AT_ONCE = 32


def blend_weights(deviations: Sequence[Array], measured: Array, trust: Doubles) -> Doubles:
    """Weight deviations from the train mean by least squares: none below 0, and their sum at most 1.

    What is missing of 1 is the weight of the train mean. Rows weigh as :func:`evened` says, and weights are shrunk as
    if each part had cost one row.

    Parameters
    ----------
    deviations
        Of each part, predicted while the row was held out, shape (rows, genes).
    measured
        Measured deviations; NaN does not count.
    trust
        Trust in each row.

    Returns
    -------
    Weight of each part, shape (parts,).
    """
    n_parts, n_rows = len(deviations), len(measured)
    gram, moment = np.zeros((n_parts, n_parts)), np.zeros(n_parts)
    known = np.isfinite(measured)
    weight = evened(trust, measured)
    for first in range(0, n_rows, _ROWS_AT_ONCE):
        rows = slice(first, first + _ROWS_AT_ONCE)
        counts = np.where(known[rows], np.sqrt(weight[rows])[:, None], 0.0)
        some = np.empty((n_parts, *counts.shape))
        for place, part in enumerate(deviations):
            np.multiply(part[rows], counts, out=some[place])
        some = some.reshape(n_parts, -1)
        gram += some @ some.T
        moment += some @ (np.where(known[rows], measured[rows], 0.0) * counts).ravel()
    scale = float(np.trace(gram)) / n_parts
    if scale <= 0:
        return np.zeros(n_parts)
    gram[np.diag_indices(n_parts)] *= 1 + n_parts / n_rows
    gram[np.diag_indices(n_parts)] += _TINY * scale
    weights = _non_negative(gram, moment)
    if weights.sum() <= 1:
        return weights
    held = _non_negative(gram + _HELD * scale, moment + _HELD * scale)
    return np.asarray(held / held.sum())


def weights_by_coverage(deviations: Sequence[Array], measured: Array, trust: Doubles, has: Truths) -> Doubles:
    """Weight parts as :func:`blend_weights`, apart for rows that have an effect elsewhere and for those that have none.

    Of the others only prior knowledge speaks: what a part is worth there, it is not worth here. Of few rows the weights
    are those of all.

    Parameters
    ----------
    deviations, measured, trust
        As of :func:`blend_weights`.
    has
        Whether some source has the effect of the row's perturbation.

    Returns
    -------
    Weight of each part for rows that have none, then for rows that have one, shape (2, parts).
    """
    everyone = blend_weights(deviations, measured, trust)
    weights = np.stack([everyone, everyone])
    for place, rows in enumerate((~has, has)):
        if FEWEST_ROWS <= rows.sum() < len(rows):
            weights[place] = blend_weights([part[rows] for part in deviations], measured[rows], trust[rows])
    return weights


def _non_negative(gram: Doubles, moment: Doubles) -> Doubles:
    """Solve non-negative least squares from its cross products."""
    root = np.linalg.cholesky(gram)
    return np.asarray(nnls(root.T, np.linalg.solve(root, moment))[0])


def compared_on(n_rows: int, n_genes: int) -> tuple[Positions, Positions]:
    """Draw the rows and genes that magnitudes are compared on: all of them, where there are few."""
    rng = np.random.default_rng(0)
    rows, genes = (np.sort(rng.permutation(n)[:most]) for n, most in ((n_rows, _MOST_ROWS), (n_genes, _MOST_GENES)))
    return rows, genes


def blend_magnitude(
    blended: Array, parts: Mapping[str, Array], mean: Array, measured: Array, own: Truths, labels: Labels
) -> float:
    """Choose a factor of blended effects with which no score is bought at the cost of another.

    A blend is shrunk: nearer in the mean, and harder to tell from weak effects. Each factor is judged by the score in
    which it loses most, in standard errors over rows, to the part that is best in that score. Of those within one
    standard error of the best factor the one nearest to 1 is taken; of few rows 1.

    Parameters
    ----------
    blended, parts
        Effects by the blend and by each part, predicted while the row was held out, shape (rows, genes).
    mean
        Train mean for each row, in the same shape.
    measured
        Measured effects.
    own
        Own targets, which no score looks at.
    labels
        What rows share that do not compete in discrimination.
    """
    if measured.shape[1] == 1 or len(measured) < FEWEST_ROWS:
        return 1.0
    truth, centre = np.asarray(measured, np.float64), np.asarray(mean, np.float64)
    visible = np.where(own, np.nan, truth)

    def scored(effects: Array) -> list[Doubles]:
        return [
            pearson_delta(effects - centre, visible - centre),
            -mae(effects, visible),
            pds(effects, truth, left_out=own, labels=labels),
        ]

    ours = np.asarray(blended, np.float64)
    theirs = [scored(np.asarray(part, np.float64)) for part in [*parts.values(), mean]]
    best = [max(each, key=_mean) for each in zip(*theirs, strict=True)]
    losses = [min(map(_lead, scored(factor * ours), best)) for factor in FACTORS]
    good = [factor for factor, loss in zip(FACTORS, losses, strict=True) if loss >= max(losses) - _TOLERANCE]
    return min(good, key=lambda factor: abs(np.log(factor)))


def _lead(ours: Doubles, theirs: Doubles) -> float:
    """Return the mean paired difference in standard errors, at most 0; 0 where nothing is defined."""
    difference = ours - theirs
    difference = difference[np.isfinite(difference)]
    if len(difference) <= 1:
        return 0.0
    error = np.hypot(difference.std() / np.sqrt(len(difference)), _NO_LOSS * abs(_mean(theirs)))
    return min(0.0, float(difference.mean() / max(error, _TINY)))


def _mean(values: Doubles) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else -np.inf
