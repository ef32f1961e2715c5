"""Held-out scores of pairs, and how well they rank: by gene, as a mean, and how sure that mean is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl
from sklearn.base import clone
from sklearn.utils.validation import has_fit_parameter
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from featurestore.evaluation.auroc import auroc_by_group
from featurestore.models.baseline import Doubles
from featurestore.models.pair_blend import BlendOnPairs
from featurestore.models.pairs import LogisticOnPairs, RidgeOnPairs, SamePairElsewhere

if TYPE_CHECKING:
    from featurestore.features.pairs.pair_matrix import PairMatrix

Report = Callable[[str], None]
PAIR_MODELS = ("elsewhere", "ridge", "logistic", "blend")
JUDGED_OF_PAIRS = "blend"
"""The model that is judged, chosen beforehand."""
_TITLES = {
    "elsewhere": "same pair elsewhere",
    "ridge": "ridge on pair features",
    "logistic": "logistic regression on pair features",
    "blend": "blend of regression, ranking and trees",
}
_BLOCKS = 50
"""Blocks of held-out perturbations, each left out once for the standard error."""


def pair_models(matrix: PairMatrix) -> dict[str, Any]:
    """Make the models that a report compares, the baseline first."""
    calls = np.flatnonzero(matrix.columns["kind"] == "signature")
    baseline = {"elsewhere": SamePairElsewhere(tuple(int(i) for i in calls))} if len(calls) else {}
    return baseline | {"ridge": RidgeOnPairs(), "logistic": LogisticOnPairs(), "blend": BlendOnPairs()}


def title(model: str) -> str:
    """Return what a model is called in tables and pictures."""
    return _TITLES.get(model, model)


class HeldOutPairs(NamedTuple):
    """What models say of pairs while they are held out.

    Parameters
    ----------
    scores
        The score of each pair by model, shape (pairs,); NaN where a pair is never held out.
    weights
        The mean weight of each feature over the divisions, of the models that have weights, shape (features,).
    probabilities
        That each pair is positive, of the models that say so.
    """

    scores: dict[str, Doubles]
    weights: dict[str, Doubles]
    probabilities: dict[str, Doubles]


def held_out_scores(matrix: PairMatrix, models: dict[str, Any], report: Report = lambda _: None) -> HeldOutPairs:
    """Fit every model on the training pairs of each division, and score the held-out ones."""
    scores = {name: np.full(len(matrix.y), np.nan) for name in models}
    probabilities = {name: np.full(len(matrix.y), np.nan) for name in models if hasattr(models[name], "probability")}
    weights: dict[str, list[Doubles]] = {}
    genes = matrix.rows["gene_id"].to_numpy()
    with threadpool_limits(1):
        for held_out, values, inner in zip(matrix.held_out, matrix.X, matrix.inner_fold, strict=True):
            train = inner >= 0
            for name, template in models.items():
                report(f"{held_out}: {name}")
                told = {"genes": genes[train]} if has_fit_parameter(template, "genes") else {}
                model = clone(template).fit(values[train], matrix.y[train], groups=inner[train], **told)
                scores[name][~train] = model.decision_function(values[~train])
                if name in probabilities:
                    probabilities[name][~train] = model.probability(values[~train])
                if hasattr(model, "coef_"):
                    weights.setdefault(name, []).append(model.coef_)
    return HeldOutPairs(scores, {name: np.mean(each, axis=0) for name, each in weights.items()}, probabilities)


def feature_scores(matrix: PairMatrix) -> dict[str, Doubles]:
    """Take each feature alone for a score of the held-out pairs; where it is missing, its mean over training pairs."""
    found = np.full((len(matrix.columns), len(matrix.y)), np.nan)
    for values, inner in zip(matrix.X, matrix.inner_fold, strict=True):
        train = inner >= 0
        present = np.isfinite(values[train])
        total = np.where(present, values[train], 0.0).sum(axis=0)
        mean = total / np.maximum(present.sum(axis=0), 1)
        found[:, ~train] = np.where(np.isfinite(values[~train]), values[~train], mean).T
    return dict(zip(matrix.columns["name"], found, strict=True))


def per_gene(matrix: PairMatrix, scores: dict[str, Doubles]) -> pl.DataFrame:
    """Score every gene within every part held out, where both answers are there.

    Returns
    -------
    ``model``, ``held_out``, ``gene_id``, ``auroc``.
    """
    genes = matrix.rows["gene_id"].to_numpy()
    parts = []
    for held_out, inner in zip(matrix.held_out, matrix.inner_fold, strict=True):
        test = inner < 0
        for model, score in scores.items():
            names, area = auroc_by_group(genes[test], matrix.y[test], score[test])
            parts.append(
                pl.DataFrame({"gene_id": names, "auroc": area}, schema={"gene_id": pl.String(), "auroc": pl.Float64()})
                .with_columns(model=pl.lit(model), held_out=pl.lit(held_out))
                .select("model", "held_out", "gene_id", "auroc")
            )
    return pl.concat(parts)


def mean_auroc(table: pl.DataFrame) -> dict[str, float]:
    """Average over the parts held out, then over genes: one number per model that has any gene with both answers."""
    by_gene = table.group_by("model", "gene_id", maintain_order=True).agg(pl.col("auroc").mean())
    return dict(by_gene.group_by("model", maintain_order=True).agg(pl.col("auroc").mean()).iter_rows())


def standard_error(matrix: PairMatrix, score: Doubles, seed: int = 0) -> float | None:
    """Estimate the standard error of the mean by a jackknife over perturbations: their pairs stand or fall together.

    The held-out groups are dealt to 50 blocks, fewer where there are fewer groups; each block is left out once. A
    bootstrap would not do: genes with few pairs lose one of their answers in many draws, and the others score better.

    Returns
    -------
    The standard error; None with fewer than two groups, or where leaving a block out leaves nothing to score.
    """
    genes = np.unique(matrix.rows["gene_id"].to_numpy(), return_inverse=True)[1]
    part = np.argmax(matrix.inner_fold < 0, axis=0)
    is_held = (matrix.inner_fold < 0).any(axis=0)
    names, group = np.unique(matrix.rows["group"].to_numpy()[is_held], return_inverse=True)
    n_blocks = min(_BLOCKS, len(names))
    block = np.random.default_rng(seed).permutation(len(names))[group] % max(n_blocks, 1)
    n_parts = len(matrix.held_out)
    where, truth, score = (genes * n_parts + part)[is_held], matrix.y[is_held], score[is_held]
    means = []
    for left_out in range(n_blocks):
        kept = block != left_out
        place, area = auroc_by_group(where[kept], truth[kept], score[kept])
        if not len(area):
            return None
        means.append(_mean_over_genes(place // n_parts, area))
    if len(means) <= 1:
        return None
    return float(np.sqrt((n_blocks - 1) * np.var(means)))


def _mean_over_genes(gene: Any, area: Doubles) -> float:
    _, which, n = np.unique(gene, return_inverse=True, return_counts=True)
    return float((np.bincount(which, weights=area) / n).mean())
