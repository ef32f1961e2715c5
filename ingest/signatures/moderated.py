"""Tests over replicates: pseudobulks compared by a linear model, with variances moderated across genes.

Counts become log2 counts per million; each is weighted by the variance that its expected count implies (voom). Other
values are taken as they are, with variances that follow expression (limma-trend).

References
----------
Law et al. (2014), https://doi.org/10.1186/gb-2014-15-2-r29; Smyth (2004), https://doi.org/10.2202/1544-6115.1027.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy  # its modules load when they are first used

from ingest.signatures.linear import MILLION, Doubles, Fit, Samples, Weigh, fit_linear
from ingest.signatures.lowess import lowess
from ingest.signatures.prior import fit_prior

Truths = npt.NDArray[np.bool_]

SPAN = 0.5
"""Share of the genes that each piece of the variance's trend is fitted to."""
LEAST_COUNT = 5.0
"""Counts of a gene expected in a sample, on the shallower side, below which log counts are no measure of it.

Log counts of rare genes depend on depth more than on expression: of genes with an expected count below 0.3, 83 % have
p < 0.05 where controls are twenty times deeper and nothing differs; from 5 on, about 5 %.
"""


@dataclass(frozen=True, slots=True)
class ReplicateTests:
    """Effects of conditions against their control, and the tests of them; NaN where none can be made.

    ``effect`` (log2 counts per million, or in the values' own unit), ``standard_error``, ``t`` and ``p_value``
    (two-sided) have shape (conditions, genes); ``freedom`` is the tests' degrees of freedom.
    """

    effect: Doubles
    standard_error: Doubles
    t: Doubles
    p_value: Doubles
    freedom: float


@dataclass(frozen=True, slots=True)
class Range:
    """What the samples of each of some conditions hold: least and greatest values, and the share of all counts.

    ``low``, ``high`` and ``rate`` have shape (conditions, genes); ``depth``, mean counts of a sample, (conditions, 1).
    Values that are no counts have rate 0 and depth infinite.
    """

    low: Doubles
    high: Doubles
    rate: Doubles
    depth: Doubles

    @classmethod
    def of(cls, samples: Samples, rows: slice, values: Doubles) -> Range:
        """Look at the samples of whole conditions."""
        starts = np.flatnonzero(np.diff(samples.condition[rows], prepend=-1))
        low, high = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
        if samples.totals is None:
            return cls(low, high, np.zeros_like(low), np.full((starts.size, 1), np.inf))
        total = np.add.reduceat(samples.totals[rows], starts)[:, None]
        n = np.diff(starts, append=len(values))[:, None]
        return cls(low, high, np.add.reduceat(values, starts) / total, total / n)

    def is_testable(self, control: Range) -> Truths:
        """Tell which genes vary at all between samples, and are common enough for their logs to be compared."""
        varies = np.maximum(self.high, control.high) > np.minimum(self.low, control.low)
        depth = np.minimum(self.depth, control.depth)
        if np.isinf(depth).all():
            return varies
        return varies & ((self.rate + control.rate) / 2.0 * depth >= LEAST_COUNT)


@dataclass(frozen=True, slots=True)
class ReplicateTest:
    """A model fitted to all conditions of a control, from which each can be tested.

    ``variance`` is moderated, shape (genes,); ``control`` is what the control's samples hold.
    """

    fit: Fit
    variance: Doubles
    freedom: float
    control: Range

    def compare(self, first: int, stop: int) -> ReplicateTests:
        """Test consecutive conditions, from 1 on, against the control."""
        samples = self.fit.samples
        rows = samples.rows(first, stop)
        values = samples.read(rows)
        effect, unscaled = self.fit.effects(rows, samples.logs(rows, values))
        error: Doubles = np.sqrt(unscaled * self.variance)
        error[~(Range.of(samples, rows, values).is_testable(self.control) & (error > 0))] = np.nan
        t: Doubles = effect / error
        p_value = np.asarray(2.0 * scipy.special.stdtr(self.freedom, -np.abs(t)), np.float64)
        return ReplicateTests(effect, error, t, p_value, self.freedom)


def fit_replicates(samples: Samples) -> ReplicateTest:
    """Fit the model to all samples, and moderate its variances.

    Genes that no condition can be tested for have no part in what is expected of the others' variance.
    """
    control_rows = samples.rows(0, 1)
    control = Range.of(samples, control_rows, samples.read(control_rows))
    mean, is_testable = _summary(samples, control)
    fit = fit_linear(samples, lambda _, logs: np.ones_like(logs))
    is_used = is_testable & (fit.mean_square > 0)
    if samples.totals is not None and is_used.any():
        fit = fit_linear(samples, _precision(fit, samples.totals, mean, is_used))
    prior = fit_prior(fit.mean_square, samples.freedom, is_used, mean if samples.totals is None else None)
    freedom = min(samples.freedom + prior.freedom, float(samples.freedom * is_used.sum()))
    return ReplicateTest(fit, prior.moderate(fit.mean_square, samples.freedom), freedom, control)


def _summary(samples: Samples, control: Range) -> tuple[Doubles, Truths]:
    """Return each gene's mean log value, and whether any condition can be tested for it."""
    total: Doubles | float = 0.0
    is_testable = np.zeros(control.low.shape[1], bool)
    for rows in samples.blocks():
        values = samples.read(rows)
        total = total + samples.logs(rows, values).sum(axis=0)
        is_testable |= Range.of(samples, rows, values).is_testable(control).any(axis=0)
    return np.asarray(total / samples.condition.size), is_testable


def _precision(fit: Fit, totals: Doubles, mean: Doubles, is_used: Truths) -> Weigh:
    """Weigh values by their expected counts: the trend of genes' square-root deviations in their mean log2 counts."""
    offset = np.log2(totals + 1.0) - MILLION
    x, y = mean[is_used] + offset.mean(), fit.mean_square[is_used] ** 0.25
    order = np.argsort(x, kind="stable")
    places, first = np.unique(x[order], return_index=True)
    deviation = lowess(x[order], y[order], SPAN)[first]

    def weigh(rows: slice, logs: Doubles) -> Doubles:
        expected = fit.fitted(rows, logs, np.ones_like(logs)) + offset[rows, None]
        return np.asarray(np.interp(expected, places, deviation) ** -4.0)

    return weigh
