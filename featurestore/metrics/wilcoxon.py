"""Differential expression from cells: the Wilcoxon rank-sum test of every perturbation and gene against the controls.

Two-sided, asymptotic, with tie and continuity correction, as ``scipy.stats.mannwhitneyu`` and pdex have it; q-values by
Benjamini and Hochberg within a perturbation, over all genes.

The controls of a gene are sorted once. A perturbation's nonzero values are then looked up in them, and its zeros, nine
tenths of the matrix, are counted and never touched.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from numba import njit, prange
from scipy import sparse
from scipy.special import ndtr
from scipy.stats import false_discovery_control

from featurestore.contract import FALSE_DISCOVERY_RATE
from featurestore.metrics.rows import Matrix, Truths

Integers = npt.NDArray[np.int64]

GENES_AT_ONCE = 2_000
"""Genes whose cells are held by column at a time: a screen's cells need not be in memory thrice."""


@dataclass(frozen=True, slots=True)
class Calls:
    """Differential expression of perturbations against control, each of shape (perturbations, genes).

    Parameters
    ----------
    log2_fold_change
        Of the means over cells; infinite where one side is 0, 0 where both are.
    statistic
        U of the perturbation's cells.
    p_value
        Two-sided.
    q_value
        Benjamini-Hochberg over the genes of a perturbation; 1 for genes that were not tested.
    """

    log2_fold_change: Matrix
    statistic: Matrix
    p_value: Matrix
    q_value: Matrix

    @property
    def significant(self) -> Truths:
        """Genes with a false discovery rate below 5 %."""
        return self.q_value < FALSE_DISCOVERY_RATE


def differential_expression(
    log1p_cells: sparse.csr_array,
    groups: npt.NDArray[np.integer],
    n_groups: int,
    *,
    fold_change_of: Literal["geometric", "arithmetic"] = "geometric",
    epsilon: float = 0.0,
    tested: Truths | None = None,
    control_cells: sparse.csr_array | None = None,
) -> Calls:
    """Compare the cells of every perturbation with the control cells, gene by gene.

    Parameters
    ----------
    log1p_cells
        log1p of scaled counts, shape (cells, genes).
    groups
        Perturbation of each cell, from 0; ``-1`` for control cells, ``-2`` for cells that take no part.
    n_groups
        Number of perturbations.
    fold_change_of
        ``geometric``: expm1 of the mean log1p, as pdex has it; ``arithmetic``: the mean of expm1, as the challenge
        of 2026 has it.
    epsilon
        Added to both means of a fold change.
    tested
        Genes that are tested, shape (genes,); all if not given. q-values are over these alone.
    control_cells
        Control cells from elsewhere, in place of those in ``groups``.

    Examples
    --------
    >>> cells = sparse.csr_array(np.log1p([[0.0, 5.0], [1.0, 4.0], [0.0, 6.0], [3.0, 5.0], [4.0, 6.0], [5.0, 4.0]]))
    >>> calls = differential_expression(cells, np.array([-1, -1, -1, 0, 0, 0]), 1)
    >>> calls.p_value.round(3), calls.log2_fold_change.round(2)
    (array([[0.077, 1.   ]]), array([[3.92, 0.  ]]))
    """
    groups = groups.astype(np.int64)
    order = np.argsort(groups, kind="stable")
    order = order[groups[order] >= 0]
    placed: Integers = groups[order].astype(np.int64)
    sizes: Integers = np.bincount(placed, minlength=n_groups).astype(np.int64)
    base = np.flatnonzero(groups == -1)
    parts = []
    for start in range(0, max(log1p_cells.shape[1], 1), GENES_AT_ONCE):
        genes = slice(start, start + GENES_AT_ONCE)
        part = log1p_cells[:, genes]
        controls = sparse.csc_array(part[base] if control_cells is None else control_cells[:, genes])
        cells = sparse.csc_array(part[order])
        for matrix in (controls, cells):
            matrix.sum_duplicates()
        ranked = _rank_sums(
            cells.data.astype(np.float64),
            cells.indices.astype(np.int64),
            cells.indptr.astype(np.int64),
            placed,
            sizes,
            controls.data.astype(np.float64),
            controls.indptr.astype(np.int64),
            controls.shape[0],
        )
        parts.append((*ranked, _fold_change(cells, placed, sizes, controls, fold_change_of, epsilon)))
    statistic, z, lfc = (np.concatenate(columns, axis=1) for columns in zip(*parts, strict=True))
    p = (2 * ndtr(-z)).clip(0.0, 1.0)
    some = np.ones(p.shape[1], dtype=bool) if tested is None else tested
    q = np.ones(p.shape)
    if some.any() and len(p):
        q[:, some] = false_discovery_control(p[:, some], axis=1)
    return Calls(lfc, statistic, p, q)


def _fold_change(
    cells: sparse.csc_array, groups: Integers, sizes: Integers, controls: sparse.csc_array, of: str, epsilon: float
) -> Matrix:
    arithmetic = of == "arithmetic"
    means = []
    for matrix, rows, n in ((cells, groups, sizes), (controls, np.zeros(controls.shape[0], np.int64), None)):
        counts = np.array([matrix.shape[0]]) if n is None else n
        values = matrix.astype(np.float64)
        if arithmetic:
            values.data = np.expm1(values.data)
        mean = group_sums(sparse.csr_array(values), rows, len(counts)) / np.maximum(counts, 1)[:, None]
        means.append(mean if arithmetic else np.expm1(mean))
    m, m_control = means[0] + epsilon, means[1] + epsilon
    with np.errstate(divide="ignore", invalid="ignore"):
        lfc: Matrix = np.log2(m / m_control)
    lfc[(m == 0) & (m_control == 0)] = 0.0
    return lfc


def group_sums(values: sparse.csr_array, groups: npt.NDArray[np.integer], n_groups: int) -> Matrix:
    """Sum the rows of each group, float64, shape (groups, columns); rows with a negative group take no part."""
    used = np.flatnonzero(groups >= 0)
    ones = np.ones(len(used))
    indicator = sparse.csr_array((ones, (np.asarray(groups)[used], used)), shape=(n_groups, values.shape[0]))
    return np.asarray((indicator @ values.astype(np.float64)).toarray())


@njit(cache=True, nogil=True)
def _compare(
    own: npt.NDArray[np.float64], n_own: int, base: npt.NDArray[np.float64], n_base: int, base_ties: float
) -> tuple[float, float]:
    """U and z of sorted nonzero values of n_own cells against sorted nonzero values of n_base cells; the rest are 0."""
    n_zero_base, n_zero_own = n_base - len(base), n_own - len(own)
    negative = np.searchsorted(base, 0.0)
    u = n_zero_own * (negative + 0.5 * n_zero_base)
    ties = base_ties
    total_zero = float(n_zero_own + n_zero_base)
    ties += total_zero**3 - total_zero - (float(n_zero_base) ** 3 - n_zero_base)
    i = 0
    while i < len(own):
        value = own[i]
        last = i
        while last < len(own) and own[last] == value:
            last += 1
        left, right = np.searchsorted(base, value, "left"), np.searchsorted(base, value, "right")
        below = left + (n_zero_base if value > 0 else 0)
        u += (last - i) * (below + 0.5 * (right - left))
        t, c = float(last - i + right - left), float(right - left)
        ties += t**3 - t - (c**3 - c)
        i = last
    n = float(n_own + n_base)
    product = float(n_own) * float(n_base)
    variance = product / 12.0 * ((n + 1.0) - ties / (n * (n - 1.0)))
    if not variance > 0.0:
        return u, -np.inf
    return u, (max(u, product - u) - product / 2.0 - 0.5) / math.sqrt(variance)


@njit(cache=True, nogil=True, parallel=True)
def _rank_sums(
    data: npt.NDArray[np.float64],
    indices: Integers,
    indptr: Integers,
    groups: Integers,
    sizes: Integers,
    base_data: npt.NDArray[np.float64],
    base_indptr: Integers,
    n_base: int,
) -> tuple[Matrix, Matrix]:
    """U and z of every group and gene; the rows of the matrix are in the order of their groups."""
    n_genes = len(indptr) - 1
    statistic = np.zeros((len(sizes), n_genes))
    z = np.zeros((len(sizes), n_genes))
    for g in prange(n_genes):
        base = np.sort(base_data[base_indptr[g] : base_indptr[g + 1]])
        n_zero = float(n_base - len(base))
        base_ties = n_zero**3 - n_zero
        i = 0
        while i < len(base):
            last = np.searchsorted(base, base[i], "right")
            c = float(last - i)
            base_ties += c**3 - c
            i = last
        at, end = indptr[g], indptr[g + 1]
        for group in range(len(sizes)):
            start = at
            while at < end and groups[indices[at]] == group:
                at += 1
            own = np.sort(data[start:at])
            statistic[group, g], z[group, g] = _compare(own, sizes[group], base, n_base, base_ties)
    return statistic, z
