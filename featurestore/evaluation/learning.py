"""Learning curves: how scores grow with training perturbations, with sources, and with the conditions of these."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from sklearn.base import clone

from featurestore.evaluation.held_out import QUICK, Setting
from featurestore.evaluation.value import of_perturbations
from featurestore.metrics import Scores
from featurestore.models import TrainMean

if TYPE_CHECKING:
    from featurestore.evaluation.splits import Positions

SHARES = (0.1, 0.2, 0.4, 0.7, 1.0)
DRAWS = 3
SUBSETS = 6
"""Subsets of sources of each size, where there are more."""
_FEWEST = 4
"""Training perturbations below which nothing is fitted."""


def learning_curves(setting: Setting, ridge: Any, report: Callable[[str], None]) -> pl.DataFrame:
    """Fit the ridge on fewer training perturbations, and on fewer sources; all of the test rows are scored each time.

    Returns
    -------
    ``axis`` (``perturbations`` or ``sources``), ``n`` (mean number learnt from), ``draw``, ``model``, ``data_points``
    (of sources: how often one of them covers a row), ``sources`` (which they are) and mean scores. Without any source
    the ridge is the train mean.
    """
    records = [*_by_perturbations(setting, ridge, report), *_by_sources(setting, ridge, report)]
    return pl.DataFrame(records).fill_nan(None)


def _by_perturbations(setting: Setting, ridge: Any, report: Callable[[str], None]) -> list[dict[str, Any]]:
    records = []
    for share in SHARES:
        for draw in range(1 if share == 1 else DRAWS):
            report(f"learning from {share:.0%} of the perturbations")
            sizes: list[int] = []

            def kept(train: Positions, share: float = share, draw: int = draw, sizes: list[int] = sizes) -> Positions:
                names, group = np.unique(setting.matrix.rows["group"].to_numpy()[train], return_inverse=True)
                n = min(len(names), max(_FEWEST, round(share * len(names))))
                chosen = np.random.default_rng(draw).permutation(len(names))[:n]
                sizes.append(n)
                return train[np.isin(group, chosen)]

            for name, model in (("ridge", ridge), ("train_mean", TrainMean())):
                scored = _means(setting, setting.run(clone(model), kept=kept, names=QUICK).scores)
                head = {"axis": "perturbations", "n": float(np.mean(sizes)), "draw": draw, "model": name}
                head |= {"data_points": None, "sources": None}
                records.append(head | scored)
    return records


def _by_sources(setting: Setting, ridge: Any, report: Callable[[str], None]) -> list[dict[str, Any]]:
    block = setting.matrix.columns["block"].to_numpy()
    names = list(dict.fromkeys(block.tolist()))
    covers = {name: int(np.isfinite(setting.matrix.X[:, block == name]).any(axis=1).sum()) for name in names}
    rng = np.random.default_rng(0)
    nothing = _means(setting, setting.run(TrainMean(), names=QUICK).scores)
    records = [{"axis": "sources", "n": 0.0, "draw": 0, "model": "ridge", "data_points": 0, "sources": ""} | nothing]
    for size in range(1, len(names) + 1):
        report(f"learning from {size} of {len(names)} sources")
        subsets = subsets_of(names, size, rng)
        scores = setting.run_on(ridge, [np.isin(block, subset) for subset in subsets], QUICK)
        head = {"axis": "sources", "n": float(size), "model": "ridge"}
        records += [
            head
            | {"draw": draw, "data_points": sum(covers[name] for name in subset), "sources": " + ".join(subset)}
            | _means(setting, each)
            for draw, (subset, each) in enumerate(zip(subsets, scores, strict=True))
        ]
    return records


def subsets_of(names: list[str], size: int, rng: np.random.Generator) -> list[tuple[str, ...]]:
    """Draw up to :data:`SUBSETS` sets of so many sources."""
    if len(names) <= SUBSETS:
        every = list(combinations(names, size))
        return [every[i] for i in sorted(rng.permutation(len(every))[:SUBSETS])]
    drawn = {tuple(sorted(rng.permutation(names)[:size].tolist())) for _ in range(SUBSETS)}
    return sorted(drawn)


def _means(setting: Setting, scores: dict[str, Scores]) -> dict[str, float]:
    means = {name: of_perturbations(setting, values) for name, values in scores.items()}
    return {name: float(np.nanmean(v)) if np.isfinite(v).any() else float("nan") for name, v in means.items()}
