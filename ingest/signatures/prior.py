"""Variances of genes, moderated by what they have in common: few replicates borrow from thousands of genes.

References
----------
Smyth (2004), https://doi.org/10.2202/1544-6115.1027: a scaled F distribution fitted by the moments of log variances;
with a trend in expression, Sartor et al. (2006), https://doi.org/10.1186/1471-2105-7-538.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy  # its modules load when they are first used

Doubles = npt.NDArray[np.float64]

_FLOOR = 1e-5
"""The least a variance counts as. Unit: share of the median."""
_LEAST_GENES = 2
"""Genes that a prior can be fitted to at least."""
_KNOTS_FROM = (6, 30)
"""Genes from which the trend has a knot more."""


@dataclass(frozen=True, slots=True)
class Prior:
    """What is expected of a gene's variance before it is looked at.

    ``variance`` has shape (genes,); ``freedom`` is how many degrees of freedom it is worth, infinite where genes do not
    differ more than chance lets them.
    """

    variance: Doubles
    freedom: float

    def moderate(self, variance: Doubles, freedom: float) -> Doubles:
        """Return variances of ``freedom`` degrees drawn towards what is expected."""
        if np.isinf(self.freedom):
            return self.variance
        return (freedom * variance + self.freedom * self.variance) / (freedom + self.freedom)


def fit_prior(
    variance: Doubles, freedom: float, informative: npt.NDArray[np.bool_], expression: Doubles | None = None
) -> Prior:
    """Fit a prior to the residual variances of genes.

    Parameters
    ----------
    variance
        Shape (genes,).
    freedom
        Their residual degrees of freedom.
    informative
        Genes that it is fitted to: those that vary at all. Shape (genes,).
    expression
        Mean expression of each gene, which the expected variance then follows; None for one value for all.
    """
    n_genes = int(informative.sum())
    if n_genes < _LEAST_GENES:
        return Prior(variance, 0.0)
    seen = variance[informative]
    raised = np.maximum(seen, _FLOOR * float(np.median(seen)))
    log = np.log(raised) - scipy.special.digamma(freedom / 2) + np.log(freedom / 2)
    if expression is None:
        expected = np.full(variance.size, log.mean())
        spread = float(((log - log.mean()) ** 2).sum()) / (n_genes - 1)
    else:
        expected, spread = _trend(expression, informative, log)
    excess = spread - float(scipy.special.polygamma(1, freedom / 2))
    if excess <= 0:
        scale = np.exp(expected) if expression is not None else np.full(variance.size, raised.mean())
        return Prior(scale, np.inf)
    prior = 2.0 * inverse_trigamma(excess)
    return Prior(np.exp(expected + scipy.special.digamma(prior / 2) - np.log(prior / 2)), prior)


def _trend(expression: Doubles, informative: npt.NDArray[np.bool_], log: Doubles) -> tuple[Doubles, float]:
    """Fit a natural cubic spline of expression: its value at every gene, and the mean square about it."""
    seen = expression[informative]
    size = min(2 + sum(seen.size >= least for least in _KNOTS_FROM), np.unique(seen).size)
    low, high = float(seen.min()), float(seen.max())
    inner = np.quantile(seen, np.arange(1, size - 1) / (size - 1))
    knots = (np.array([low, *inner, high]) - low) / max(high - low, np.finfo(float).tiny)
    basis = _natural_spline((expression - low) / max(high - low, np.finfo(float).tiny), knots)[:, :size]
    coefficients = np.linalg.lstsq(basis[informative], log, rcond=None)[0]
    residual = log - basis[informative] @ coefficients
    return basis @ coefficients, float((residual**2).sum()) / max(seen.size - size, 1)


def _natural_spline(x: Doubles, knots: Doubles) -> Doubles:
    """Return functions that span the cubic splines with these knots, straight outside them. Shape (points, knots)."""

    def bent(knot: float) -> Doubles:
        cubes = np.maximum(x - knot, 0.0) ** 3 - np.maximum(x - knots[-1], 0.0) ** 3
        return np.asarray(cubes / (knots[-1] - knot))

    return np.column_stack([np.ones_like(x), x, *(bent(knot) - bent(knots[-2]) for knot in knots[:-2])])


def inverse_trigamma(value: float) -> float:
    """Return the number whose trigamma function is ``value``, by Newton's method on its reciprocal."""
    if value > 1e7:  # noqa: PLR2004, where x^-2 is all there is of it
        return float(1.0 / np.sqrt(value))
    if value < 1e-6:  # noqa: PLR2004, where it is x^-1
        return 1.0 / value
    x = 0.5 + 1.0 / value
    for _ in range(50):
        trigamma = float(scipy.special.polygamma(1, x))
        step = trigamma * (1.0 - trigamma / value) / float(scipy.special.polygamma(2, x))
        x += step
        if -step < 1e-8 * x:
            break
    return x
