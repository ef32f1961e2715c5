"""Signature features: the effect of a row's perturbation in one external source, gene by gene."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import coo_array

from featurestore.features.kinds.options import Genes

_AT_ONCE = 2**19
"""Effects that are in memory in double precision at once."""

Effects = npt.NDArray[np.float64]


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


def as_shares(n: int, n_across: int, at_once: int = _AT_ONCE) -> list[slice]:
    """Cut n rows, or columns, into shares that are looked at one after the other in double precision."""
    step = max(1, at_once // max(n_across, 1))
    return [slice(first, min(first + step, n)) for first in range(0, n, step)]
