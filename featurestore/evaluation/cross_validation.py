"""Grouped cross-validation: every row is predicted once, by models that saw none of its perturbation or context."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from featurestore.evaluation.evaluation import Evaluation
from featurestore.evaluation.evidence import Evidence
from featurestore.evaluation.held_out import Setting
from featurestore.evaluation.learning import learning_curves
from featurestore.evaluation.magnitude import rescaled_scores
from featurestore.evaluation.noise_ceiling import noise_ceiling
from featurestore.evaluation.scoring import score_table
from featurestore.evaluation.splits import Unseen, inner_groups, parts
from featurestore.evaluation.value import source_values
from featurestore.features.perturbations import own_targets
from featurestore.models import (
    BilinearOnSignatures,
    Blend,
    CrisprInformedMean,
    DiagonalOnGenes,
    ForestOnSignatures,
    KernelRidgeOnSignatures,
    NeighboursOnSignatures,
    NoChange,
    RidgeOnSignatures,
    SamePerturbationElsewhere,
    TrainMean,
)
from featurestore.models.blend import blend_parts
from featurestore.models.estimator import on_signatures

if TYPE_CHECKING:
    from featurestore.features.matrix.feature_matrix import FeatureMatrix

Report = Callable[[str], None]
HALF_TRUST = 30
"""Cells at which a condition has half the weight of one with very many."""
BESIDE = ("train_mean", "elsewhere", "ridge")
"""What somebody's own models are compared with."""
MANY_SOURCES = 12
"""With more sources than this, each is left out in turn only on request."""


def standard_models(matrix: FeatureMatrix) -> dict[str, Any]:
    """Make the models that a report compares, baselines first.

    Without own targets there is no informed mean; without features of both genes, no model of these.
    """
    blocks = matrix.columns["block"].to_numpy()
    known = {} if matrix.of_genes.width == 0 else {"of_genes": on_genes(matrix)}
    informed = own_targets(matrix.rows, matrix.genes).any()
    return {
        "no_change": NoChange(),
        "train_mean": TrainMean(),
        **({"crispr_mean": CrisprInformedMean()} if informed else {}),
        "elsewhere": SamePerturbationElsewhere(),
        "rescaled": SamePerturbationElsewhere(rescaled=True),
        "neighbours": NeighboursOnSignatures(blocks),
        "bilinear": BilinearOnSignatures(blocks),
        "ridge": RidgeOnSignatures(blocks, indicator=True),
        "kernel_ridge": KernelRidgeOnSignatures(blocks),
        "forest": ForestOnSignatures(blocks),
        **known,
        "blend": Blend(blocks, parts=blend_parts(blocks) | known if known else None),
    }


def on_genes(matrix: FeatureMatrix) -> DiagonalOnGenes:
    """Make the model that looks at what describes perturbed and measured genes alike."""
    place = {name: i for i, name in enumerate(matrix.columns["name"])}
    values = matrix.of_genes.drop("gene_id")
    columns = np.array([place[name] for name in values.columns], dtype=np.intp)
    return DiagonalOnGenes(columns, values.to_numpy(), matrix.columns["block"].to_numpy()[columns])


def beside_baselines(matrix: FeatureMatrix, models: Mapping[str, Any]) -> dict[str, Any]:
    """Put models beside what needs none, and beside the ridge that reports judge."""
    standard = standard_models(matrix)
    return {name: standard[name] for name in BESIDE if name in standard and name not in models} | dict(models)


def cell_weights(n_cells: pl.Series, half_trust: float = HALF_TRUST) -> npt.NDArray[np.float64]:
    """Weight conditions by ``n / (n + half_trust)``, scaled to mean 1; an unknown number of cells counts as the median.

    Parameters
    ----------
    n_cells
        Cells of each condition.
    half_trust
        The number of cells that weighs half as much as any number could.

    Returns
    -------
    Weights, shape (conditions,).

    Examples
    --------
    >>> import polars as pl
    >>> cell_weights(pl.Series([30, 30, None]))
    array([1., 1., 1.])
    """
    known = n_cells.cast(pl.Float64()).to_numpy()
    n = np.where(np.isnan(known), np.nanmedian(known) if np.isfinite(known).any() else 1.0, known)
    weights = n / (n + half_trust)
    return np.asarray(weights / weights.mean())


def evaluate(
    matrix: FeatureMatrix,
    models: dict[str, Any] | None = None,
    *,
    unseen: Unseen = "perturbation",
    evidence: Evidence | None = None,
    thorough: bool = False,
    report: Report = lambda _: None,
) -> Evaluation:
    """Hold every part out once, predict it, and score the predictions.

    The models, their scalers, components and penalties are fitted on the other rows alone. Own target genes are left
    out of the scores. Linear algebra keeps to one thread: the matrices are small, and threads that wait for a busy core
    cost more than they bring. Where a ridge is among the models it is fitted again without each source.

    Parameters
    ----------
    matrix
        A feature matrix; its rows say their group and fold.
    models
        Estimators by name; by default those of :func:`standard_models`. Any regressor of scikit-learn will do: gaps,
        groups and weights are seen to by :class:`~featurestore.models.EstimatorOnSignatures`.
    unseen
        What training rows never have of the rows predicted: their perturbation, their context, or either.
    evidence
        What else the warehouse knows of the rows; without halves there is no ceiling.
    thorough
        Whether to draw learning curves too.
    report
        Told in words what is being done.
    """
    evidence = Evidence() if evidence is None else evidence
    calls = evidence.calls
    blocks = matrix.columns["block"].to_numpy()
    models = standard_models(matrix) if models is None else models
    models = {name: on_signatures(name, model, blocks) for name, model in models.items()}
    own = own_targets(matrix.rows, matrix.genes)
    split = parts(matrix.rows, unseen, seed=_seed(matrix))
    setting = Setting(
        matrix,
        own,
        split,
        inner_groups(matrix.rows, unseen),
        cell_weights(matrix.rows["n_cells"]),
        calls,
    )
    fold = np.zeros(matrix.rows.height, dtype=np.int64)
    for place, (_, test) in enumerate(split):
        fold[test] = place
    with threadpool_limits(1):
        found = setting.run_all(models, report=report)
        limit = None if evidence.halves is None else noise_ceiling(matrix, evidence.halves, split, own)
        values = pl.DataFrame()
        many = matrix.columns["block"].n_unique() > MANY_SOURCES
        if "ridge" in models and (thorough or not many):
            report("leaving each source out")
            values = source_values(setting, models["ridge"], found["ridge"])
        scaled = rescaled_scores(setting, {name: found[name] for name in ("elsewhere", "ridge") if name in found})
        curves = learning_curves(setting, models["ridge"], report) if thorough and "ridge" in models else pl.DataFrame()
    return Evaluation(
        matrix,
        {name: model.predicted for name, model in found.items()},
        own,
        pl.concat(score_table(matrix, name, m.scores, m.is_fallback, fold) for name, m in found.items()),
        {name: model.penalties for name, model in found.items() if model.penalties},
        {name: model.weights for name, model in found.items() if model.weights},
        {name: m.weights_uncovered for name, m in found.items() if m.is_weighed_apart},
        unseen=unseen,
        ceiling=limit,
        source_values=values,
        rescaled=scaled,
        curves=curves,
        data_points=evidence.data_points,
        n_untested=None if calls is None else int((np.isfinite(matrix.Y) & ~calls.tested).sum()),
        null=evidence.null,
        doubts=evidence.doubts,
    )


def _seed(matrix: FeatureMatrix) -> int:
    return int(matrix.manifest.get("spec", {}).get("split", {}).get("seed", 0))
