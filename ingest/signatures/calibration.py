"""What conditions in which nothing happened say of a dataset's tests, and how tests are corrected by it.

Where nothing happened, p is uniform: one test in twenty has p < 0.05. Real cells are of several kinds and states, and
stray further than any model has it: where pretend conditions of a size have more very small p-values than they should,
those of all conditions of about that size are raised to what they are worth: p = 0.05 and p = 0.001 to the share of
null tests below them, others on a logarithmic scale in proportion, and the smallest by how fast null tests become fewer
with -log p. All three are estimated separately for strata of genes: those that no cell of the control has, those of up
to three cells, and the others, halved by how far cells stray; the shares are taken to be one standard error higher than
seen, and no p is lowered.

The same is done with conditions: the smallest q of a condition (Simes' test of "no gene changed") is compared with
those of pretend conditions of its size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl
from numba import njit

from featurestore.contract import ENOUGH_NULLS, P_GRID, QUANTILES, RELEASE
from ingest.conditions.null import DEALT, NullCondition

Doubles = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

PRIOR_GENES, PRIOR_CONDITIONS = 2.0, 4.0
"""How many tests, or conditions, as they should be are added to those that were observed."""
SMALL = (0.05, 0.001)
"""p-values at which the share of null tests below them is compared with what is right."""
NEAR, FAR = (float(np.log(p_value)) for p_value in SMALL)
LARGEST_SHARES, MOST_SIGNIFICANT = (0.06, 0.003), 0.3
"""Shares of p below 0.05 and 0.001, and genes at q < 0.05 a condition, up to which tests hold."""
MEASURES = ("n_significant", "effect_norm", "energy_distance")
N_STRATA = 4

Tails = tuple[Doubles, Doubles, Doubles, Doubles]
"""Of pretend conditions and strata of genes: tests, p < 0.05, p < 0.001, and how far beyond. Shape (conditions, 4)."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """How the tests of a dataset are corrected.

    Attributes
    ----------
    sizes
        Cells of the pretend conditions, in order; of no length where there are too few. Shape (sizes,).
    n_conditions
        How many there are of each size. Shape (sizes,).
    near, far
        What p = 0.05 and p = 0.001 are worth, as logarithms. Shape (sizes, 4).
    stretch
        How much too far the tail of p-values reaches beyond, 1 where it is right. Shape (sizes, 4).
    inflation
        The same of the conditions' smallest q. Shape (sizes,).
    """

    sizes: npt.NDArray[np.int64]
    n_conditions: npt.NDArray[np.int64]
    near: Doubles
    far: Doubles
    stretch: Doubles
    inflation: Doubles

    @classmethod
    def none(cls) -> Calibration:
        """Return a calibration that corrects nothing."""
        sizes, strata = np.empty(0, np.int64), np.empty((0, N_STRATA))
        return cls(sizes, sizes, strata, strata, strata, np.empty(0))

    @classmethod
    def of_genes(cls, sizes: npt.NDArray[np.int64], tails: Tails) -> Calibration:
        """Fit the tail of p-values of pretend conditions of some sizes; sizes have shape (conditions,)."""
        if sizes.size < ENOUGH_NULLS:
            return cls.none()
        distinct, n_conditions = np.unique(sizes, return_counts=True)
        tests, near, far, beyond = (np.array([part[sizes == size].sum(axis=0) for size in distinct]) for part in tails)
        shares = [
            np.maximum((low + np.sqrt(low) + PRIOR_GENES) / (tests + PRIOR_GENES / right), right)
            for low, right in zip((near, far), SMALL, strict=True)
        ]
        stretch = np.maximum((beyond + PRIOR_GENES) / (far + PRIOR_GENES), 1.0)
        return cls(distinct, n_conditions, np.log(shares[0]), np.log(shares[1]), stretch, np.ones(distinct.size))

    def of_conditions(self, sizes: npt.NDArray[np.int64], least_q: Doubles) -> Calibration:
        """Return the calibration with the tail of conditions fitted: their sizes, and the smallest q of each."""
        known = np.isfinite(least_q)
        tail = -np.log(np.where(known, least_q, 1.0))
        inflation = np.ones(self.sizes.size)
        for place, size in enumerate(self.sizes):
            own = tail[known & (sizes == size)]
            inflation[place] = max(1.0, (own.sum() + PRIOR_CONDITIONS) / (own.size + PRIOR_CONDITIONS))
        return replace(self, inflation=inflation)

    def correct(self, log_p: npt.NDArray[np.floating], n_cells: Doubles, stratum: npt.NDArray[np.intp]) -> Doubles:
        """Raise the smallest p-values to what they are worth.

        Parameters
        ----------
        log_p
            Shape (conditions, genes).
        n_cells
            Cells of the conditions. Shape (conditions,).
        stratum
            The stratum of each gene. Shape (genes,).
        """
        if not self.sizes.size:
            return log_p.astype(np.float64)
        nearest = self._nearest(n_cells)
        near, far, stretch = (each[nearest] for each in (self.near, self.far, self.stretch))
        corrected = np.empty(log_p.shape)
        _correct(log_p, near, far, stretch, stratum, corrected)
        return corrected

    def condition_p(self, least_q: Doubles, n_cells: Doubles) -> Doubles:
        """Return how likely so small a q is where nothing happened, by size of the condition. Shape (conditions,)."""
        return np.asarray(least_q ** (1.0 / self.inflation[self._nearest(n_cells)]))

    def n_alike(self, n_cells: Doubles) -> npt.NDArray[np.int64]:
        """Return how many pretend conditions of about its size each condition is compared with."""
        return self.n_conditions[self._nearest(n_cells)]

    def size_alike(self, n_cells: Doubles) -> npt.NDArray[np.int64]:
        """Return the size of those."""
        return self.sizes[self._nearest(n_cells)]

    def heaviness_at(self, n_cells: int) -> float:
        """Return how many times more p-values were below 0.001 than should be before they were corrected."""
        if not self.sizes.size:
            return 1.0
        far = self.far[self._nearest(np.array([float(n_cells)]))]
        return float(np.exp(far).mean() / SMALL[1])

    def _nearest(self, n_cells: Doubles) -> npt.NDArray[np.intp]:
        distance = np.abs(np.log(np.maximum(n_cells, 1.0))[:, None] - np.log(self.sizes)[None, :])
        return np.asarray(distance.argmin(axis=1))


@njit(cache=True, nogil=True)
def _correct(
    log_p: npt.NDArray[np.floating],
    near: Doubles,
    far: Doubles,
    stretch: Doubles,
    stratum: npt.NDArray[np.intp],
    corrected: Doubles,
) -> None:
    """Correct p-values by what 0.05 and 0.001 are worth in the stratum of each gene; NaN stays NaN."""
    for row in range(log_p.shape[0]):
        for gene in range(log_p.shape[1]):
            at, value = stratum[gene], log_p[row, gene]
            if value >= NEAR:
                corrected[row, gene] = value * (near[row, at] / NEAR)
            elif value >= FAR:
                slope = (far[row, at] - near[row, at]) / (FAR - NEAR)
                corrected[row, gene] = near[row, at] + (value - NEAR) * slope
            else:
                corrected[row, gene] = far[row, at] + (value - FAR) / stretch[row, at]


def tail_of(log_p: Singles, stratum: npt.NDArray[np.intp]) -> Tails:
    """Count tests, p < 0.05 and p < 0.001, and sum how far log p is below that of 0.001, by strata of genes."""
    tails = np.zeros((4, len(log_p), N_STRATA))
    _add_tails(log_p, stratum, tails)
    tests, near, far, beyond = tails
    return tests, near, far, beyond


@njit(cache=True, nogil=True)
def _add_tails(log_p: Singles, stratum: npt.NDArray[np.intp], tails: Doubles) -> None:
    near, far = np.float32(NEAR), np.float32(FAR)
    for row in range(log_p.shape[0]):
        for gene in range(log_p.shape[1]):
            value, at = log_p[row, gene], stratum[gene]
            if np.isfinite(value):
                tails[0, row, at] += 1.0
            if value < near:
                tails[1, row, at] += 1.0
            if value < far:
                tails[2, row, at] += 1.0
                tails[3, row, at] += far - value


def calibration_table(
    conditions: Sequence[NullCondition],
    nulls: pl.DataFrame,
    log_p: Sequence[Singles],
    test: str,
    calibration: Calibration,
) -> pl.DataFrame:
    """Summarise pretend conditions by kind and size: the release's calibration table.

    Parameters
    ----------
    conditions
        The pretend conditions.
    nulls
        A row for each: ``n_significant``, ``least_q``, ``effect_norm`` and ``energy_distance``.
    log_p
        Logarithms of the p-values of each, as they are given out; NaN where nothing was tested.
    test
        Name of the test.
    calibration
        What the p-values were corrected by.
    """
    members: dict[tuple[str, int], list[int]] = {}
    for place, condition in enumerate(conditions):
        members.setdefault((condition.kind, _size(condition)), []).append(place)
    tables = []
    for (kind, n_cells), places in sorted(members.items()):
        part = nulls[places]
        pooled = np.concatenate([log_p[place] for place in places])
        pooled = np.sort(pooled[np.isfinite(pooled)])
        below = np.searchsorted(pooled, np.array([NEAR, FAR]))
        shares = (below / pooled.size).tolist() if pooled.size else [math.nan, math.nan]
        mean_significant = float(part["n_significant"].to_numpy().mean())
        holds = all(share <= most for share, most in zip(shares, LARGEST_SHARES, strict=True))
        seen = [at for at in P_GRID if at * pooled.size >= 1.0]
        tables.append(
            {
                "kind": kind,
                "n_cells": n_cells,
                "test": test,
                "n_null": part.height,
                "n_tests": pooled.size,
                "share_p_05": shares[0],
                "share_p_001": shares[1],
                "heaviness": calibration.heaviness_at(n_cells),
                "mean_significant": mean_significant,
                "share_called": float((part["least_q"].fill_null(1.0).to_numpy() < SMALL[0]).mean()),
                "is_calibrated": holds and mean_significant <= MOST_SIGNIFICANT,
                **{f"{name}_quantiles": _quantiles(part[name]) for name in MEASURES},
                "p_quantiles": _p_quantiles(pooled, np.array(seen)),
            }
        )
    return pl.DataFrame(tables, schema=RELEASE["calibration"].schema).fill_nan(None)


def _size(condition: NullCondition) -> int:
    """Return the size of a pretend condition; of a guide, the power of two nearest to its cells."""
    return condition.n_cells if condition.kind == DEALT else 2 ** round(np.log2(max(condition.n_cells, 1)))


def _p_quantiles(log_p: Singles, at: Doubles) -> list[float]:
    """Return quantiles of p, between neighbours in proportion, of its logarithms in order."""
    position = at * (log_p.size - 1)
    lower = position.astype(np.int64)
    pairs = log_p[np.array([lower, np.minimum(lower + 1, log_p.size - 1)])].astype(np.float64)
    below, above = np.exp(pairs)
    quantiles: list[float] = (below + (above - below) * (position - lower)).tolist()
    return quantiles


def _quantiles(values: pl.Series) -> list[float | None]:
    known = values.cast(pl.Float64).drop_nulls().drop_nans()
    return [known.quantile(at, "linear") for at in QUANTILES]
