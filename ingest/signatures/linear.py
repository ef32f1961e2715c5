"""A linear model of conditions and the replicates they share, fitted gene by gene from pseudobulks.

For sample i of condition c(i) and replicate r(i), with weights w::

    y_i = a_c(i) + b_r(i) + e_i,    var(e_i) = s^2 / w_i

Without shared replicates there is no b. Conditions are eliminated from the normal equations, which leaves those of the
replicates: thousands of conditions cost no more than their samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import scipy  # its modules load when they are first used

Doubles = npt.NDArray[np.float64]
Index = npt.NDArray[np.intp]
Weigh = Callable[[slice, Doubles], Doubles]
"""Gives the weights of samples by their log values."""

AT_ONCE = 25
"""Conditions whose samples are read at once; a fixed number, so that the machine has no part in the result."""
MILLION = float(np.log2(1e6))


@dataclass(frozen=True, slots=True)
class Samples:
    """Pseudobulks of conditions and their control.

    Parameters
    ----------
    condition
        Number of the condition of each sample, ascending without gaps; 0 is the control. Shape (samples,).
    read
        Reads consecutive samples: counts where ``totals`` are given, else log values. Shape (some samples, genes).
    totals
        Counts of each sample over all genes, above 0. Shape (samples,).
    replicate
        Number of the replicate of each sample, from 0 without gaps, where conditions share replicates with the control.
    """

    condition: Index
    read: Callable[[slice], Doubles]
    totals: Doubles | None = None
    replicate: Index | None = None

    def __post_init__(self) -> None:
        """Refuse samples that no model can be fitted to.

        Raises
        ------
        ValueError
            A sample is empty, numbers are out of order, or a condition is not linked to the control by replicates.
        """
        if self.totals is not None and not (self.totals > 0).all():
            raise ValueError(f"samples without any count: {np.flatnonzero(~(self.totals > 0)).tolist()}")
        if not np.isin(np.diff(self.condition, prepend=0), (0, 1)).all():
            raise ValueError("conditions are not numbered from 0, ascending, without gaps")
        if self.replicate is None:
            return
        if not np.array_equal(np.unique(self.replicate), np.arange(self.n_replicates)):
            raise ValueError("replicates are not numbered from 0 without gaps")
        if np.unique(self.condition * self.n_replicates + self.replicate).size < self.condition.size:
            raise ValueError("a condition has two samples of one replicate")
        shape = (self.n_conditions, self.n_replicates)
        links = scipy.sparse.coo_array((np.ones(self.condition.size), (self.condition, self.replicate)), shape).tocsr()
        if scipy.sparse.csgraph.connected_components(links @ links.T, directed=False)[0] > 1:
            raise ValueError("some conditions share no replicate with the control, nor with others that do")

    @property
    def n_conditions(self) -> int:
        """Number of conditions, the control among them."""
        return int(self.condition[-1]) + 1

    @property
    def n_replicates(self) -> int:
        """Number of shared replicates; 1 where there are none, which has no effect of its own either."""
        return 1 if self.replicate is None else int(self.replicate.max()) + 1

    @property
    def freedom(self) -> int:
        """Residual degrees of freedom."""
        return int(self.condition.size) - self.n_conditions - self.n_replicates + 1

    def rows(self, first: int, stop: int) -> slice:
        """Return the samples of consecutive conditions."""
        low, high = np.searchsorted(self.condition, (first, stop))
        return slice(int(low), int(high))

    def blocks(self) -> Iterator[slice]:
        """Yield the samples of some conditions at a time."""
        for first in range(0, self.n_conditions, AT_ONCE):
            yield self.rows(first, first + AT_ONCE)

    def logs(self, rows: slice, values: Doubles) -> Doubles:
        """Return log2 counts per million of counts; other values as they are."""
        if self.totals is None:
            return values
        return np.asarray(np.log2((values + 0.5) / (self.totals[rows, None] + 1.0)) + MILLION)


@dataclass(frozen=True, slots=True)
class Within:
    """Some conditions, each by its own samples.

    ``weight`` and ``mean`` have shape (conditions, genes); ``share``, the part of a condition's weight that is in each
    replicate but the first, (conditions, replicates - 1, genes).
    """

    weight: Doubles
    mean: Doubles
    share: Doubles

    @classmethod
    def of(cls, samples: Samples, rows: slice, logs: Doubles, weight: Doubles) -> Within:
        """Average the samples of whole conditions."""
        condition = samples.condition[rows]
        starts = np.flatnonzero(np.diff(condition, prepend=-1))
        total = np.add.reduceat(weight, starts)
        mean = np.add.reduceat(weight * logs, starts) / total
        share = np.zeros((starts.size, samples.n_replicates, logs.shape[1]))
        if samples.replicate is not None:
            share[condition - condition[0], samples.replicate[rows]] = weight
        return cls(total, mean, share[:, 1:] / total[:, None])

    def level(self, blocks: Doubles) -> Doubles:
        """Return the conditions' levels, given the replicates' effects. Shape (conditions, genes)."""
        return np.asarray(self.mean - (self.share * blocks).sum(axis=1))


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted model: the replicates' effects, how unsure they are, the control, and what is left over.

    ``blocks`` has shape (replicates - 1, genes), ``covariance``, unscaled, (genes, replicates - 1, replicates - 1),
    ``mean_square`` (genes,).
    """

    samples: Samples
    weigh: Weigh
    blocks: Doubles
    covariance: Doubles
    control: Within
    mean_square: Doubles

    def fitted(self, rows: slice, logs: Doubles, weight: Doubles) -> Doubles:
        """Return the fitted values of the samples of whole conditions, whose weights these are."""
        condition = self.samples.condition[rows]
        inside = Within.of(self.samples, rows, logs, weight)
        level = np.asarray(inside.level(self.blocks)[condition - condition[0]])
        if self.samples.replicate is None:
            return level
        return np.asarray(level + np.vstack([np.zeros_like(level[:1]), self.blocks])[self.samples.replicate[rows]])

    def effects(self, rows: slice, logs: Doubles) -> tuple[Doubles, Doubles]:
        """Return how whole conditions differ from the control, and the variance of that, unscaled."""
        inside = Within.of(self.samples, rows, logs, self.weigh(rows, logs))
        effect = inside.level(self.blocks) - self.control.level(self.blocks)
        share = inside.share - self.control.share
        variance = 1.0 / inside.weight + 1.0 / self.control.weight
        return effect, variance + np.einsum("crg,grs,csg->cg", share, self.covariance, share, optimize=True)


def fit_linear(samples: Samples, weigh: Weigh) -> Fit:
    """Fit the model by weighted least squares; the mean square is NaN where nothing is left over to judge it by."""
    rows = samples.rows(0, 1)
    logs = samples.logs(rows, samples.read(rows))
    control = Within.of(samples, rows, logs, weigh(rows, logs))
    n_genes = logs.shape[1]
    blocks, covariance = _shared(samples, weigh, n_genes)
    fit = Fit(samples, weigh, blocks, covariance, control, np.full(n_genes, np.nan))
    if samples.freedom == 0:
        return fit
    squares = np.zeros(n_genes)
    for rows in samples.blocks():
        logs = samples.logs(rows, samples.read(rows))
        weight = weigh(rows, logs)
        squares += (weight * (logs - fit.fitted(rows, logs, weight)) ** 2).sum(axis=0)
    return replace(fit, mean_square=squares / samples.freedom)


def _shared(samples: Samples, weigh: Weigh, n_genes: int) -> tuple[Doubles, Doubles]:
    """Return the effects of shared replicates and their unscaled covariance, as of :class:`Fit`."""
    n_blocks = samples.n_replicates - 1
    normal, right = np.zeros((n_genes, n_blocks, n_blocks)), np.zeros((n_blocks, n_genes))
    if samples.replicate is None:
        return right, normal
    for rows in samples.blocks():
        logs = samples.logs(rows, samples.read(rows))
        weight = weigh(rows, logs)
        inside = Within.of(samples, rows, logs, weight)
        held = inside.share * inside.weight[:, None]
        normal -= np.einsum("crg,csg->grs", held, inside.share)
        diagonal = np.einsum("grr->rg", normal)
        diagonal += held.sum(axis=0)
        condition = samples.condition[rows]
        is_of = samples.replicate[rows] == np.arange(1, samples.n_replicates)[:, None]
        right += is_of.astype(np.float64) @ (weight * (logs - inside.mean[condition - condition[0]]))
    covariance = np.asarray(np.linalg.inv(normal), np.float64)
    return np.asarray(np.einsum("grs,sg->rg", covariance, right)), covariance
