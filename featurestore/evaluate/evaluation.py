"""The outcome of an evaluation: predictions, scores, comparisons, and the report folder."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.errors import FeatureError
from featurestore.evaluate.scatter import axis_limit, draw_scatter
from featurestore.evaluate.scoring import METRICS, STRATA, summarise
from featurestore.evaluate.verdict import Comparison, as_records, best_learnt, comparisons, sentences, title

if TYPE_CHECKING:
    from featurestore.features.feature_matrix import FeatureMatrix


@dataclass(frozen=True)
class Evaluation:
    """Held-out predictions of several models, and how good they are.

    Parameters
    ----------
    matrix
        The feature matrix.
    predicted
        Held-out prediction of each model, float32, shape (rows, genes).
    own
        Genes that are a row's own targets, shape (rows, genes): no score looks at them.
    per_perturbation
        One line per model and row: its scores, fold, and whether the model fell back to the training mean.
    penalties
        Penalty chosen in each fold, of the models that choose one.
    """

    matrix: FeatureMatrix
    predicted: dict[str, npt.NDArray[np.float32]]
    own: npt.NDArray[np.bool_]
    per_perturbation: pl.DataFrame
    penalties: dict[str, list[float]] = field(default_factory=dict)

    @cached_property
    def summary(self) -> pl.DataFrame:
        """Mean scores: one line per model, stratum and metric."""
        return summarise(self.per_perturbation)

    @cached_property
    def comparisons(self) -> list[Comparison]:
        """The best learnt model against the baselines."""
        best = best_learnt(self.summary)
        return [] if best is None else comparisons(self.per_perturbation, best)

    @property
    def verdict(self) -> list[str]:
        """What the comparisons say, in sentences."""
        return sentences(self.comparisons)

    def score(self, model: str, metric: str, stratum: str = "all") -> float | None:
        """Return a mean score; None where it is undefined."""
        rows = self.summary.filter(model=model, metric=metric, stratum=stratum)
        return None if rows.is_empty() else rows["mean"][0]

    def counts(self) -> dict[str, int]:
        """Count rows, perturbations, groups, folds, and the rows that some source covers."""
        rows, covered = self.matrix.rows, self.matrix.covered
        return {
            "n_rows": rows.height,
            "n_perturbations": rows["perturbation_id"].n_unique(),
            "n_groups": rows["group"].n_unique(),
            "n_folds": rows["fold"].n_unique(),
            "n_rows_covered": int(covered.sum()),
            "n_rows_uncovered": int((~covered).sum()),
        }

    def to_dict(self) -> dict[str, Any]:
        """Return all but predictions and single scores as plain values; undefined is None."""
        models: dict[str, Any] = {}
        for name in self.predicted:
            own = self.summary.filter(model=name)
            fallback = self.per_perturbation.filter(model=name)["is_fallback"].sum()
            models[name] = {"title": title(name), "n_rows_fallback": fallback} | {
                stratum: {
                    row["metric"]: {key: row[key] for key in ("mean", "n_perturbations", "n_undefined")}
                    for row in own.filter(stratum=stratum).iter_rows(named=True)
                }
                for stratum in STRATA
            }
            if name in self.penalties:
                models[name]["penalties"] = self.penalties[name]
        return {
            "name": self.matrix.manifest.get("name"),
            "recipe": self.matrix.manifest.get("recipe"),
            "snapshot": self.matrix.manifest.get("snapshot"),
            **self.counts(),
            "own_targets": "left out of every score",
            "models": models,
            "comparisons": as_records(self.comparisons),
            "verdict": self.verdict,
        }

    def write(self, folder: str | Path) -> None:
        """Write ``scores.json``, ``per_perturbation.parquet`` and ``.csv``, and one PNG per model into a folder.

        Raises
        ------
        FeatureError
            The folder cannot be written to.
        """
        path = Path(folder)
        try:
            path.mkdir(parents=True, exist_ok=True)
            text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
            (path / "scores.json").write_text(f"{text}\n", encoding="utf-8")
            self.per_perturbation.write_parquet(path / "per_perturbation.parquet")
            self.per_perturbation.write_csv(path / "per_perturbation.csv", float_precision=6)
            self._draw(path)
        except OSError as error:
            raise FeatureError("The report cannot be written.", where=str(path), got=str(error)) from None

    def _draw(self, path: Path) -> None:
        shown = np.isfinite(self.matrix.Y) & ~self.own
        measured = self.matrix.Y[shown]
        limit = axis_limit(measured)
        unit = self.matrix.manifest.get("spec", {}).get("target", {}).get("effect_kind", "effect")
        for name, predicted in self.predicted.items():
            r = self.score(name, METRICS[0].name)
            heading = f"{title(name).capitalize()}: " + ("r undefined" if r is None else f"mean r = {r:.2f}")
            draw_scatter(path / f"{name}.png", predicted[shown], measured, limit, heading, unit)
