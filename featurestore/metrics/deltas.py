"""Correlation and error of effects or levels, gene by gene within a perturbation.

Effects are differences from control; levels are expression itself. Where predicted and measured levels share a
control, the error of levels is the error of effects.
"""

from __future__ import annotations

import numpy as np

from featurestore.metrics.registry import metric
from featurestore.metrics.rows import Effects, Scores, alike


@metric("Pearson delta", best=1.0, chance=0.0)
def pearson_delta(predicted: Effects, measured: Effects) -> Scores:
    """Pearson correlation of predicted and measured effect over genes.

    Best value 1. Undefined where either side has no variance or fewer than two genes are shared.

    Loophole: Blind to scale: ten times the right effect scores 1. Rewards the response that all perturbations of a
    screen share, so the mean of the training perturbations scores well; :func:`centred_pearson` takes that away.

    Source: ``pearson_delta`` of cell-eval (Arc Institute), which measures predicted effects from the prediction's own
    control cells.

    Examples
    --------
    >>> import numpy as np
    >>> pearson_delta(np.array([[1.0, 2.0, 3.0]]), np.array([[2.0, 4.0, 6.0]])).round(3)
    array([1.])
    """
    return _correlation(predicted, measured)


@metric("centred Pearson", best=1.0, chance=0.0)
def centred_pearson(predicted: Effects, measured: Effects, train_mean: Effects) -> Scores:
    """Pearson correlation after the mean training effect is taken from both sides: what is specific to a perturbation.

    Best value 1; the train mean itself has no specific part, so it is undefined there.

    Loophole: Still blind to scale. A prediction of no change is the negative train mean here and may score above 0 on
    perturbations that barely respond.

    Source: The perturbed-mean reference of Systema (Viñas Torné et al. 2025); template-removed Pearson.

    Parameters
    ----------
    train_mean
        Mean effect of the training perturbations, shape (genes,), or one row per perturbation where folds differ.
    """
    return _correlation(predicted, measured, train_mean)


@metric("MAE", best=0.0)
def mae(predicted: Effects, measured: Effects) -> Scores:
    """Mean absolute error of the effects over genes, in units of the effect.

    Best value 0.

    Loophole: Most genes do not respond, so "no change" scores well: compare it with the baselines only.

    Source: ``mae_delta`` of cell-eval.
    """
    return _mean_error(predicted, measured, 1)


@metric("MSE", best=0.0)
def mse(predicted: Effects, measured: Effects) -> Scores:
    """Mean squared error of the effects over genes, in squared units of the effect.

    Best value 0.

    Loophole: A few strong genes decide it, and shrinking every prediction towards the mean lowers it.

    Source: ``mse_delta`` of cell-eval.
    """
    return _mean_error(predicted, measured, 2)


@metric("MAE of levels", best=0.0)
def mae_levels(predicted_levels: Effects, measured_levels: Effects) -> Scores:
    """Mean absolute error of expression itself over genes, in units of expression.

    Best value 0.

    Loophole: The control profile alone scores well, because most genes are where they were; and a prediction with
    controls of its own is charged for their level, not for its effects.

    Source: ``mae`` of cell-eval, one of the three metrics of the Virtual Cell Challenge 2025.
    """
    return mae(predicted_levels, measured_levels)


@metric("MSE of levels", best=0.0)
def mse_levels(predicted_levels: Effects, measured_levels: Effects) -> Scores:
    """Mean squared error of expression itself over genes, in squared units of expression.

    Best value 0.

    Loophole: As of the absolute error of levels; and the few strongest genes decide it.

    Source: ``mse`` of cell-eval.
    """
    return mse(predicted_levels, measured_levels)


def _correlation(predicted: Effects, measured: Effects, centre: Effects | None = None) -> Scores:
    """Correlate the rows of both sides, each less a centre, over the genes that all have; NaN where undefined.

    Parameters
    ----------
    predicted, measured
        Shape (rows, genes).
    centre
        Shape (genes,), or one row for each of theirs; none where not given.
    """
    from featurestore.metrics.row_kernels import correlate  # noqa: PLC0415, numba takes half a second

    a, b = map(np.ascontiguousarray, alike(predicted, measured))
    middle = np.asarray(np.zeros(a.shape[1]) if centre is None else centre, dtype=np.float64)
    if middle.shape not in {a.shape, a.shape[1:]}:
        raise ValueError(f"the centre is (genes,) or alike {a.shape}; got {middle.shape}")
    r: Scores = np.empty(len(a))
    correlate(a, b, np.ascontiguousarray(np.atleast_2d(middle)), r)
    return r


def _mean_error(predicted: Effects, measured: Effects, power: int) -> Scores:
    """Average absolute errors, or their squares with power 2, over the genes that both sides of a row have."""
    from featurestore.metrics.row_kernels import average_errors  # noqa: PLC0415, numba takes half a second

    a, b = map(np.ascontiguousarray, alike(predicted, measured))
    errors: Scores = np.empty(len(a))
    average_errors(a, b, power, errors)
    return errors
