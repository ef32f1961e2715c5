"""What controls lead one to expect: each gene's share of a cell's counts, batch by batch, and how far cells stray.

A cell of batch b with N counts in all is taken to have gene g a negative binomial number of times: mean ``r_bg N``,
variance ``r_bg N + phi_g (r_bg N)^2``. The controls give

- the dispersion ``phi_g``, by moments around the rates of the batches, shrunk along the genes' abundance;
- the rate of each batch, shrunk towards that of all batches as far as batches differ no more than chance lets them;
- how unsure both rates are, which is part of the variance of what is expected.

Cells from batches without a control are not compared.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from ingest.signatures.library import Library

Doubles = npt.NDArray[np.float64]

PRIOR_COUNT = 0.5
"""Added to what all controls have of a gene, so that a gene they lack has a small rate and not none."""
NEIGHBOURS = 100
"""Genes of about the same abundance, at either side, that a gene's dispersion is compared with."""


@dataclass(frozen=True, slots=True)
class Expected:
    """Mean and variance of the counts of conditions, were they controls. Shape (conditions, genes)."""

    mean: Doubles
    variance: Doubles


@dataclass(frozen=True, slots=True)
class ControlRates:
    """Rates of the batches of a control.

    Attributes
    ----------
    dispersion
        ``phi``. Shape (genes,).
    pooled, pooled_variance
        Rate of all batches, and how unsure it is. Shape (genes,).
    rate, variance, weight
        Rate of each batch, how unsure it is beyond the pooled rate, and the weight that the batch's own counts have in
        it. Shape (batches, genes).
    """

    dispersion: Doubles
    pooled: Doubles
    pooled_variance: Doubles
    rate: Doubles
    variance: Doubles
    weight: Doubles

    @classmethod
    def fit(cls, count: Doubles, library: Library, dispersion: Doubles, spread: Doubles) -> ControlRates:
        """Fit the rates.

        Parameters
        ----------
        count
            Counts of the controls of each batch. Shape (batches, genes).
        library
            Counts of all genes of those controls; 0 for a batch without any. Shape (batches,).
        dispersion, spread
            See :func:`fit_dispersion` and :func:`fit_spread`: of relative rates, that is divided by the rate squared.
            Shape (genes,).
        """
        has_cells = library.total > 0
        usual = (count.sum(axis=0) + PRIOR_COUNT) / library.total.sum()
        tau = spread * usual**2
        seen = library[has_cells]
        noise = _noise(usual, seen, dispersion)
        precision = 1.0 / (tau + noise)
        own = count[has_cells] / seen.total[:, None]
        pooled = usual
        if has_cells.sum() > 1:
            prior = PRIOR_COUNT / library.total.sum()
            pooled = (precision * own).sum(axis=0) / precision.sum(axis=0) + prior
        weight = np.zeros_like(count)
        weight[has_cells] = tau * precision
        rate, variance = np.tile(pooled, (len(count), 1)), np.tile(tau, (len(count), 1))
        rate[has_cells] += weight[has_cells] * (own - pooled)
        variance[has_cells] = weight[has_cells] * noise
        return cls(dispersion, pooled, 1.0 / precision.sum(axis=0), rate, variance, weight)

    def expected(self, library: Library) -> Expected:
        """Return what conditions would have.

        Parameters
        ----------
        library
            Counts of all genes of each condition's cells in each batch of the control. Shape (conditions, batches).
        """
        mean, variance = (np.empty((len(library.total), self.rate.shape[1])) for _ in range(2))
        of_batches = self.rate, self.rate**2 + self.variance, self.variance, 1.0 - self.weight
        _expect(library.total, library.square, *of_batches, self.dispersion, self.pooled_variance, mean, variance)
        return Expected(mean, variance)


@njit(cache=True, nogil=True)
def _expect(
    total: Doubles,
    square: Doubles,
    rate: Doubles,
    rate_square: Doubles,
    rate_variance: Doubles,
    weight_of_others: Doubles,
    dispersion: Doubles,
    pooled_variance: Doubles,
    mean: Doubles,
    variance: Doubles,
) -> None:
    """Add up over batches what is expected, and its variance: within batches, between them, and of the pooled rate."""
    n_genes = rate.shape[1]
    within, between, pooled = np.empty(n_genes), np.empty(n_genes), np.empty(n_genes)
    for row in range(total.shape[0]):
        expected = mean[row]
        expected[:], within[:], between[:], pooled[:] = 0.0, 0.0, 0.0, 0.0
        for batch in range(total.shape[1]):
            counts, squares = total[row, batch], square[row, batch]
            if counts > 0.0:
                for gene in range(n_genes):
                    expected[gene] += counts * rate[batch, gene]
                    within[gene] += squares * rate_square[batch, gene]
                    between[gene] += counts * counts * rate_variance[batch, gene]
                    pooled[gene] += counts * weight_of_others[batch, gene]
        for gene in range(n_genes):
            own = within[gene] * dispersion[gene] + expected[gene] + between[gene]
            variance[row, gene] = own + pooled[gene] * pooled[gene] * pooled_variance[gene]


def _noise(rate: Doubles, library: Library, dispersion: Doubles) -> Doubles:
    """Variance of the rate that a batch shows around its own. Shape (batches, genes)."""
    total, square = library.total[:, None], library.square[:, None]
    return np.asarray((rate * total + dispersion * rate**2 * square) / total**2)


def fit_dispersion(count: Doubles, count_square: Doubles, count_total: Doubles, library: Library) -> Doubles:
    """Estimate each gene's dispersion among the controls of a batch, shrunk along abundance. Shape (genes,).

    Parameters
    ----------
    count, count_square, count_total
        Sums over the control cells of each batch of a gene's count, of its square, and of count times the cell's
        total. Shape (batches, genes).
    library
        Counts of all genes of those controls. Shape (batches,).
    """
    total, square = library.total[:, None], library.square[:, None]
    rate = count / total
    left = 1.0 - square / total**2  # a batch's own cells are in its rate
    residual = count_square - 2.0 * rate * count_total + rate**2 * square - count * left
    weight = (rate**2 * square * left).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        raw = residual.sum(axis=0) / weight
        usual = count.sum(axis=0) / library.total.sum()
        mean = usual * (library.square.sum() / library.total.sum())  # of a cell, as far as dispersion weighs it
        n_cells = weight / mean**2
        error = 2.0 * (1.0 / mean + 1.0) ** 2 / n_cells
    return np.maximum(shrink_along(usual, raw, error), 0.0)


def fit_spread(count: Doubles, library: Library, dispersion: Doubles) -> Doubles:
    """Estimate how far the rates of batches stray from each other, relative to the rate and squared. Shape (genes,).

    By the moments of DerSimonian and Laird, no less than what genes of the same abundance show.
    """
    n_batches = len(count)
    if n_batches == 1:
        return np.zeros(count.shape[1])
    rate = (count.sum(axis=0) + PRIOR_COUNT) / library.total.sum()
    precision = rate**2 / _noise(rate, library, dispersion)  # of relative rates
    total = precision.sum(axis=0)
    relative = count / library.total[:, None] / rate
    centre = (precision * relative).sum(axis=0) / total
    excess = (precision * (relative - centre) ** 2).sum(axis=0) - (n_batches - 1)
    scale = total - (precision**2).sum(axis=0) / total
    own = np.maximum(excess / scale, 0.0)
    window = _window(rate, np.column_stack([excess, scale]))
    return np.asarray(np.maximum(own, np.maximum(window[:, 0] / window[:, 1], 0.0)))


def shrink_along(abundance: Doubles, raw: Doubles, error: Doubles) -> Doubles:
    """Shrink estimates towards those of genes of about the same abundance, as far as their errors explain them.

    Parameters
    ----------
    abundance
        What genes are ordered by. Shape (genes,).
    raw, error
        The estimates and their sampling variances; not finite where there is none. Shape (genes,).
    """
    is_known = np.isfinite(raw) & np.isfinite(error) & (error > 0)
    if not is_known.any():
        return np.zeros_like(raw)
    precision = np.where(is_known, 1.0 / np.where(is_known, error, 1.0), 0.0)
    value = np.where(is_known, raw, 0.0)
    sums = _window(abundance, np.column_stack([precision, precision * value]))
    overall = (precision * value).sum() / precision.sum()
    trend = np.where(sums[:, 0] > 0, sums[:, 1] / np.where(sums[:, 0] > 0, sums[:, 0], 1.0), overall)
    beyond = np.where(is_known, (value - trend) ** 2 - np.where(is_known, error, 0.0), 0.0)
    spread = _window(abundance, np.column_stack([precision, precision * beyond]))
    tau = np.maximum(np.where(spread[:, 0] > 0, spread[:, 1] / np.where(spread[:, 0] > 0, spread[:, 0], 1.0), 0.0), 0.0)
    weight = np.where(is_known, tau / (tau + np.where(is_known, error, 1.0)), 0.0)
    return np.asarray(trend + weight * (value - trend))


def _window(abundance: Doubles, values: Doubles) -> Doubles:
    """Sum values over the genes nearest in abundance. Shape (genes, columns)."""
    order = np.argsort(abundance, kind="stable")
    n_genes = order.size
    running = np.vstack([np.zeros(values.shape[1]), np.cumsum(values[order], axis=0)])
    position = np.arange(n_genes)
    first = np.maximum(position - NEIGHBOURS, 0)
    last = np.minimum(position + NEIGHBOURS + 1, n_genes)
    summed = np.empty_like(values)
    summed[order] = running[last] - running[first]
    return summed
