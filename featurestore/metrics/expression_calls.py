"""Differential expression, predicted against measured: which genes respond, how far down the list, and which way.

The measured calls are a mask of significant genes (false discovery rate below 5 %). A prediction of cells has calls of
its own; a prediction of effects has none, and its genes are ranked by absolute log fold change. P-values of cells that
repeat one predicted profile are no calls: they have no variance, and even the true profile scores 0.06 by them.

A perturbation without significant genes has nothing to be found and is undefined here; cell-eval scores it 0.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from featurestore.metrics.ranking import average_precision, roc_area
from featurestore.metrics.registry import metric
from featurestore.metrics.rows import Effects, Matrix, Scores, Truths, checked, ratio

SMALLEST_Q = 1e-10
"""Predicted q-values below this are as good as this, as in cell-eval."""


@metric("DE overlap at N", best=1.0)
def overlap_at_n(
    predicted_lfc: Effects,
    measured_lfc: Effects,
    significant: Truths,
    *,
    predicted_significant: Truths | None = None,
    k: int | None = None,
) -> Scores:
    """Share of the N significant genes of a perturbation that are among the N predicted to change most.

    Best value 1; chance is N over the number of genes. Genes are ranked by absolute log fold change; equal ones at
    the end of the list share what is left of it, so that order of genes plays no part.

    Loophole: With predicted calls, calling more genes can only help; and large log fold changes of genes with hardly
    any counts fill the list with noise.

    Source: ``overlap_at_N`` of cell-eval 0.8.2, the DES of the Virtual Cell Challenge 2025, which ranks among predicted
    significant genes only, breaks ties by position, and is 0 where nothing is significant.

    Parameters
    ----------
    predicted_significant
        The prediction's own calls: only these are ranked. Left out for predictions of effects.
    k
        Length of both lists, instead of N; no more than N.
    """
    return _overlap(predicted_lfc, measured_lfc, significant, predicted_significant, k, of="measured")


@metric("DE precision at N", best=1.0)
def precision_at_n(
    predicted_lfc: Effects,
    measured_lfc: Effects,
    significant: Truths,
    predicted_significant: Truths,
    *,
    k: int | None = None,
) -> Scores:
    """Share of the genes that are called in the prediction which are among as many top significant genes.

    Best value 1. Undefined without a measured significant gene; 0 where nothing is called.

    Loophole: Calling one gene that always responds, such as the target itself, is enough.

    Source: ``precision_at_N`` of cell-eval 0.8.2.

    Parameters
    ----------
    k
        Length of both lists, instead of the number of calls; no more than that.
    """
    return _overlap(predicted_lfc, measured_lfc, significant, predicted_significant, k, of="predicted")


@metric("DE recall", best=1.0)
def significant_recall(significant: Truths, predicted_significant: Truths) -> Scores:
    """Share of the significant genes that are called in the prediction too.

    Best value 1. Undefined without a significant gene.

    Loophole: Calling every gene is perfect; read it with the precision.

    Source: ``de_sig_genes_recall`` of cell-eval 0.8.2.
    """
    return ratio((significant & predicted_significant).sum(axis=1), significant.sum(axis=1))


@metric("DE direction", best=1.0, chance=0.5)
def direction_match(predicted_lfc: Effects, measured_lfc: Effects, significant: Truths) -> Scores:
    """Share of the significant genes whose predicted change has the right sign; no change is wrong.

    Best value 1, chance 0.5 where up and down are even. Undefined without a significant gene.

    Loophole: Where most responses go one way, saying "down" of every gene beats chance; the size is free.

    Source: ``de_direction_match`` of cell-eval 0.8.2.
    """
    a, b = checked(predicted_lfc, measured_lfc)
    known = significant & ~np.isnan(a) & ~np.isnan(b)
    return ratio(((np.sign(a) == np.sign(b)) & known).sum(axis=1), known.sum(axis=1))


@metric("AP by |LFC|", best=1.0)
def ap_by_lfc(predicted_lfc: Effects, measured_lfc: Effects, significant: Truths) -> Scores:
    """Average precision of the significant genes, all genes ranked by predicted absolute log fold change.

    Best value 1; chance is the share of significant genes. Undefined where no or every gene is significant.

    Loophole: Genes that respond to everything are found by the train mean; compare it with that.

    Source: ``average_precision_score`` of scikit-learn; the pseudobulk counterpart of ``pr_auc`` of cell-eval.
    """
    a, b = checked(predicted_lfc, measured_lfc)
    return average_precision(np.abs(a), significant, ~np.isnan(a) & ~np.isnan(b))


@metric("ROC by |LFC|", best=1.0, chance=0.5)
def roc_by_lfc(predicted_lfc: Effects, measured_lfc: Effects, significant: Truths) -> Scores:
    """Area under the ROC curve of the significant genes, all genes ranked by predicted absolute log fold change.

    Best value 1, chance 0.5. Undefined where no or every gene is significant.

    Loophole: Genes that are expressed at all are told from genes that are not, which is most of the area.

    Source: ``roc_auc_score`` of scikit-learn; the pseudobulk counterpart of ``roc_auc`` of cell-eval.
    """
    a, b = checked(predicted_lfc, measured_lfc)
    return roc_area(np.abs(a), significant, ~np.isnan(a) & ~np.isnan(b))


@metric("AP by p", best=1.0)
def ap_by_p(predicted_q: Matrix, significant: Truths) -> Scores:
    """Average precision of the significant genes, all genes ranked by the q-value of the predicted cells.

    Best value 1; chance is the share of significant genes. Undefined where no or every gene is significant.

    Loophole: Of predicted cells only. Cells without variance make every q-value tiny, and a perfect profile worthless.
    With the trapezoidal rule, which this is not, ties earned tenfold.

    Source: ``pr_auc`` of cell-eval 0.8.2, one of the generalist criteria of the challenge of 2025.
    """
    return average_precision(-np.log10(_clipped(predicted_q)), significant, np.ones(significant.shape, dtype=bool))


@metric("ROC by p", best=1.0, chance=0.5)
def roc_by_p(predicted_q: Matrix, significant: Truths) -> Scores:
    """Area under the ROC curve of the significant genes, all genes ranked by the q-value of the predicted cells.

    Best value 1, chance 0.5. Undefined where no or every gene is significant.

    Loophole: As of the average precision by p; and unexpressed genes, whose q-value is 1, are most of the area.

    Source: ``roc_auc`` of cell-eval 0.8.2.
    """
    return roc_area(-np.log10(_clipped(predicted_q)), significant, np.ones(significant.shape, dtype=bool))


def _clipped(q: Matrix) -> Matrix:
    clipped: Matrix = np.where(np.isnan(q), 1.0, q).clip(SMALLEST_Q, 1.0)
    return clipped


def _overlap(
    predicted: Effects, measured: Effects, significant: Truths, called: Truths | None, k: int | None, *, of: str
) -> Scores:
    a, b = checked(predicted, measured)
    is_known = ~np.isnan(a) & ~np.isnan(b)
    truth = significant & is_known
    ranked = is_known if called is None else called & is_known
    n = (truth if of == "measured" else ranked).sum(axis=1)
    length = n if k is None else np.minimum(n, k)
    common = (_top(np.abs(a), ranked, length) * _top(np.abs(b), truth, length)).sum(axis=1)
    share: Scores = common / np.maximum(length, 1)
    return np.where(truth.any(axis=1), share, np.nan)


def _top(x: Matrix, eligible: Truths, length: npt.NDArray[np.int64]) -> Matrix:
    """How much of each gene is among the largest of its row: 1, 0, or its share of the places left for a tie."""
    if not x.size:
        return np.zeros(x.shape)
    size = np.where(eligible, x, -1.0)
    place = (np.minimum(length, eligible.sum(axis=1)) - 1).clip(0)
    least = np.take_along_axis(-np.sort(-size, axis=1), place[:, None], axis=1)
    above, tied = eligible & (size > least), eligible & (size == least)
    left = (length - above.sum(axis=1)).clip(0)
    share = np.minimum(left / np.maximum(tied.sum(axis=1), 1), 1.0)
    return np.where(length[:, None] > 0, above + tied * share[:, None], 0.0)
