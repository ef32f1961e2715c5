"""Effects of conditions: each one's difference from its control, batch by batch, and how unsure it is.

For condition c with mean m_c over n_c cells, of which n_cb come from batch b, and control batch means m_b::

    effect = m_c - sum_b (n_cb / n_c) m_b
    standard_error^2 = max(v_c, v_0) / n_c + v_0 sum_b (n_cb / n_c)^2 / n_b

``v_c`` is the variance of the condition's cells, ``v_0`` the control's variance within batches: a few cells that happen
to be alike are as unsure as the control's. How likely such a difference is where nothing happened is not read off from
these, but tested: :mod:`ingest.signatures.count_test` for counts, :mod:`ingest.signatures.moderated_t` for logarithms.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from numba import njit

from ingest.kernel import UNIT
from ingest.signatures.moments import Doubles, Moments


@dataclass(frozen=True)
class Control:
    """The reference of some conditions: moments per batch, and of all batches together."""

    batches: Moments
    pooled: Moments

    @cached_property
    def means(self) -> Doubles:
        """Means of the batches, 0 for those without a cell. Shape (batches, genes)."""
        return np.nan_to_num(self.batches.mean)

    @cached_property
    def variance_within(self) -> Doubles:
        """Variance within batches, pooled over them. Shape (genes,); NaN where no batch has two cells."""
        weight = np.maximum(self.batches.n - 1.0, 0.0)
        if weight.sum() == 0:
            return np.full(self.pooled.mean.shape[1], np.nan)
        return np.asarray(weight @ np.nan_to_num(self.batches.variance) / weight.sum())

    @property
    def freedom(self) -> float:
        """Degrees of freedom of :attr:`variance_within`."""
        return float(np.maximum(self.batches.n - 1.0, 0.0).sum())


@dataclass(frozen=True, slots=True)
class Reference:
    """What conditions are compared with: matched control means, and the weight of the control's noise in them.

    ``mean`` has shape (conditions, genes), ``noise`` (conditions,): the variance of the mean is that of a control cell
    times it; ``is_matched`` (conditions,) says whether the condition has cells in batches with a control.
    """

    mean: Doubles
    noise: Doubles
    is_matched: npt.NDArray[np.bool_]


def match(control: Control, cells: Doubles) -> Reference:
    """Match the control to conditions by batch; conditions without a cell there are set against the pooled control.

    Parameters
    ----------
    control
        The control of the conditions' context.
    cells
        Cells of each condition in each batch of the control. Shape (conditions, batches).
    """
    has_control = control.batches.n > 0
    inside = np.where(has_control, cells, 0.0)
    total = inside.sum(axis=1)
    is_matched = total > 0
    share = inside / np.maximum(total, 1.0)[:, None]
    mean = share @ control.means
    noise = (share**2) @ (1.0 / np.maximum(control.batches.n, 1.0))
    mean[~is_matched] = control.pooled.mean[0]
    noise[~is_matched] = 1.0 / max(float(control.pooled.n[0]), 1.0)
    return Reference(mean, noise, is_matched)


def difference_of_means(total: npt.NDArray[np.int64], n: Doubles, reference: Doubles) -> Doubles:
    """Return means less those of a reference, in whose place they are put.

    Parameters
    ----------
    total
        Sums of logarithms, in fixed point. Shape (conditions, genes).
    n
        Cells of the conditions. Shape (conditions,).
    reference
        What the conditions are compared with. Shape (conditions, genes).
    """
    _subtract(total, n, UNIT, reference)
    return reference


@njit(cache=True, nogil=True, error_model="numpy")
def _subtract(total: npt.NDArray[np.int64], n: Doubles, unit: float, difference: Doubles) -> None:
    for row in range(n.size):
        for gene in range(total.shape[1]):
            difference[row, gene] = total[row, gene] / unit / n[row] - difference[row, gene]


def standard_error(treated: Moments, control: Control, reference: Reference) -> Doubles:
    """Return how unsure effects are, never less than as many control cells. Shape (conditions, genes)."""
    error = np.empty(treated.variance.shape)
    _error(treated.n, treated.variance, reference.noise, control.variance_within, error)
    return error


@njit(cache=True, nogil=True, error_model="numpy")
def _error(n: Doubles, variance: Doubles, noise: Doubles, within: Doubles, error: Doubles) -> None:
    for row in range(n.size):
        for gene in range(within.size):
            own = variance[row, gene]
            own = own if own >= within[gene] or np.isnan(within[gene]) else within[gene]  # NaN only where both are
            squared = own / n[row] + noise[row] * within[gene]
            error[row, gene] = np.sqrt(squared) if squared > 0.0 else np.nan
