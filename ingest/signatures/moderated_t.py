"""Tests of logarithms: Student's t with a variance that is moderated across genes, as limma does it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy  # its modules load when they are first used

from ingest.signatures.contrast import Control, Reference
from ingest.signatures.moments import Doubles, Moments
from ingest.signatures.prior import inverse_trigamma

NORMAL = 1e7
"""Degrees of freedom above which Student's t is the normal distribution."""


def moderated_test(
    treated: Moments, reference: Reference, variance: Doubles, freedom: Doubles
) -> tuple[Doubles, npt.NDArray[np.int8]]:
    """Test differences of means with a variance that is moderated across genes, as limma does.

    Parameters
    ----------
    treated, reference
        The conditions, and what they are compared with.
    variance, freedom
        Moderated variance of a cell, shape (conditions or 1, genes), and its degrees of freedom, (conditions or 1,).

    Returns
    -------
    Two-sided p, as its logarithm, NaN where nothing can be tested, and its sign. Shape (conditions, genes).

    References
    ----------
    Smyth (2004), https://doi.org/10.2202/1544-6115.1027
    """
    effect = treated.mean - reference.mean
    with np.errstate(divide="ignore", invalid="ignore"):
        t = effect / np.sqrt(variance * (1.0 / treated.n + reference.noise)[:, None])
    return log_two_sided(t, freedom[:, None]), np.where(effect < 0, -1, 1).astype(np.int8)


def log_two_sided(t: Doubles, freedom: Doubles | float) -> Doubles:
    """Return two-sided p of Student's t as its logarithm, however small; NaN stays NaN."""
    degrees, t = np.minimum(freedom, NORMAL), np.abs(t)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_p = np.log(2.0 * scipy.special.stdtr(degrees, -t))
        head = (
            scipy.special.gammaln((degrees + 1.0) / 2.0)
            - scipy.special.gammaln(degrees / 2.0)
            - 0.5 * np.log(degrees * np.pi)
        )
        density = head - (degrees + 1.0) / 2.0 * np.log1p(t**2 / degrees)
        beyond = np.log(2.0) + density + np.log((degrees + t**2) / ((degrees + 1.0) * t))
    return np.where(np.isneginf(log_p), beyond, log_p)


def pooled_variance(treated: Moments, control: Control) -> tuple[Doubles, Doubles]:
    """Return the moderated variance within conditions and their control, and its degrees of freedom.

    So it is of samples, of which a control has few; cells are tested by the variance of the control alone.
    """
    own = np.maximum(treated.n - 1.0, 0.0)[:, None]
    spread = own * np.nan_to_num(treated.variance) + control.freedom * np.nan_to_num(control.variance_within)
    degrees = own[:, 0] + control.freedom
    rows = [moderate(row / max(degree, 1.0), degree) for row, degree in zip(spread, degrees, strict=True)]
    return np.stack([row for row, _ in rows]), np.array([degree for _, degree in rows])


def moderate(variance: Doubles, freedom: float) -> tuple[Doubles, float]:
    """Shrink variances of genes towards each other, and return them with their degrees of freedom.

    Genes without variance, or without an estimate, take no part in the prior; they get its variance.
    """
    is_seen = np.isfinite(variance) & (variance > 0)
    if freedom <= 0 or is_seen.sum() < 2:  # noqa: PLR2004
        return np.where(is_seen, variance, np.nan), freedom
    logs = np.log(variance[is_seen]) - scipy.special.digamma(freedom / 2.0) + np.log(freedom / 2.0)
    beyond = logs.var(ddof=1) - scipy.special.polygamma(1, freedom / 2.0)
    prior_freedom = 2.0 * inverse_trigamma(float(beyond)) if beyond > 0 else np.inf
    if np.isinf(prior_freedom):
        return np.full(variance.shape, np.exp(logs.mean())), np.inf
    prior = np.exp(logs.mean() + scipy.special.digamma(prior_freedom / 2.0) - np.log(prior_freedom / 2.0))
    shrunk = (prior_freedom * prior + freedom * np.where(is_seen, variance, 0.0)) / (prior_freedom + freedom)
    return shrunk, prior_freedom + freedom
