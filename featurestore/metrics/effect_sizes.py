"""Rank agreement: of genes within a perturbation, and of the sizes of effects between perturbations."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from featurestore.metrics.registry import metric
from featurestore.metrics.rows import Effects, Scores, Truths, checked

_FEWEST = 2


@metric("Spearman LFC", best=1.0, chance=0.0)
def spearman_lfc(predicted_lfc: Effects, measured_lfc: Effects, significant: Truths) -> Scores:
    """Spearman correlation of predicted and measured log fold change over the significant genes.

    Best value 1. Undefined with fewer than two significant genes, or where either side does not vary over them.

    Loophole: Blind to scale and to every gene that does not respond: the number of false positives is free.

    Source: ``de_spearman_lfc_sig`` of cell-eval 0.8.2, one of the generalist criteria of the challenge of 2025.
    """
    a, b = checked(predicted_lfc, measured_lfc)
    keep = significant & ~np.isnan(a) & ~np.isnan(b)
    return np.array([spearman(a[p, keep[p]], b[p, keep[p]]) for p in range(len(a))], dtype=np.float64)


@metric("effect size", best=1.0, chance=0.0, per="screen")
def spearman_effect_size(predicted: Effects, measured: Effects) -> float:
    """Spearman correlation over perturbations of the Euclidean norms of predicted and measured effects.

    Best value 1: who responds most is said right. One number for the screen.

    Loophole: Says nothing of which genes respond; a model that knows the number of cells or the essentiality of the
    target may do well with nonsense for effects.

    Source: Ours; the counterpart of :func:`spearman_n_significant` for predictions without p-values.
    """
    a, b = checked(predicted, measured)
    shared = np.isfinite(a) & np.isfinite(b)
    some = shared.any(axis=1)
    sizes = [np.sqrt(np.square(np.where(shared, x, 0.0)).sum(axis=1))[some] for x in (a, b)]
    return spearman(*sizes)


@metric("number of DE genes", best=1.0, chance=0.0, per="screen")
def spearman_n_significant(predicted_significant: Truths, significant: Truths) -> float:
    """Spearman correlation over perturbations of the numbers of predicted and measured significant genes.

    Best value 1. As in the original, perturbations without a measured significant gene do not enter.

    Loophole: The number of significant genes depends on the number of cells: whoever knows which perturbations have
    many cells needs to know nothing else.

    Source: ``de_spearman_sig`` of cell-eval 0.8.2, one of the generalist criteria of the challenge of 2025; it is 1
    there when nothing is significant anywhere, and undefined here.
    """
    n_measured = significant.sum(axis=1)
    some = n_measured > 0
    return spearman(predicted_significant.sum(axis=1)[some], n_measured[some])


def spearman(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Spearman's rho with midranks; NaN for fewer than two values or none that differ."""
    from scipy.stats import rankdata  # noqa: PLC0415, takes half a second

    x, y = rankdata(np.asarray(a)), rankdata(np.asarray(b))
    x, y = x - x.mean() if len(x) else x, y - y.mean() if len(y) else y
    lengths = np.sqrt(np.square(x).sum() * np.square(y).sum())
    return float(x @ y / lengths) if len(x) >= _FEWEST and lengths > 0 else float("nan")
