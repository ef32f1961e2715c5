"""What one more dataset is worth where a row is a pair: the regression on fewer sources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from featurestore.evaluation.learning import subsets_of
from featurestore.evaluation.pair_scoring import Report, held_out_scores, mean_auroc, per_gene, standard_error
from featurestore.models.pairs import LogisticOnPairs

if TYPE_CHECKING:
    from featurestore.features.pairs.builder import PairTask

LEARNER = "logistic"
"""The model that is fitted to fewer sources: the one of those judged best that takes a second."""
_SCHEMA = {
    "sources": pl.String(), "n_sources": pl.Int64(), "data_points": pl.Int64(), "auroc": pl.Float64(),
    "standard_error": pl.Float64(),
}  # fmt: skip


def source_curve(task: PairTask, report: Report = lambda _: None) -> pl.DataFrame:
    """Fit the regression on features of no source, of each, and of more, and score all held-out pairs each time.

    Returns
    -------
    A line per set of sources: ``sources`` (which they are), ``n_sources``, ``data_points`` (conditions of theirs),
    ``auroc`` (mean over genes; 0.5 where no feature is left) and its ``standard_error``.
    """
    names = list(dict.fromkeys(one.source.name for one in task.sources))
    points = {one.source.name: one.source.conditions.height for one in task.sources}
    rng = np.random.default_rng(0)
    records: list[dict[str, Any]] = []
    for size in range(len(names) + 1):
        for subset in subsets_of(names, size, rng):
            report(f"learning from {size} of {len(names)} sources: {', '.join(subset) or 'none'}")
            few = task.of_sources(subset)
            area: float | None = 0.5
            error: float | None = None
            if few.spec.feature:
                matrix = few.build()
                scores = held_out_scores(matrix, {LEARNER: LogisticOnPairs()}).scores
                area, error = mean_auroc(per_gene(matrix, scores)).get(LEARNER), standard_error(matrix, scores[LEARNER])
            records.append(
                {
                    "sources": " + ".join(subset),
                    "n_sources": size,
                    "data_points": sum(points[name] for name in subset),
                    "auroc": area,
                    "standard_error": error,
                }
            )
    return pl.DataFrame(records, schema=_SCHEMA)
