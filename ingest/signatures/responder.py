"""The responder filter: is a condition's effect larger than noise, and why."""

from __future__ import annotations

import polars as pl

from featurestore.contract import RELEASE

LEAST_CELLS = 10
LEAST_REPLICATES = 2
"""Samples of bulk RNA-Seq, where a row is a replicate and not a cell."""
LEAST_GENES = 10
LEAST_SHARE = 0.01
LEAST_AGREEMENT = 0.5
LEAST_TAS = 0.2
"""Transcriptional activity above which an L1000 signature counts as active."""


def least_cells_of(assay: str) -> int:
    """Return how many cells, or replicates, a responder of an assay has at least."""
    return LEAST_REPLICATES if assay == "bulk_rna_seq" else LEAST_CELLS


def judge(
    treated: pl.DataFrame, measured: list[pl.DataFrame], n_genes: int, least_cells: int = LEAST_CELLS
) -> pl.DataFrame:
    """Decide for every condition of a dataset of cells.

    A responder has at least 10 cells and at least 10 genes at q < 0.05 besides its targets; where fewer than 1,000
    genes are measured, one gene in a hundred is enough. One such gene is enough where the effects of two disjoint
    halves of the cells, each against its own half of the control, correlate at 0.5 or more.

    Parameters
    ----------
    treated
        The conditions that are no controls. Where rows are pseudobulks, ``n_samples`` says how many a condition has,
        and ``n_cells`` how many cells are behind them; of a single one there is nothing to tell.
    measured
        Quality measures of those that have a control, with ``is_matched``: whether every batch has control cells.
    n_genes
        Measured genes.
    least_cells
        Cells, or replicates, that a responder has at least.

    Returns
    -------
    The release's quality table.
    """
    least_genes = _least_genes(n_genes)
    schema = {"condition_index": pl.Int32, "is_matched": pl.Boolean, "n_significant": pl.Int64}
    empty = pl.DataFrame(schema=schema | {"replicate_correlation": pl.Float64})
    samples = "n_samples" if "n_samples" in treated.columns else pl.lit(None, pl.Int64)
    table = treated.select("condition_index", cells="n_cells", samples=samples).join(
        pl.concat([*measured, empty], how="diagonal_relaxed").rename({"n_cells": "summed"}, strict=False),
        on="condition_index",
        how="left",
        maintain_order="left",
    )
    has_control = pl.col("is_matched").is_not_null()
    is_single = (pl.col("samples") == 1).fill_null(value=False)
    enough_cells = pl.col("cells") >= least_cells
    halves_agree = (pl.col("n_significant") > 0) & (pl.col("replicate_correlation").fill_null(0) >= LEAST_AGREEMENT)
    agreement = pl.format(" but halves agree at r = {}", pl.col("replicate_correlation").round(2))
    few_genes = pl.col("n_significant") < least_genes
    genes = pl.format(f"{{}} genes at q < 0.05 (needs {least_genes})", "n_significant")
    genes += pl.when(few_genes & halves_agree).then(agreement).otherwise(pl.lit(""))
    cells = pl.format(f"{{}} cells (needs {least_cells})", "cells")
    pooled = pl.when(~pl.col("is_matched")).then(pl.lit("; set against the pooled control: a batch has no control"))
    reason = pl.when(enough_cells).then(genes).otherwise(cells) + pooled.otherwise(pl.lit(""))
    table = table.with_columns(
        n_cells="cells",
        n_significant=pl.when(~is_single).then("n_significant"),
        is_responder=pl.when(has_control & ~is_single).then(enough_cells & (~few_genes | halves_agree)),
        reason=pl.when(~has_control)
        .then(pl.lit("no control in this context"))
        .when(is_single)
        .then(pl.format("one pseudobulk of {} cells: no variance to test with", "cells"))
        .otherwise(reason),
    )
    return _complete(table)


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
    least_genes = _least_genes(n_genes)
    given = {"tas": pl.Float64, "n_significant": pl.Int64, "evidence": pl.String}
    quality = quality.with_columns(
        pl.lit(None, dtype).alias(name) for name, dtype in given.items() if name not in quality.columns
    )
    tas, genes = pl.col("tas"), pl.col("n_significant")
    score = pl.format(f"TAS {{}} (needs {LEAST_TAS})", tas.round(3))
    count = pl.format(f"{{}} genes {counted} (needs {least_genes})", genes)
    reason = pl.coalesce(pl.when(tas.is_not_null()).then(score), pl.when(genes.is_not_null()).then(count))
    none = pl.when(pl.col("evidence").is_null()).then(pl.lit("the source reports neither activity score nor q-values"))
    return _complete(
        quality.with_columns(
            is_responder=pl.coalesce(tas >= LEAST_TAS, genes >= least_genes),
            reason=pl.concat_str(pl.coalesce(reason, none), "evidence", separator=": ", ignore_nulls=True),
        )
    )


def _least_genes(n_genes: int) -> int:
    return max(1, min(LEAST_GENES, round(LEAST_SHARE * n_genes)))


def _complete(table: pl.DataFrame) -> pl.DataFrame:
    schema = RELEASE["quality"].schema
    absent = [pl.lit(None, dtype).alias(name) for name, dtype in schema.items() if name not in table.columns]
    return table.with_columns(absent).select(schema.names()).sort("condition_index")
