"""The responder filter of signatures that were not computed from cells here, and what both filters share."""

from __future__ import annotations

import polars as pl

from featurestore.contract import RELEASE

LEAST_GENES = 10
LEAST_SHARE = 0.01
LEAST_TAS = 0.2
"""Transcriptional activity above which an L1000 signature counts as active."""


def judge_reported(quality: pl.DataFrame, n_genes: int, counted: str = "at q < 0.05") -> pl.DataFrame:
    """Decide for every signature that was not computed from cells here.

    Active is one whose transcriptional activity score is at least 0.2; where there is no score, one with enough genes
    at the source's own q < 0.05, as for cells: 10, or one measured gene in a hundred where that is fewer.

    Parameters
    ----------
    quality
        ``condition_index`` and any of the quality table's columns; ``evidence`` is added to the reason.
    n_genes
        Measured genes.
    counted
        What ``n_significant`` counts, in words.

    Returns
    -------
    The release's quality table; ``is_responder`` is NULL where there is neither score nor q.
    """
    least = least_genes(n_genes)
    given = {"tas": pl.Float64, "n_significant": pl.Int64, "evidence": pl.String}
    quality = quality.with_columns(
        pl.lit(None, dtype).alias(name) for name, dtype in given.items() if name not in quality.columns
    )
    tas, genes = pl.col("tas"), pl.col("n_significant")
    score = pl.format(f"TAS {{}} (needs {LEAST_TAS})", tas.round(3))
    count = pl.format(f"{{}} genes {counted} (needs {least})", genes)
    reason = pl.coalesce(pl.when(tas.is_not_null()).then(score), pl.when(genes.is_not_null()).then(count))
    none = pl.when(pl.col("evidence").is_null()).then(pl.lit("the source reports neither activity score nor q-values"))
    return complete(
        quality.with_columns(
            test=pl.lit("reported"),
            is_responder=pl.coalesce(tas >= LEAST_TAS, genes >= least),
            reason=pl.concat_str(pl.coalesce(reason, none), "evidence", separator=": ", ignore_nulls=True),
        )
    )


def least_genes(n_genes: int) -> int:
    """Return how many genes a responder changes at least: 10, or one in a hundred where that is fewer."""
    return max(1, min(LEAST_GENES, round(LEAST_SHARE * n_genes)))


def complete(table: pl.DataFrame) -> pl.DataFrame:
    """Bring a table to the columns of the release's quality table, those that are not there NULL."""
    schema = RELEASE["quality"].schema
    absent = [pl.lit(None, dtype).alias(name) for name, dtype in schema.items() if name not in table.columns]
    return table.with_columns(absent).select(schema.names()).sort("condition_index")
