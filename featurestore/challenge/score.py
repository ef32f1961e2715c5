"""Predicted cells against measured cells, on every metric that cells allow, by the protocol of 2025 or of 2026."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from featurestore.challenge import protocol_2026
from featurestore.challenge.cells import Cells
from featurestore.errors import SourceFormatError, ValuesError
from featurestore.metrics.challenge_2025 import VCC_2025, score_2025
from featurestore.metrics.inputs import Inputs, compute
from featurestore.metrics.registry import get_metric
from featurestore.metrics.rows import Matrix
from featurestore.metrics.wilcoxon import differential_expression, group_sums
from featurestore.storage.scores import SCORES, write_scores
from featurestore.storage.whole import filled

Protocol = Literal["2025", "2026"]
Report = Callable[[str], None]


@dataclass(frozen=True)
class CellScores:
    """Scores of predicted cells.

    Parameters
    ----------
    per_perturbation
        One row per perturbation: numbers of cells and of significant genes, and every metric; NULL where undefined.
    screen
        Metrics that are one number for the whole screen.
    protocol
        By which protocol.
    without_gene
        Perturbations that are called like none of the genes: no own target is left out of their scores.
    genes
        What the genes are called.
    """

    per_perturbation: pl.DataFrame
    screen: dict[str, float]
    protocol: Protocol
    without_gene: tuple[str, ...] = ()
    genes: tuple[str, ...] = ()

    @property
    def summary(self) -> pl.DataFrame:
        """One row per metric: ``mean`` over the perturbations where it is defined, ``n_undefined``, ``best``."""
        rows: list[dict[str, Any]] = []
        for name in (*self.metrics, *self.screen):
            m = get_metric(name)
            n_undefined = None if name in self.screen else self.per_perturbation[name].null_count()
            mean = self.screen[name] if name in self.screen else self._mean(name)
            value = None if np.isnan(mean) else mean
            rows.append({"metric": name, "title": m.title, "mean": value, "n_undefined": n_undefined, "best": m.best})
        kinds = {"metric": pl.String(), "title": pl.String(), "mean": pl.Float64(), "n_undefined": pl.Int64()}
        return pl.DataFrame(rows, schema=kinds | {"best": pl.Float64()})

    def _mean(self, name: str) -> float:
        found = self.per_perturbation[name].drop_nulls().to_numpy()
        return float(found.mean()) if len(found) else float("nan")

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics that each perturbation has."""
        first = ("perturbation", "n_cells_predicted", "n_cells_measured", "n_significant")
        return [name for name in self.per_perturbation.columns if name not in first]

    def means(self) -> dict[str, float]:
        """Mean of every metric by name; NaN where it is undefined everywhere."""
        return {name: float("nan") if value is None else value for name, value in self.summary["metric", "mean"].rows()}

    def challenge_means(self) -> dict[str, float]:
        """Means of the three metrics of the challenge of 2025, by its own rule that undefined is 0.

        Raises
        ------
        ValuesError
            One of the metrics was not measured.
        """
        lacking = [name for name in VCC_2025 if name not in self.metrics]
        if lacking:
            raise ValuesError(
                "The score of the challenge of 2025 needs metrics that are not there.",
                expected=", ".join(VCC_2025),
                got=f"without {', '.join(lacking)}",
                do="score by the protocol of 2025",
            )
        filled = self.per_perturbation.select(pl.col(VCC_2025).fill_null(0.0).mean())
        return {name: float(filled[name].item()) for name in VCC_2025}

    def challenge(self, baseline: Mapping[str, float]) -> dict[str, float]:
        """Score of the challenge of 2025 against the :meth:`challenge_means` of a baseline.

        The scale of the PDS, which is not the challenge's, cancels out. Where a perturbation has no significant gene,
        not even the measured cells themselves reach 1.
        """
        return score_2025(self.challenge_means(), baseline)

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as plain values."""
        found: dict[str, Any] = {
            "protocol": self.protocol,
            "n_perturbations": self.per_perturbation.height,
            "perturbations_without_gene": list(self.without_gene),
        }
        if self.protocol == "2025":
            found["challenge_means"] = self.challenge_means()
        return found | {"metrics": {row.pop("metric"): row for row in self.summary.to_dicts()}}

    def write(self, folder: str | Path) -> None:
        """Write ``scores.json`` and ``per_perturbation.csv`` into a folder."""
        with filled(Path(folder), SCORES) as path:
            write_scores(path, self.to_dict())
            self.per_perturbation.write_csv(path / "per_perturbation.csv")


def read_baseline(folder: str | Path) -> dict[str, float]:
    """Read the :meth:`CellScores.challenge_means` that a scored baseline was written with.

    Raises
    ------
    SourceFormatError
        There are none.
    """
    path = Path(folder) / SCORES
    try:
        found: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))["challenge_means"]
    except (OSError, ValueError, KeyError) as error:
        what = "There are no scores by the protocol of 2025 to compare with."
        raise SourceFormatError(what, where=str(path), got=str(error)) from None
    return found


def score_cells(
    predicted: Cells,
    measured: Cells,
    *,
    protocol: Protocol = "2025",
    truth: protocol_2026.Side | None = None,
    report: Report = lambda _: None,
) -> CellScores:
    """Score predicted cells against measured ones on every metric that they allow.

    Parameters
    ----------
    predicted, measured
        Cells of the same perturbations and genes, each with controls; log1p values or counts. The protocol of 2026
        needs counts, and takes the controls of the measured cells for both sides.
    protocol
        ``2025``: log1p at the median cell size of the measured cells, Wilcoxon over all genes, own targets left out of
        the PDS only; as cell-eval 0.8.2, which scales predicted counts to a median of their own. ``2026``: summed
        counts, Wilcoxon over expressed genes, own targets left out everywhere; as cell-eval2 0.20.
    truth
        By the protocol of 2026: the measured side, where it is computed already.

    Raises
    ------
    SourceFormatError
        The two sides differ in genes or perturbations; or, by the protocol of 2026, no perturbation is called like a
        gene, so that no own target could be left out.
    ValuesError
        The protocol needs counts.
    """
    _check_alike(predicted, measured)
    if protocol == "2025":
        inputs = _inputs_2025(predicted, measured, report)
    else:
        inputs = _inputs_2026(predicted, measured, truth, report)
    report("scoring")
    scores = compute(inputs)
    n_groups = len(measured.perturbations)
    significant = inputs.significant
    table = pl.DataFrame(
        {
            "perturbation": measured.perturbations,
            "n_cells_predicted": np.bincount(predicted.groups[predicted.groups >= 0], minlength=n_groups),
            "n_cells_measured": np.bincount(measured.groups[measured.groups >= 0], minlength=n_groups),
            "n_significant": None if significant is None else significant.sum(axis=1),
        }
    ).with_columns(**{k: pl.Series(v).fill_nan(None) for k, v in scores.items() if not isinstance(v, float)})
    screen = {k: v for k, v in scores.items() if isinstance(v, float)}
    return CellScores(table, screen, protocol, measured.without_gene, (*measured.genes, *measured.symbols))


def _check_alike(predicted: Cells, measured: Cells) -> None:
    for what, ours, theirs in (
        ("genes", predicted.genes, measured.genes),
        ("perturbations", predicted.perturbations, measured.perturbations),
    ):
        if ours != theirs:
            missing, extra = sorted(set(theirs) - set(ours))[:5], sorted(set(ours) - set(theirs))[:5]
            raise SourceFormatError(
                f"Predicted and measured cells do not have the same {what}.",
                where=predicted.name,
                expected=f"the {len(theirs):,} {what} of {measured.name}, in the same order",
                got=f"{len(ours):,}; missing: {', '.join(missing) or 'none'}; unknown: {', '.join(extra) or 'none'}",
            )


def _inputs_2025(predicted: Cells, measured: Cells, report: Report) -> Inputs:
    target = measured.size if measured.is_counts else predicted.size
    sides = []
    for what, cells in (("predicted", predicted), ("measured", measured)):
        report(f"differential expression of the {what} cells")
        values, groups = cells.log1p(target), cells.groups
        calls = differential_expression(values, groups, len(cells.perturbations))
        sides.append((_means(values, cells), calls))
    (levels, calls), (true_levels, truth) = sides
    return Inputs(
        predicted=levels[1:] - levels[0],
        measured=true_levels[1:] - true_levels[0],
        left_out=measured.own,
        significant=truth.significant,
        predicted_lfc=calls.log2_fold_change,
        measured_lfc=truth.log2_fold_change,
        predicted_levels=levels[1:],
        measured_levels=true_levels[1:],
        predicted_significant=calls.significant,
        predicted_q=calls.q_value,
        predicted_p=calls.p_value,
    )


def _inputs_2026(predicted: Cells, measured: Cells, truth: protocol_2026.Side | None, report: Report) -> Inputs:
    protocol_2026.check(predicted, measured)
    report("differential expression of the predicted cells")
    side = protocol_2026.side(predicted, measured)
    if truth is None:
        report("differential expression of the measured cells")
        truth = protocol_2026.side(measured, measured)
    return protocol_2026.inputs(side, truth, measured)


def _means(values: Any, cells: Cells) -> Matrix:
    """Mean over cells of each group, the controls first, shape (1 + perturbations, genes)."""
    groups = cells.groups + 1
    n_groups = len(cells.perturbations) + 1
    means: Matrix = group_sums(values, groups, n_groups) / np.bincount(groups, minlength=n_groups)[:, None]
    return means
