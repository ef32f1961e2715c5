"""How well effects agree with the target's, fold by fold over training rows: what a plan ranks sources by."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from featurestore.features.effects.signature import as_shares
from featurestore.metrics.rows import RESOLUTION

Effects = npt.NDArray[np.floating]
Agreement = npt.NDArray[np.float64]
Folds = npt.NDArray[np.int64]


def row_agreement(there: Effects, here: Effects, fold_of: Folds, folds: Folds) -> Agreement:
    """Correlate rows by centred Pearson while each fold is held out, shape (rows, folds); NaN where undefined.

    Each side's mean over the fold's training rows is taken away from it. Sums over genes of the products of two
    differences follow from the products of rows and of means: all folds at once. A few rows at a time are in double
    precision.

    Parameters
    ----------
    there, here
        Effects of a source and of the target, shape (rows, genes); NaN is missing.
    fold_of
        Fold of each row.
    folds
        Folds that are held out in turn.
    """
    r: Agreement = np.empty((len(there), len(folds)))
    with threadpool_limits(1):  # products with a few means: threads would wait for each other
        means = [np.nan_to_num(means_without(each, fold_of, folds)) for each in (there, here)]
        for rows in as_shares(len(there), there.shape[1]):
            r[rows] = _correlations(there[rows].astype(np.float64), here[rows].astype(np.float64), *means)
    return r


def fold_agreement(r: Agreement, fold_of: Folds, folds: Folds) -> list[float]:
    """Average the agreement of rows over the training rows of each fold that has any.

    Parameters
    ----------
    r
        As of :func:`row_agreement`.
    fold_of, folds
        Fold of each row, and folds that are held out in turn.
    """
    of_training = [r[fold_of != fold, place] for place, fold in enumerate(folds)]
    return [float(np.nanmean(some)) for some in of_training if len(some) > 1 and np.isfinite(some).any()]


def means_without(values: Effects, fold_of: Folds, folds: Folds) -> Agreement:
    """Average each gene over the rows of all folds but one, for each; NaN where none is known. Shape (folds, genes)."""
    is_left = (fold_of != folds[:, None]).astype(np.float64)
    means: Agreement = np.full((len(folds), values.shape[1]), np.nan)
    for genes in as_shares(values.shape[1], len(values)):
        some = values[:, genes].astype(np.float64)
        is_known = np.isfinite(some)
        n = is_left @ is_known
        some[~is_known] = 0.0
        np.divide(is_left @ some, n, out=means[:, genes], where=n > 0)
    return means


def _correlations(there: Agreement, here: Agreement, mean_x: Agreement, mean_y: Agreement) -> Agreement:
    """Correlate rows over the genes that both have, less the means of each fold; shape (rows, folds), NaN undefined."""
    shared = np.isfinite(there) & np.isfinite(here)
    x, y, count = np.where(shared, there, 0.0), np.where(shared, here, 0.0), shared.astype(np.float64)
    n = np.maximum(count.sum(axis=1), 1)[:, None]
    xx, yy, xy = (np.einsum("ij,ij->i", *pair)[:, None] for pair in ((x, x), (y, y), (x, y)))
    x_mx, x_my = np.split(x @ np.concatenate([mean_x, mean_y]).T, 2, axis=1)
    y_mx, y_my = np.split(y @ np.concatenate([mean_x, mean_y]).T, 2, axis=1)
    of_means = np.concatenate([mean_x, mean_y, mean_x**2, mean_y**2, mean_x * mean_y])
    mx, my, mx_mx, my_my, mx_my = np.split(count @ of_means.T, 5, axis=1)
    sum_x, sum_y = x.sum(axis=1)[:, None] - mx, y.sum(axis=1)[:, None] - my
    joint = xy - x_my - y_mx + mx_my - sum_x * sum_y / n
    spread_x = xx - 2 * x_mx + mx_mx - sum_x**2 / n
    spread_y = yy - 2 * y_my + my_my - sum_y**2 / n
    moved = xx - 2 * (x_mx - x_my) + mx_mx - 2 * mx_my + my_my
    defined = (spread_x > RESOLUTION**2 * moved) & (spread_y > RESOLUTION**2 * yy) & (n > 1)
    r: Agreement = np.full(joint.shape, np.nan)
    np.divide(joint, np.sqrt(np.where(defined, spread_x * spread_y, 1.0)), out=r, where=defined)
    return r.clip(-1.0, 1.0)
