"""Signature features: the effect of a row's perturbation in one external source, as genes or principal components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import coo_array
from sklearn.decomposition import PCA

from featurestore.features.kinds import Genes

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

    Where a row is matched by parts, each part is averaged and the parts are added up; a gene that any part lacks is
    missing.

    Parameters
    ----------
    values
        Effects of the source, shape (conditions, genes).
    matches
        ``row``, ``part``, ``source_row`` and ``weight``, as of ``match_conditions``.
    n_rows
        Number of rows.

    Returns
    -------
    Shape (rows, genes); NaN where no matching condition has the gene.
    """
    slots = matches.select("row", "part").unique(maintain_order=True).with_row_index("slot")
    slot = matches.join(slots, on=["row", "part"], how="left", maintain_order="left")["slot"].to_numpy()
    used, source_row = np.unique(matches["source_row"].to_numpy(), return_inverse=True)
    pairs = (matches["weight"].to_numpy(), (slot, source_row))
    weights = coo_array(pairs, shape=(slots.height, len(used))).tocsr()
    chosen = values[used]
    present = np.isfinite(chosen)
    total: Effects = weights @ np.where(present, chosen, 0.0)
    count = weights @ present.astype(np.float64)
    mean: Effects = np.full(total.shape, np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    result: Effects = np.full((n_rows, values.shape[1]), np.nan)
    row = slots["row"].to_numpy()
    whole, index = np.unique(row, return_inverse=True)
    if len(whole) < len(row):
        parts = coo_array((np.ones(len(row)), (index, np.arange(len(row)))), shape=(len(whole), len(row))).tocsr()
        mean = np.asarray(parts @ mean)
    result[whole] = mean
    return result


def shrunk(values: npt.NDArray[np.float32], n_cells: pl.Series, half: float | None) -> npt.NDArray[np.float32]:
    """Shrink effects of few cells towards none, ``n / (n + half)``; an unknown number counts as the median.

    Parameters
    ----------
    values
        Effects, shape (conditions, genes).
    n_cells
        Cells behind each condition.
    half
        Cells at which an effect counts half; None leaves all as they are.
    """
    if half is None:
        return values
    n = n_cells.cast(pl.Float64()).to_numpy()
    n = np.where(np.isnan(n), np.nanmedian(n) if np.isfinite(n).any() else np.inf, n)
    factor = np.where(np.isinf(n), 1.0, n / (np.where(np.isinf(n), 0.0, n) + half))
    return np.asarray(values * factor[:, None], dtype=np.float32)


def pick_genes(
    values: npt.NDArray[np.float32], genes: pl.DataFrame, choice: Genes, shared: pl.DataFrame | None = None
) -> npt.NDArray[np.intp]:
    """Find the columns of the genes that a feature asks for, of those that any condition has.

    Parameters
    ----------
    values
        Effects of the source, shape (conditions, genes): the variance is over its own conditions.
    genes
        gene_id and gene_symbol of each column.
    choice
        As in the spec.
    shared
        Genes that the target measures, for ``"shared"``.
    """
    wanted = np.isfinite(values).any(axis=0)
    if isinstance(choice, list):
        named = pl.col("gene_id").is_in(choice) | pl.col("gene_symbol").is_in(choice)
        wanted &= genes.select(named.fill_null(value=False)).to_series().to_numpy()
    elif choice == "shared" and shared is not None:
        wanted &= genes["gene_id"].is_in(shared["gene_id"].implode()).to_numpy()
    found = np.flatnonzero(wanted)
    if isinstance(choice, dict):
        variance = np.nanvar(values[:, found].astype(np.float64), axis=0)
        found = np.sort(found[np.argsort(-variance, kind="stable")[: choice["most_variable"]]])
    return found


def gene_reduction(matched: Effects, genes: pl.DataFrame) -> Reduction:
    """Use every gene as a feature; ``genes`` may have the ends of the column names too, as ``suffix``."""
    columns = genes.select(
        suffix=pl.col("suffix" if "suffix" in genes.columns else "gene_id"),
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
