"""Signature features: the effect of a row's perturbation in one external source, as genes or principal components."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.linalg.blas import dsymv
from scipy.sparse import coo_array
from scipy.sparse.linalg import LinearOperator, eigsh
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from featurestore.features.kinds.options import Genes

_EXACT = 100
"""Up to this many conditions or genes everything is decomposed; above it, only the wanted components are sought."""
_LARGEST_SQUARE = 6_000
"""Up to this many, they are sought in the matrix of inner products; above it, in the effects themselves."""
_AT_ONCE = 2**19
"""Effects that are in memory in double precision at once."""
_IN_A_PRODUCT = 2**21
"""As many for inner products, each of which is a square that is added up: they are few."""

Effects = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Reduction:
    """Features of matched rows, and what they mean.

    Parameters
    ----------
    values
        Floats, shape (rows, features).
    columns
        One row per feature: ``suffix`` (end of the column name), ``gene_id``, ``component`` and
        ``explained_variance``, the share of the source's variance.
    """

    values: npt.NDArray[np.floating]
    columns: pl.DataFrame


def mean_of_matches(
    values: npt.NDArray[np.float32], matches: pl.DataFrame, n_rows: int, *, single: bool = False
) -> npt.NDArray[Any]:
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
    single
        Whether effects of which nothing is averaged stay in single precision, as they are.

    Returns
    -------
    Shape (rows, genes); NaN where no matching condition has the gene.
    """
    slots = matches.select("row", "part").unique(maintain_order=True).with_row_index("slot")
    weight, source_row = matches["weight"].to_numpy(), matches["source_row"].to_numpy()
    row = slots["row"].to_numpy()
    whole, index = np.unique(row, return_inverse=True)
    is_single = slots.height == matches.height and bool((weight > 0).all())
    is_as_it_is = is_single and len(whole) == len(row)
    result = np.empty((n_rows, values.shape[1]), np.float32 if single and is_as_it_is else np.float64)
    result[np.bincount(whole, minlength=n_rows) == 0] = np.nan
    if is_single:
        if is_as_it_is:
            for share in as_shares(len(row), values.shape[1]):
                result[row[share]] = values[source_row[share]]
            return result
        mean = values[source_row].astype(np.float64)
    else:
        slot = matches.join(slots, on=["row", "part"], how="left", maintain_order="left")["slot"].to_numpy()
        mean = _weighted_mean(values, slot, source_row, weight)
    if len(whole) < len(row):
        parts = coo_array((np.ones(len(row)), (index, np.arange(len(row)))), shape=(len(whole), len(row))).tocsr()
        mean = np.asarray(parts @ mean)
    result[whole] = mean
    return result


def _weighted_mean(
    values: npt.NDArray[np.float32],
    slot: npt.NDArray[np.integer],
    source_row: npt.NDArray[np.integer],
    weight: npt.NDArray[np.float64],
) -> Effects:
    """Average the conditions of each slot, shape (slots, genes)."""
    used, place = np.unique(source_row, return_inverse=True)
    weights = coo_array((weight, (slot, place)), shape=(int(slot.max()) + 1, len(used))).tocsr()
    chosen = values[used]
    present = np.isfinite(chosen)
    total: Effects = weights @ np.where(present, chosen, 0.0)
    count = weights @ present.astype(np.float64)
    mean: Effects = np.full(total.shape, np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    return mean


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


def gene_reduction(matched: npt.NDArray[np.floating], genes: pl.DataFrame) -> Reduction:
    """Use every gene as a feature; ``genes`` may have the ends of the column names too, as ``suffix``."""
    columns = genes.select(
        suffix=pl.col("suffix" if "suffix" in genes.columns else "gene_id"),
        gene_id=pl.col("gene_id"),
        component=pl.lit(None, pl.Int64()),
        explained_variance=pl.lit(None, pl.Float64()),
    )
    return Reduction(matched, columns)


def component_reduction(
    source: npt.NDArray[np.float32], matched: npt.NDArray[np.floating], components: int
) -> Reduction:
    """Project matched effects on the principal components of their source.

    The components are fitted on every condition of the source, matched or not; a gene that a condition lacks counts
    as that gene's mean, which changes nothing where the source measured all its genes. Signs are fixed by the largest
    loading, and iterations start from a fixed vector, so the same source always gives the same
    components. There are never more components than conditions less one.

    Parameters
    ----------
    source
        Effects of the source, shape (conditions, genes); every gene is present somewhere.
    matched
        Effects to project, shape (rows, genes); a row without any gene stays NaN.
    components
        Number of components wanted.
    """
    mean: Effects = np.empty(source.shape[1])
    for genes in as_shares(source.shape[1], len(source)):
        mean[genes] = np.nanmean(source[:, genes], axis=0, dtype=np.float64)
    k = min(components, len(source) - 1, source.shape[1])
    scores: Effects = np.empty((len(matched), k))
    with threadpool_limits(1):  # hundreds of short products: threads would spend them waiting for each other
        loadings, share = _principal(source, mean, k)
        for rows in as_shares(len(matched), matched.shape[1]):
            scores[rows] = _scores(matched[rows], mean, loadings)
    index = np.arange(1, k + 1)
    columns = pl.DataFrame(
        {
            "suffix": [f"pc_{i:02d}" for i in index],
            "gene_id": pl.Series([None] * k, dtype=pl.String()),
            "component": pl.Series(index, dtype=pl.Int64()),
            "explained_variance": pl.Series(share, dtype=pl.Float64()),
        }
    )
    return Reduction(scores, columns)


def _scores(matched: npt.NDArray[np.floating], mean: Effects, loadings: Effects) -> Effects:
    """Project rows; one without any gene stays missing."""
    moved = matched - mean
    known = np.isfinite(moved)
    if not known.all():
        moved[~known] = 0.0
    scores: Effects = moved @ loadings.T
    scores[~known.any(axis=1)] = np.nan
    return scores


def _centred(source: npt.NDArray[np.float32], mean: Effects, out: Effects | None = None) -> Effects:
    """Take each gene's mean away, and put it where a gene is missing."""
    centred: Effects = np.subtract(source, mean, out=out, dtype=np.float64)
    missing = ~np.isfinite(centred)
    if missing.any():
        centred[missing] = 0.0
    return centred


def as_shares(n: int, n_across: int, at_once: int = _AT_ONCE) -> list[slice]:
    """Cut n rows, or columns, into shares that are looked at one after the other in double precision."""
    step = max(1, at_once // max(n_across, 1))
    return [slice(first, min(first + step, n)) for first in range(0, n, step)]


def _inner_products(rows: npt.NDArray[np.float32], mean: Effects) -> Effects:
    """Multiply every two centred rows, shape (rows, rows); what is above the diagonal of blocks is left out.

    Two threads do as much each: of two halves of the rows the products within, and those of one with the other. What
    they work in is given to them, since memory that a thread takes may stay with it.

    Parameters
    ----------
    rows
        Shape (rows, n).
    mean
        What is taken away from them; broadcasts to their shape.
    """
    n_rows, n = rows.shape
    means = np.broadcast_to(mean, rows.shape)
    products = np.zeros((n_rows, n_rows))
    halves = slice(0, n_rows // 2), slice(n_rows // 2, n_rows)
    most, shares = n_rows - n_rows // 2, as_shares(n, n_rows, _IN_A_PRODUCT)
    room = np.empty((2, 2, most * (shares[0].stop - shares[0].start)))
    sums = np.empty((2, most * most))

    def fill(thread: int, places: list[tuple[int, int]]) -> None:
        for down, across in places:
            block = products[halves[down], halves[across]]
            added = sums[thread, : block.size].reshape(block.shape)
            for share in shares:
                sides = {}
                for side, work in zip(dict.fromkeys((down, across)), room[thread], strict=False):
                    some = rows[halves[side], share]
                    sides[side] = _centred(some, means[halves[side], share], work[: some.size].reshape(some.shape))
                block += np.matmul(sides[down], sides[across].T, out=added)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(fill, (0, 1), ([(0, 0), (1, 1)], [(1, 0)])))
    return products


def _principal(source: npt.NDArray[np.float32], mean: Effects, k: int) -> tuple[Effects, Effects]:
    """Find the first ``k`` principal directions, shape (k, genes), and each one's share of the variance.

    A few of many are the leading eigenvectors of the inner products, of conditions or of genes, whichever are fewer,
    sought from a fixed start: each of hundreds of steps then passes over half of that square, not over all effects.
    """
    fewer = min(source.shape)
    if fewer <= _EXACT or k >= fewer // 5 or fewer > _LARGEST_SQUARE:
        from sklearn.decomposition import PCA  # noqa: PLC0415, takes a second

        solver = "arpack" if fewer > _LARGEST_SQUARE else "full"
        pca = PCA(n_components=k, svd_solver=solver, random_state=0).fit(_centred(source, mean))
        return pca.components_, pca.explained_variance_ratio_
    is_wide = fewer == len(source)
    n = source.shape[int(is_wide)]
    products = _inner_products(source, mean) if is_wide else _inner_products(source.T, mean[:, None])
    start = np.random.default_rng(0).uniform(-1, 1, fewer)
    operator = LinearOperator(products.shape, lambda vector: dsymv(1.0, products.T, vector), dtype=np.float64)
    values, vectors = eigsh(operator, k, v0=start)
    values, vectors = np.maximum(values[::-1], np.finfo(np.float64).tiny), vectors[:, ::-1]
    loadings = np.ascontiguousarray(vectors.T)
    if is_wide:
        loadings = np.empty((k, n))
        for share in as_shares(n, fewer):
            loadings[:, share] = vectors.T @ _centred(source[:, share], mean[share])
        loadings /= np.sqrt(values)[:, None]
    largest = np.abs(loadings).argmax(axis=1)
    loadings *= np.sign(loadings[np.arange(k), largest])[:, None]
    return loadings, values / np.trace(products)
