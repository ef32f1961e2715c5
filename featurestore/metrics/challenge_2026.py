"""The metrics of the Virtual Cell Challenge 2026: expression from counts summed over cells, and calls by Wilcoxon.

Expression of a perturbation is log1p of its summed counts scaled to 50,000, which sums over cells answer exactly. Own
target genes are left out everywhere. What is undefined is NaN.

The correction of the expression error for sampling noise needs cells (:func:`jackknife_noise`); of pseudobulks alone
the error is the plain one, which charges a prediction for the noise of the measurement.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from featurestore.metrics.discrimination import pds
from featurestore.metrics.registry import metric
from featurestore.metrics.rows import Effects, Matrix, Scores, Truths, Vector, checked, ratio

TARGET_SUM = 50_000.0
"""Summed counts are scaled to this total before the logarithm."""
PURITY = 0.9
"""Share of right directions that a prefix of the ranking keeps."""
FEWEST_GENES = 10
"""Significant genes below which the error of fold changes is undefined."""


def log_bulk(counts: Matrix) -> Matrix:
    """Log1p of summed counts scaled to 50,000, shape (perturbations, genes)."""
    counts = np.asarray(counts, dtype=np.float64)
    total = counts.sum(axis=-1, keepdims=True)
    bulk: Matrix = np.log1p(TARGET_SUM * np.divide(counts, total, out=np.zeros_like(counts), where=total > 0))
    return bulk


@metric("PDS cosine 2026", best=1.0, chance=0.5)
def pds_2026(
    predicted_counts: Matrix,
    measured_counts: Matrix,
    control_counts: Matrix,
    panel: Truths,
    predicted_control_counts: Matrix | None = None,
) -> Scores:
    """Perturbation discrimination score by cosine of log summed counts against the measured control, without targets.

    Best value 1. All target genes of the panel are left out of every comparison, not only a row's own.

    Loophole: Blind to scale, as every cosine.

    Source: ``pds_cosine`` of cell-eval2 0.20.

    Parameters
    ----------
    predicted_control_counts
        Counts summed over the prediction's own controls, where it is measured from those: halves of an experiment.
    """
    kept = ~panel
    own = control_counts if predicted_control_counts is None else predicted_control_counts
    sides = (predicted_counts, own), (measured_counts, control_counts)
    a, b = (log_bulk(counts)[:, kept] - log_bulk(control)[kept] for counts, control in sides)
    return pds(a, b, distance="cosine")


@metric("expression error 2026", best=0.0, chance=1.0, per="screen")
def expression_error(
    predicted_counts: Matrix,
    measured_counts: Matrix,
    control_counts: Matrix,
    left_out: Truths | None = None,
    predicted_noise: Vector | None = None,
    measured_noise: Vector | None = None,
    control_noise: float = 0.0,
) -> float:
    """Squared error of log summed counts over all perturbations, relative to that of predicting the control.

    Best value 0; predicting the control is 1. One number for the screen, a ratio of sums.

    Loophole: The strongest perturbations decide it. Where the prediction's noise is claimed and subtracted, cells may
    be scattered so that they claim much and cancel: a claim is at most the measured noise, and all claims together at
    most the spread between the predictions, so that the same cells for everything claim nothing.

    Source: ``expr_mse_unbiased_capped_norm`` of cell-eval2 0.20.

    Parameters
    ----------
    left_out
        Genes that a row leaves out, its own targets.
    predicted_noise, measured_noise, control_noise
        Squared sampling error of each row, summed over genes, as :func:`jackknife_noise` estimates it from cells; 0
        where it is not given.
    """
    a, b = checked(log_bulk(predicted_counts), log_bulk(measured_counts))
    kept = np.ones(a.shape, dtype=bool) if left_out is None else ~left_out
    n_genes = kept.sum(axis=1)
    measured = np.zeros(len(a)) if measured_noise is None else measured_noise
    claimed = np.zeros(len(a)) if predicted_noise is None else np.minimum(predicted_noise, measured)
    claim = (claimed / n_genes).sum()
    if claim > 0:
        claimed = claimed * min(1.0, _spread(a, kept) / claim)
    error = (np.where(kept, np.square(a - b), 0.0).sum(axis=1) - claimed - measured) / n_genes
    size = np.where(kept, np.square(b - log_bulk(control_counts)), 0.0).sum(axis=1) - measured - control_noise
    whole = (size / n_genes).sum()
    return float(error.sum() / whole) if whole > 0 else float("nan")


@metric("DE Jaccard", best=1.0)
def significant_jaccard(significant: Truths, predicted_significant: Truths, left_out: Truths | None = None) -> Scores:
    """Genes significant on both sides over genes significant on either.

    Best value 1, which is also that of nothing significant on either side: both say that nothing responds.

    Loophole: Calling nothing is perfect where nothing is significant. Agreement by chance grows with the share of
    significant genes: calling the genes that respond to everything is worth a good deal.

    Source: ``sig_jaccard`` of cell-eval2 0.20.
    """
    a, b = _without(significant, left_out), _without(predicted_significant, left_out)
    return np.where((a | b).any(axis=1), ratio((a & b).sum(axis=1), (a | b).sum(axis=1)), 1.0)


@metric("LFC error 2026", best=0.0, chance=1.0)
def lfc_error(
    predicted_lfc: Effects, measured_lfc: Effects, significant: Truths, left_out: Truths | None = None
) -> Scores:
    """Absolute error of log fold changes over the significant genes, relative to their measured size.

    Best value 0; saying that nothing changes is 1. Undefined below ten significant genes. What is not predicted, or
    not finite, counts as no change: leaving out cannot pay.

    Loophole: Only significant genes count, so false positives are free; and shrinking towards 0 is never worse than 1.

    Source: ``lfc_nmae`` of cell-eval2 0.20.
    """
    a, b = np.asarray(predicted_lfc, dtype=np.float64), np.asarray(measured_lfc, dtype=np.float64)
    gate = _without(significant, left_out) & np.isfinite(b)
    a = np.where(np.isfinite(a), a, 0.0)
    error = np.where(gate, np.abs(a - np.where(gate, b, 0.0)), 0.0).sum(axis=1)
    size = np.where(gate, np.abs(b), 0.0).sum(axis=1)
    return np.where(gate.sum(axis=1) >= FEWEST_GENES, ratio(error, size), np.nan)


@metric("direction fidelity", best=1.0)
def direction_fidelity(
    predicted_lfc: Effects,
    measured_lfc: Effects,
    significant: Truths,
    predicted_significant: Truths,
    left_out: Truths | None = None,
) -> Scores:
    """Genes called in the right direction over the larger of the numbers of called and of significant genes.

    Best value 1. Undefined where nothing is called or significant. A called gene need not be significant in the
    measurement to be right: only its direction counts.

    Loophole: Calling as many genes as are significant and giving each the direction it usually has is worth a half
    and more.

    Source: ``direction_fidelity_yield_raw`` of cell-eval2 0.20.
    """
    a, b = checked(predicted_lfc, measured_lfc)
    has_direction = ~np.isnan(b) & (b != 0)
    called = _without(predicted_significant, left_out) & has_direction & ~np.isnan(a)
    right = called & (np.sign(a) == np.sign(b))
    n_measured = _without(significant, left_out).sum(axis=1)
    return ratio(right.sum(axis=1), np.maximum(called.sum(axis=1), n_measured))


@metric("direction reach", best=1.0)
def direction_reach(
    predicted_lfc: Effects,
    measured_lfc: Effects,
    significant: Truths,
    predicted_q: Matrix,
    predicted_p: Matrix,
    left_out: Truths | None = None,
) -> Scores:
    """How far down the prediction's ranking of the significant genes nine in ten have the right direction.

    Best value 1: the share of the significant genes in the longest prefix whose directions are at least 90 % right.
    The ranking is by q-value, p-value and falling absolute log fold change. Undefined without a significant gene.

    Loophole: A coin flip on the first gene decides between something and nothing where few genes are significant; one
    gene of a habitual direction ranked first is nearly free.

    Source: ``direction_reach_raw`` of cell-eval2 0.20; genes equal in all three stay in the order of the columns, which
    cells scored by the challenge's protocol have by name.
    """
    a, b = checked(predicted_lfc, measured_lfc)
    truth = _without(significant, left_out)
    reach = np.full(len(a), np.nan)
    for p in np.flatnonzero(truth.any(axis=1)):
        genes = np.flatnonzero(truth[p])
        q, pv, lfc = predicted_q[p, genes], predicted_p[p, genes], a[p, genes]
        size = np.where(np.isnan(lfc), -np.inf, np.abs(lfc))
        order = np.lexsort((-size, np.where(np.isnan(pv), np.inf, pv), np.where(np.isnan(q), np.inf, q)))
        ranked = genes[order]
        ranked = ranked[~np.isnan(a[p, ranked]) & ~np.isnan(b[p, ranked]) & (b[p, ranked] != 0)]
        right = np.cumsum(np.sign(a[p, ranked]) == np.sign(b[p, ranked]))
        pure = np.flatnonzero(right >= PURITY * np.arange(1, len(ranked) + 1))
        reach[p] = (pure[-1] + 1 if len(pure) else 0) / len(genes)
    return reach


def jackknife_noise(counts: sparse.csr_array, target_sum: float = TARGET_SUM) -> float:
    """Squared sampling error of log summed counts, summed over genes: the delete-one jackknife over cells.

    Parameters
    ----------
    counts
        Counts of the cells of one perturbation, shape (cells, genes).

    Source: ``C_p`` of cell-eval2 0.20.
    """
    n = counts.shape[0]
    sums, sizes = np.asarray(counts.sum(axis=0), dtype=np.float64).ravel(), np.asarray(counts.sum(axis=1)).ravel()
    left = sums.sum() - sizes
    if n < 2 or (left <= 0).any():  # noqa: PLR2004
        return 0.0
    without = target_sum * sums[None] / left[:, None]
    rows = np.repeat(np.arange(n), np.diff(counts.indptr))
    without[rows, counts.indices] = target_sum * (sums[counts.indices] - counts.data) / left[rows]
    np.log1p(without, out=without)
    without -= without.mean(axis=0)
    return float((n - 1) / n * np.einsum("ij,ij->", without, without))


def _spread(levels: Matrix, kept: Truths) -> float:
    """Squared deviation of each gene from its mean over the rows that keep it, summed, each row per gene it keeps."""
    weight = np.where(kept, 1.0 / kept.sum(axis=1, keepdims=True).clip(1), 0.0)
    total = weight.sum(axis=0)
    centred = levels - levels.mean(axis=0)
    mean = np.divide((weight * centred).sum(axis=0), total, out=np.zeros_like(total), where=total > 0)
    return float((weight * np.square(centred - mean)).sum())


def _without(mask: Truths, left_out: Truths | None) -> Truths:
    return mask if left_out is None else mask & ~left_out
