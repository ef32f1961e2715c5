"""Paired bootstrap over perturbations: how far a mean, or a mean difference, might be off with others of their kind."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
DRAWS = 10_000
LEVEL = 0.95
_AT_ONCE = 2**22
"""Numbers drawn at once."""


def mean_intervals(values: Doubles, *, draws: int = DRAWS, seed: int = 0) -> tuple[Doubles, Doubles]:
    """Percentile interval of the mean of each column, perturbations drawn with replacement, all columns alike.

    Parameters
    ----------
    values
        Scores or paired differences, shape (perturbations, columns); NaN is undefined and left out of its column.
    draws
        Draws.
    seed
        The same seed gives the same intervals.

    Returns
    -------
    Lower and upper end of the 95 % interval, shape (columns,); NaN where fewer than two values are defined.

    Examples
    --------
    >>> import numpy as np
    >>> low, high = mean_intervals(np.random.default_rng(1).normal(size=(400, 1)))
    >>> (high - low).round(2)  # 2 * 1.96 / sqrt(400)
    array([0.18])
    """
    defined = np.isfinite(values)
    filled = np.where(defined, values, 0.0)
    means = []
    for counts in resampled(len(values), draws, seed):
        n = counts @ defined.astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            means.append(counts @ filled / n)
    if not means:
        return np.full(values.shape[1], np.nan), np.full(values.shape[1], np.nan)
    everything = np.concatenate(means)
    everything[:, defined.sum(axis=0) <= 1] = np.nan
    return ends(everything)


def resampled(n: int, draws: int = DRAWS, seed: int = 0) -> Iterator[Doubles]:
    """Yield how often each of n perturbations is drawn, shape (some draws, n)."""
    rng = np.random.default_rng(seed)
    step = max(1, min(draws, _AT_ONCE // max(n, 1)))
    for first in range(0, draws if n else 0, step):
        size = min(step, draws - first)
        drawn = rng.integers(n, size=(size, n)) + n * np.arange(size)[:, None]
        yield np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n).astype(np.float64)


def ends(drawn: Doubles) -> tuple[Doubles, Doubles]:
    """Return the ends of the interval that holds 95 % of each column, shape (columns,); NaN where one has nothing."""
    low, high = np.full(drawn.shape[1], np.nan), np.full(drawn.shape[1], np.nan)
    has = np.isfinite(drawn).any(axis=0)
    if has.any():
        tail = (1 - LEVEL) / 2
        low[has], high[has] = np.nanquantile(drawn[:, has], [tail, 1 - tail], axis=0)
    return low, high
