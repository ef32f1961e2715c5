"""Genes that next to no control cell has: more of them is told by how many cells have them, not by their counts.

How far the counts of such a gene stray is not known from so few cells, and one cell can have dozens where no other has
any. How many cells have it is known: k of the controls, with T counts in all, so that of a condition with M counts a
negative binomial number of cells is expected to, of mean ``r = (k + 1/2) M / T`` and variance ``r + r^2 / (k + 1/2)``.
Where most cells of a condition have the gene, and more than one, its counts are believed.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ingest.signatures.count_test import count_test
from ingest.signatures.rates import PRIOR_COUNT, Expected

Doubles = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

FEW_CELLS = 3
"""Cells of a control that have a gene, up to which next to nothing is known of how far they stray."""
MOST_OF_CONTROL = 0.1
"""Part of a control's cells that have a rare gene, at most."""
MOST_OF_CONDITION = 0.5
"""Part of a condition's cells from which on a gene is none of single cells."""


def is_rare(n_expressing: Whole, n_cells: float) -> npt.NDArray[np.bool_]:
    """Tell of which genes a control, of so many cells, has too few that have them. Shape (genes,)."""
    return n_expressing <= min(FEW_CELLS, MOST_OF_CONTROL * n_cells)


def by_cells(
    log_p: Doubles,
    sign: npt.NDArray[np.int8],
    of_condition: tuple[Whole, Doubles],
    of_control: tuple[Whole, float],
    ratio: Doubles,
) -> None:
    """Raise p of more of rare genes to that of so many cells that have them, in place.

    Parameters
    ----------
    log_p, sign
        What counts, or logarithms, say. Shape (conditions, genes).
    of_condition
        Cells of the conditions that have each gene, shape (conditions, genes), and all of them, (conditions,).
    of_control
        The same of the control: shape (genes,), and a number.
    ratio
        Counts of the conditions over those of the control; cells where there are no counts. Shape (conditions,).
    """
    (n_expressing, n_cells), (expressing_controls, n_controls) = of_condition, of_control
    rare = np.flatnonzero(is_rare(expressing_controls, n_controls))
    have = n_expressing[:, rare]
    are_few = (have > 0) & (have <= np.maximum(MOST_OF_CONDITION * n_cells, 1.0)[:, None])
    row, place = np.nonzero(are_few & (sign[:, rare] > 0))
    gene = rare[place]
    size = expressing_controls[gene] + PRIOR_COUNT
    mean = size * ratio[row]
    expected = Expected(mean[None, :], (mean + mean**2 / size)[None, :])
    of_cells, side, _ = count_test(have[row, place].astype(np.float64)[None, :], expected)
    log_p[row, gene] = np.maximum(log_p[row, gene], np.where(side > 0, of_cells, 0.0)[0])
