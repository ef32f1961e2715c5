"""The report of an evaluation of pairs: scores, genes and pairs one by one, and a picture."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from featurestore.errors import FeatureError
from featurestore.evaluation.pair_evaluation import PairEvaluation
from featurestore.evaluation.pair_picture import draw_areas, draw_reliability
from featurestore.storage.scores import SCORES, write_scores
from featurestore.storage.sealed import write_sums
from featurestore.storage.whole import filled


def write(evaluation: PairEvaluation, folder: str | Path, *, predictions: str | None = None) -> None:
    """Write ``scores.json``, ``per_gene.csv``, ``pairs.parquet`` and pictures into a folder.

    ``auroc.png`` shows models and features, ``reliability.png`` probabilities against shares of positive pairs.

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
            draw_areas(path / "auroc.png", evaluation)
            if evaluation.probabilities:
                draw_reliability(path / "reliability.png", evaluation)
            if held_out_by is not None:
                held_out_by.write_parquet(path / "predicted.parquet")
            write_sums(path)
    except OSError as error:
        raise FeatureError("The report cannot be written.", where=str(folder), got=str(error)) from None
