"""How genes were perturbed, seen in the cells: each target's own expression where it is perturbed and elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from ingest.inspection.sample import Sample

FEWEST_EXPECTED = 50.0
"""Counts expected of all targets together below which nothing is said."""


@dataclass(frozen=True, slots=True)
class OwnExpression:
    """Expression of the targets in the cells where they are perturbed, as a ratio to all other cells.

    ``expected`` is the number of counts (or, of log-normalised values, of normalised counts) it rests on.
    """

    ratio: float
    expected: float
    n_targets: int
    n_cells: int


def own_expression(
    sample: Sample, labels: pl.Series, target_of: dict[str, str], gene_of_column: pl.Series, *, is_log: bool
) -> OwnExpression | None:
    """Compare each target's expression with what the other cells of the sample let expect.

    Parameters
    ----------
    sample
        The first rows of the matrix, whole.
    labels
        The perturbation of each row of the sample.
    target_of
        Gene identifier of each label that names one.
    gene_of_column
        Gene identifier of each column of the matrix, null where there is none.
    is_log
        Whether the values are log1p.

    Returns
    -------
    None where too little of the targets is measured.
    """
    column_of = {gene: at for at, gene in enumerate(gene_of_column) if gene is not None}
    targets = labels.replace_strict(target_of, default=None, return_dtype=pl.String)
    column = targets.replace_strict(column_of, default=-1, return_dtype=pl.Int64).fill_null(-1).to_numpy()
    matrix = sample.matrix.expm1() if is_log else sample.matrix
    depth = np.asarray(matrix.sum(axis=1)).ravel()
    total = np.asarray(matrix.sum(axis=0)).ravel()
    observed = expected = 0.0
    measured = np.unique(column[column >= 0])
    for gene in measured.tolist():
        own = np.flatnonzero(column == gene)
        seen = float(matrix[own, :][:, [gene]].sum())
        rest = float(depth.sum() - depth[own].sum())
        if rest > 0:
            observed += seen
            expected += (total[gene] - seen) / rest * float(depth[own].sum())
    if expected < FEWEST_EXPECTED:
        return None
    return OwnExpression(observed / expected, expected, measured.size, int((column >= 0).sum()))
