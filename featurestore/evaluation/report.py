"""The report: one page that opens without network, with every picture in it, and the pictures beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from featurestore.errors import FeatureError
from featurestore.evaluation.bootstrap import mean_intervals
from featurestore.evaluation.evaluation import Evaluation
from featurestore.evaluation.page import write_page
from featurestore.evaluation.pictures import pictures, save, short
from featurestore.evaluation.scatter import axis_limit, draw_scatter
from featurestore.evaluation.scoring import OWN_TARGETS, STRATA, by_perturbation
from featurestore.evaluation.verdict import JUDGED, title
from featurestore.storage.scores import EFFECT_KIND, SCORES, write_scores
from featurestore.storage.sealed import write_sums
from featurestore.storage.whole import filled

_MOST_ROWS = 300
_STRATA = {
    "covered": "covered by a source",
    "uncovered": "not covered",
    "responder": "responders",
    "non_responder": "not responders",
}
_UNSEEN = {
    "perturbation": "perturbations that no training row has",
    "context": "contexts that no training row has",
    "both": "perturbations and contexts neither of which any training row has",
}


def write(evaluation: Evaluation, folder: str | Path, *, predictions: str | None = None) -> None:
    """Write ``report.html``, ``scores.json``, ``per_perturbation.parquet`` and ``.csv``, and PNGs into a folder.

    Their checksums are beside them.

    Parameters
    ----------
    evaluation
        What to report.
    folder
        The folder; made where it is missing.
    predictions
        The model of which ``predicted.parquet`` is written too.

    Raises
    ------
    FeatureError
        The folder cannot be written to, or there is no such model.
    """
    held_out = None if predictions is None else evaluation.predictions(predictions)
    try:
        with filled(Path(folder), SCORES) as path:
            write_scores(path, evaluation.to_dict())
            evaluation.per_perturbation.write_parquet(path / "per_perturbation.parquet")
            evaluation.per_perturbation.write_csv(path / "per_perturbation.csv", float_precision=6)
            if held_out is not None:
                kind = {EFFECT_KIND: unit} if (unit := _unit(evaluation)) else None
                held_out.write_parquet(path / "predicted.parquet", metadata=kind)
            _write_page(path, evaluation)
            write_sums(path)
    except OSError as error:
        raise FeatureError("The report cannot be written.", where=str(folder), got=str(error)) from None


def _write_page(folder: Path, evaluation: Evaluation) -> None:
    """Draw every picture into a folder, and write the page that holds them all."""
    scatters = _draw_scatters(folder, evaluation)
    drawn = []
    for name, (draw, text) in pictures(evaluation).items():
        save(draw(evaluation), folder / f"{name}.png")
        drawn.append(name)
        scatters[name] = text
    write_page(
        folder,
        "report.html.j2",
        scatters,
        evaluation=evaluation,
        facts=evaluation.to_dict(),
        models=[{"name": name, "title": title(name)} for name in evaluation.predicted],
        intervals=_intervals(evaluation),
        gains=[c for c in evaluation.comparisons if c.baseline == "train_mean"],
        title=title,
        short=short,
        judged=JUDGED,
        strata={name: text for name, text in _STRATA.items() if _has(evaluation, name)},
        unseen=_UNSEEN[evaluation.unseen],
        rows=_rows(evaluation),
        most_rows=_MOST_ROWS,
        own_targets=OWN_TARGETS,
        all_strata=STRATA,
    )


def _unit(evaluation: Evaluation) -> str:
    """Return the readout, or the kind of effect, that was predicted; nothing where the matrix does not say."""
    target = evaluation.matrix.manifest.get("spec", {}).get("target", {})
    return str(target.get("phenotype") or target.get("effect_kind") or "")


def _draw_scatters(folder: Path, evaluation: Evaluation) -> dict[str, str]:
    """Draw predicted against measured effects of every model, all on the same axes, and say what each shows."""
    shown = np.isfinite(evaluation.matrix.Y) & ~evaluation.own
    measured = evaluation.matrix.Y[shown]
    limit = axis_limit(measured)
    unit = _unit(evaluation) or "effect"
    texts = {}
    for name, predicted in evaluation.predicted.items():
        r = evaluation.across[name]["r"] if evaluation.is_readout else evaluation.score(name, "pearson_delta")
        label = "r across perturbations" if evaluation.is_readout else "mean r"
        heading = f"{title(name)[:1].upper()}{title(name)[1:]}: " + (
            "r undefined" if r is None else f"{label} = {r:.2f}"
        )
        draw_scatter(folder / f"{name}.png", predicted[shown], measured, limit, heading, unit)
        texts[name] = f"Predicted against measured effects. {heading}."
    return texts


def _intervals(evaluation: Evaluation) -> dict[tuple[str, str], tuple[float | None, float | None]]:
    """Bootstrap intervals of mean scores by model and metric."""
    found: dict[tuple[str, str], tuple[float | None, float | None]] = {}
    for metric in evaluation.metrics:
        scores = by_perturbation(evaluation.per_perturbation, metric.name)
        models = [name for name in evaluation.predicted if name in scores.columns]
        values = scores.select(models).cast(pl.Float64()).fill_null(np.nan).to_numpy()
        for model, low, high in zip(models, *mean_intervals(values), strict=True):
            found[model, metric.name] = (float(low), float(high)) if np.isfinite(low) else (None, None)
    return found


def _rows(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Return the conditions with their scores by the judged model beside the train mean's, best gain first."""
    table = evaluation.per_perturbation
    if JUDGED not in evaluation.predicted:
        return []
    names = [m.name for m in evaluation.metrics]
    ours = table.filter(model=JUDGED)
    if "train_mean" in evaluation.predicted:
        mean = table.filter(model="train_mean").select("condition_id", *(pl.col(n).alias(f"{n}_mean") for n in names))
        ours = ours.join(mean, on="condition_id", maintain_order="left")
    by = "mae" if evaluation.is_readout else "pearson_delta"
    return ours.sort(by, descending=not evaluation.is_readout, nulls_last=True).head(_MOST_ROWS).to_dicts()


def _has(evaluation: Evaluation, stratum: str) -> bool:
    return evaluation.summary.filter(stratum=stratum).height > 0
