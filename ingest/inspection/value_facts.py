"""Numbers about a sample of a matrix by which the kind of its values is judged: range, wholeness, totals, spread."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from featurestore.errors import ValuesError
from ingest.inspection.sample import Csr, Sample
from ingest.sections import LogarithmSection
from ingest.sums.logarithm import judge_logarithm

WHOLE = 1e-3
"""How far from a whole number a mean times its number of cells may be, relative to it, in single precision."""
ROOT = 1e-5
"""How far from a whole number the square of a square root may be, relative to it, in single precision."""
TELLING = 0.1 / ROOT
"""Squares above this are as near to a whole number as any number is, in single precision."""
FEWEST_ROWS = 8
FEWEST_COUNTS, FEWEST_GENES = 2.0, 3
ROWS_LOOKED_AT = 200


@dataclass(frozen=True, slots=True)
class Facts:
    """Numbers about a sample: of all its values, zeros among them."""

    n_values: int
    n_stored: int
    n_undefined: int
    n_below: int
    smallest: float
    largest: float
    whole_share: float
    is_sign: bool


def facts_of(matrix: Csr) -> Facts:
    """Count and measure the values of a sample."""
    stored = matrix.data
    defined = stored[np.isfinite(stored)]
    rows, genes = matrix.shape
    has_zero = stored.size < rows * genes
    low, high = (float(defined.min()), float(defined.max())) if defined.size else (0.0, 0.0)
    whole = float((defined == np.floor(defined)).mean()) if defined.size else 1.0
    return Facts(
        n_values=rows * genes,
        n_stored=stored.size,
        n_undefined=stored.size - defined.size,
        n_below=int((defined < 0).sum()),
        smallest=min(low, 0.0) if has_zero else low,
        largest=max(high, 0.0) if has_zero else high,
        whole_share=whole,
        is_sign=bool(np.isin(defined, (-1.0, 0.0, 1.0)).all()),
    )


def described(facts: Facts, sample: Sample) -> str:
    """Say how far values reach, and which part of them is zero or whole."""
    zeros = 1 - np.divide(facts.n_stored, max(facts.n_values, 1))
    undefined = f", {facts.n_undefined:,} missing or infinite" if facts.n_undefined else ""
    return (
        f"{sample.extent}: from {facts.smallest:.4g} to {facts.largest:.4g}, {zeros:.0%} zero, "
        f"{facts.whole_share:.0%} of the others whole{undefined}"
    )


def tied_share(sample: Sample) -> float:
    """Return which part of a row's values that are not 0 it has more than once; the median of some rows."""
    rows = sample.matrix[:ROWS_LOOKED_AT]
    shares = []
    for first, last in itertools.pairwise(rows.indptr):
        _, counts = np.unique(rows.data[first:last][rows.data[first:last] != 0], return_counts=True)
        if counts.sum() >= FEWEST_ROWS:
            shares.append(counts[counts > 1].sum() / counts.sum())
    return float(np.median(shares)) if shares else 0.0


def dispersion(sample: Sample) -> float | None:
    """Return the variance of genes whose mean is 2 or more, over their mean; the median, None where there are few."""
    matrix = sample.matrix
    if sample.n_rows < FEWEST_ROWS:
        return None
    mean = np.asarray(matrix.mean(axis=0)).ravel()
    square = np.asarray(matrix.power(2).mean(axis=0)).ravel()
    high = mean >= FEWEST_COUNTS
    if high.sum() < FEWEST_GENES:
        return None
    return float(np.median((square[high] - mean[high] ** 2) / mean[high]))


def totals_vary(sample: Sample) -> float | None:
    """Return the variance of the totals of rows over their mean; None where there are few, or they are not whole."""
    if sample.n_rows < FEWEST_ROWS or not sample.has_whole_rows:
        return None
    totals = np.asarray(sample.matrix.sum(axis=1), np.float64).ravel()
    known = totals[np.isfinite(totals) & (totals > 0)]
    return float(known.var() / known.mean()) if known.size >= FEWEST_ROWS else None


def are_roots(stored: npt.NDArray[np.number]) -> bool:
    """Say whether all values are square roots of whole numbers, as far as their precision tells."""
    defined = np.asarray(stored[np.isfinite(stored)], np.float64)
    squares = defined[(defined != np.floor(defined)) & (defined < np.sqrt(TELLING))] ** 2
    return bool(squares.size and (np.abs(squares - np.round(squares)) <= ROOT * np.maximum(squares, 1.0)).all())


def has_one_total(sample: Sample) -> bool:
    """Say whether the rows of a sample are logarithms of what adds up to one number."""
    try:
        return not judge_logarithm(sample.matrix, None, LogarithmSection(), "").is_assumed
    except ValuesError:
        return False


def are_means(sample: Sample, cells: npt.NDArray[np.float64]) -> bool:
    """Say whether values, times the cells behind their row, are whole; shape of ``cells`` (rows,)."""
    known = np.flatnonzero(np.isfinite(cells[: sample.n_rows]) & (cells[: sample.n_rows] > 1))
    if not known.size:
        return False
    part = sample.matrix[known]
    totals: npt.NDArray[np.float64] = part.data * np.repeat(cells[known], np.diff(part.indptr))
    totals = totals[np.isfinite(totals)]
    return bool(totals.size and (np.abs(totals - np.round(totals)) <= WHOLE * np.maximum(totals, 1.0)).all())


def moments(sample: Sample) -> tuple[float, float]:
    """Median over genes of their means, and of their standard deviations, missing values left out."""
    if sample.n_rows < FEWEST_ROWS:
        return 0.0, 0.0
    values = sample.matrix[: 2 * 10**7 // max(sample.matrix.shape[1], 1)].toarray()
    values[~np.isfinite(values)] = np.nan
    some = values[:, np.isfinite(values).sum(axis=0) >= FEWEST_ROWS]
    if not some.size:
        return 0.0, 0.0
    return float(np.median(np.nanmean(some, axis=0))), float(np.median(np.nanstd(some, axis=0)))


def is_l1000(genes: pl.DataFrame) -> bool:
    """Say whether genes are described as LINCS does, or as many as L1000 has."""
    is_named = any(name.startswith("pr_") for name in genes.columns)
    return is_named or genes.height in {978, 12_328}
