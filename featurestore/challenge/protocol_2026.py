"""What the metrics of the challenge of 2026 are computed from: counts of cells summed, and called against controls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from featurestore.challenge.cells import Cells, log1p_of_counts
from featurestore.errors import SourceFormatError, ValuesError, first_of
from featurestore.metrics.challenge_2026 import jackknife_noise
from featurestore.metrics.inputs import Inputs
from featurestore.metrics.rows import Matrix, Truths, Vector
from featurestore.metrics.wilcoxon import Calls, differential_expression, group_sums

Report = Callable[[str], None]

MOST_COUNTS = 1_000_000
"""Counts that a cell may have; the challenge refuses one with more."""
_CPM = 1e6
_EXPRESSED = 5.0
"""Mean counts per million of the controls above which a gene is tested."""
_EPSILON = 1e-9


@dataclass(frozen=True, slots=True)
class Side:
    """Predicted or measured cells of the perturbations, summed, and called against control cells.

    Parameters
    ----------
    sums, noise
        Counts summed over the cells of a perturbation, and the squared sampling error of their logarithm.
    calls, tested
        Differential expression against the controls, and the genes that these express, shape (genes,).
    control_sums, control_noise
        The same of the controls.
    """

    sums: Matrix
    noise: Vector
    calls: Calls
    tested: Truths
    control_sums: Vector
    control_noise: float


def side(cells: Cells, controls: Cells) -> Side:
    """Sum the cells of every perturbation, and compare them with the control cells of some cells."""
    groups, n = cells.groups, len(cells.perturbations)
    control = controls.values[controls.groups == -1]
    scaled = log1p_of_counts(control, _CPM)
    linear = scaled.copy()
    np.expm1(linear.data, out=linear.data)
    tested = np.asarray(linear.mean(axis=0)).ravel() > _EXPRESSED
    calls = differential_expression(
        log1p_of_counts(cells.values, _CPM),
        groups,
        n,
        fold_change_of="arithmetic",
        epsilon=_EPSILON,
        tested=tested,
        control_cells=scaled,
    )
    noise = np.array([jackknife_noise(cells.values[groups == p]) for p in range(n)])
    sums = group_sums(cells.values, groups, n)
    control_sums = np.asarray(control.sum(axis=0), dtype=np.float64).ravel()
    return Side(sums, noise, calls, tested, control_sums, jackknife_noise(control))


def inputs(predicted: Side, measured: Side, cells: Cells) -> Inputs:
    """Put two sides of the same perturbations together, without own targets; the genes are in the order of their names.

    Parameters
    ----------
    cells
        The measured cells, whose names tell own targets. A control of its own that the predicted side was compared
        with serves that side.
    """
    order = np.argsort(np.array(cells.genes), kind="stable")
    own = cells.own
    called, kept = predicted.tested & ~own, measured.tested & ~own

    def by_name(values: Matrix) -> Matrix:
        return values[..., order]

    return Inputs(
        left_out=own[:, order],
        significant=(measured.calls.significant & kept)[:, order],
        predicted_lfc=by_name(np.where(called, predicted.calls.log2_fold_change, np.nan)),
        measured_lfc=by_name(np.where(kept, measured.calls.log2_fold_change, np.nan)),
        predicted_significant=(predicted.calls.significant & called)[:, order],
        predicted_q=by_name(np.where(called, predicted.calls.q_value, np.nan)),
        predicted_p=by_name(predicted.calls.p_value),
        predicted_counts=by_name(predicted.sums),
        measured_counts=by_name(measured.sums),
        control_counts=by_name(measured.control_sums),
        predicted_control_counts=by_name(predicted.control_sums),
        panel=np.asarray(own.any(axis=0))[order],
        predicted_noise=predicted.noise,
        measured_noise=measured.noise,
        control_noise=measured.control_noise,
    )


def check(predicted: Cells, measured: Cells) -> None:
    """Refuse cells that the challenge does not score: no counts, too many of them, or targets that are no genes.

    Raises
    ------
    ValuesError
        The values are not counts, or a cell has more than a million.
    SourceFormatError
        No measured perturbation is named like a gene, so that no own target could be left out.
    """
    for cells in (predicted, measured):
        _check_counts(cells)
    if len(measured.without_gene) == len(measured.perturbations):
        raise SourceFormatError(
            "No perturbation is called like one of the genes, so own targets cannot be left out of the scores.",
            where=measured.name,
            expected=f"targets by the names of the genes, such as {', '.join(measured.genes[:3])}",
            got=first_of(measured.perturbations),
            do="name with --column the column that holds target genes, not guides, or give --targets FILE with the "
            "gene of each",
        )


def _check_counts(cells: Cells) -> None:
    if not cells.is_counts:
        raise ValuesError("The protocol of 2026 scores counts.", where=cells.name, got="log1p values")
    most = float(cells.values.sum(axis=1).max())
    if most > MOST_COUNTS:
        raise ValuesError(
            "A cell has more counts than the challenge takes.",
            where=cells.name,
            expected=f"at most {MOST_COUNTS:,} a cell",
            got=f"{most:,.0f}",
        )
