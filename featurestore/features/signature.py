"""Signature features: the effect of a row's perturbation in one external source, as genes or principal components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import coo_array
from sklearn.decomposition import PCA

if TYPE_CHECKING:
    from featurestore.features.matrix import SignatureMatrix

_EXACT = 100
"""Up to this many conditions or genes everything is decomposed; above it, only the wanted components are sought."""

Effects = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Reduction:
    """Features of matched rows, and what they mean.

    Parameters
    ----------
    values
        float64, shape (rows, features).
    columns
        One row per feature: ``suffix`` (end of the column name), ``gene_id``, ``component`` and
        ``explained_variance``, the share of the source's variance.
    """

    values: Effects
    columns: pl.DataFrame


def mean_of_matches(values: npt.NDArray[np.float32], matches: pl.DataFrame, n_rows: int) -> Effects:
    """Average the source conditions that match each row, gene by gene over those that have the gene.

    Parameters
    ----------
    values
        Effects of the source, shape (conditions, genes).
    matches
        ``row`` and ``source_row``, as of ``match_conditions``.
    n_rows
        Number of rows.

    Returns
    -------
    Shape (rows, genes); NaN where no matching condition has the gene.
    """
    pairs = (matches["row"].to_numpy(), matches["source_row"].to_numpy())
    weights = coo_array((np.ones(matches.height), pairs), shape=(n_rows, len(values))).tocsr()
    present = np.isfinite(values)
    total: Effects = weights @ np.where(present, values, 0.0)
    count = weights @ present.astype(np.float64)
    mean: Effects = np.full(total.shape, np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    return mean


def pick_genes(matrix: SignatureMatrix, genes: str | list[str]) -> npt.NDArray[np.intp]:
    """Find the columns of the genes that a feature asks for, of those that any condition has."""
    wanted = np.isfinite(matrix.values).any(axis=0)
    if not isinstance(genes, str):
        named = pl.col("gene_id").is_in(genes) | pl.col("gene_symbol").is_in(genes)
        wanted &= matrix.genes.select(named.fill_null(value=False)).to_series().to_numpy()
    return np.flatnonzero(wanted)


def gene_reduction(matched: Effects, genes: pl.DataFrame) -> Reduction:
    """Use every gene as a feature."""
    columns = genes.select(
        suffix=pl.col("gene_id"),
        gene_id=pl.col("gene_id"),
        component=pl.lit(None, pl.Int64()),
        explained_variance=pl.lit(None, pl.Float64()),
    )
    return Reduction(matched, columns)


def component_reduction(source: npt.NDArray[np.float32], matched: Effects, components: int) -> Reduction:
    """Project matched effects on the principal components of their source.

    The components are fitted on every condition of the source, matched or not; a gene that a condition lacks counts
    as that gene's mean, which changes nothing where the source measured all its genes. Signs are fixed by the largest
    loading (``svd_flip``), and the iterative solver starts from a fixed vector, so the same source always gives the
    same components. There are never more components than conditions less one.

    Parameters
    ----------
    source
        Effects of the source, shape (conditions, genes); every gene is present somewhere.
    matched
        Effects to project, shape (rows, genes); a row without any gene stays NaN.
    components
        Number of components wanted.
    """
    values = source.astype(np.float64)
    mean = np.nanmean(values, axis=0)
    centred = np.nan_to_num(values - mean)
    limit = min(centred.shape)
    k = min(components, len(centred) - 1, centred.shape[1])
    iterative = limit > _EXACT and k < limit // 5
    pca = PCA(n_components=k, svd_solver="arpack" if iterative else "full", random_state=0).fit(centred)
    scores = np.nan_to_num(matched - mean) @ pca.components_.T
    scores[~np.isfinite(matched).any(axis=1)] = np.nan
    index = np.arange(1, k + 1)
    columns = pl.DataFrame(
        {
            "suffix": [f"pc_{i:02d}" for i in index],
            "gene_id": pl.Series([None] * k, dtype=pl.String()),
            "component": pl.Series(index, dtype=pl.Int64()),
            "explained_variance": pl.Series(pca.explained_variance_ratio_, dtype=pl.Float64()),
        }
    )
    return Reduction(scores, columns)
