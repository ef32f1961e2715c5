"""The report of an evaluation of pairs: scores, genes and pairs one by one, and a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from featurestore.errors import FeatureError
from featurestore.evaluation.page import write_page
from featurestore.evaluation.pair_evaluation import PairEvaluation
from featurestore.evaluation.pair_picture import draw_areas, draw_reliability, draw_sources
from featurestore.evaluation.pair_scoring import JUDGED_OF_PAIRS
from featurestore.evaluation.pair_value import LEARNER
from featurestore.evaluation.pair_verdict import EITHER, POSITIVE
from featurestore.storage.scores import SCORES, write_scores
from featurestore.storage.sealed import write_sums
from featurestore.storage.whole import filled

_MOST_ROWS = 300


def write(evaluation: PairEvaluation, folder: str | Path, *, predictions: str | None = None) -> None:
    """Write ``report.html``, ``scores.json``, ``per_gene.csv``, ``pairs.parquet`` and pictures into a folder.

    ``auroc.png`` shows models and features, ``reliability.png`` probabilities against shares of positive pairs, and
    ``sources.png`` what fewer sources are worth, where that was asked for. The page opens without network.

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
    held_out_by = None if predictions is None else evaluation.predictions(predictions)
    matrix = evaluation.matrix
    symbols = matrix.rows.select("gene_id", "gene_symbol").unique("gene_id")
    genes = evaluation.per_gene.join(symbols, on="gene_id", how="left", maintain_order="left")
    ranked = matrix.rows.with_columns(
        pl.Series(f"score/{model}", score).fill_nan(None) for model, score in evaluation.scores.items()
    )
    try:
        with filled(Path(folder), SCORES) as path:
            write_scores(path, evaluation.to_dict())
            genes.write_csv(path / "per_gene.csv", float_precision=6)
            ranked.filter(pl.Series(evaluation.is_held_out)).write_parquet(path / "pairs.parquet")
            _write_page(path, evaluation, genes)
            if held_out_by is not None:
                held_out_by.write_parquet(path / "predicted.parquet")
            write_sums(path)
    except OSError as error:
        raise FeatureError("The report cannot be written.", where=str(folder), got=str(error)) from None


def _write_page(folder: Path, evaluation: PairEvaluation, genes: pl.DataFrame) -> None:
    """Draw every picture into a folder, and write the page that holds them all."""
    draw_areas(folder / "auroc.png", evaluation)
    texts = {"auroc": "Mean AUROC of every model and of every feature alone, and of the blend gene by gene."}
    if evaluation.probabilities:
        draw_reliability(folder / "reliability.png", evaluation)
        texts["reliability"] = "How often pairs were positive against the probability that models said."
    if evaluation.curve.height:
        draw_sources(folder / "sources.png", evaluation)
        texts["sources"] = "Mean AUROC against the number of external data points, one point a set of sources."
    question = evaluation.question or ""
    write_page(
        folder,
        "pair_report.html.j2",
        texts,
        evaluation=evaluation,
        facts=evaluation.to_dict(),
        judged=JUDGED_OF_PAIRS,
        learner=LEARNER,
        either=EITHER.get(question, "one is positive for a gene and the other is not"),
        positive=POSITIVE.get(question, "positive"),
        best_alone=max(evaluation.alone.items(), key=lambda each: each[1], default=None),
        genes=_by_gene(evaluation, genes),
        most_rows=_MOST_ROWS,
    )


def _by_gene(evaluation: PairEvaluation, genes: pl.DataFrame) -> list[dict[str, Any]]:
    """Return what the judged model scores on each gene beside the baseline, the worst first."""
    means = genes.group_by("model", "gene_id").agg(pl.col("auroc").mean(), pl.col("gene_symbol").first())
    if JUDGED_OF_PAIRS not in evaluation.scores:
        return []
    held = evaluation.matrix.rows.filter(pl.Series(evaluation.is_held_out))
    counts = held.group_by("gene_id").agg(n=pl.len(), n_positive=pl.col("is_positive").sum())
    baseline = means.filter(model="elsewhere").select("gene_id", elsewhere="auroc")
    ours = means.filter(model=JUDGED_OF_PAIRS).join(counts, on="gene_id").join(baseline, on="gene_id", how="left")
    return ours.sort("auroc", "gene_id").head(_MOST_ROWS).to_dicts()
