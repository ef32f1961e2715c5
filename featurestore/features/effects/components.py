"""Features from matched effects: every gene, or the principal components of the source."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.linalg.blas import dsymv
from scipy.sparse.linalg import LinearOperator, eigsh
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from featurestore.features.effects.signature import Effects, as_shares

_EXACT = 100
"""Up to this many conditions or genes everything is decomposed; above it, only the wanted components are sought."""
_LARGEST_SQUARE = 6_000
"""Up to this many, they are sought in the matrix of inner products; above it, in the effects themselves."""
_IN_A_PRODUCT = 2**21
"""Effects that are in memory in double precision at once, for inner products: each is a square that is added up."""


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
