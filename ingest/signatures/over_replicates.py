"""Which conditions are tested over replicates, by which model, and what the tests say.

A condition is tested over replicates where it and its control have two or more: over those that both have where there
are two (paired: each replicate is its own control), else over all of each. All conditions of a kind share one model,
and so its variances.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from ingest.conditions.comparisons import Comparison
from ingest.kernel import UNIT
from ingest.signatures.digits import cut
from ingest.signatures.effect_size import row_correlation
from ingest.signatures.false_discovery import benjamini_hochberg
from ingest.signatures.linear import Doubles, Samples
from ingest.signatures.moderated import fit_replicates
from ingest.signatures.moderated_t import log_two_sided
from ingest.signatures.normal import signed_z
from ingest.signatures.summed import Summed
from ingest.signatures.tested import SMALLEST, Contrast

LEAST = 2
"""Replicates that either side has at least."""
AT_ONCE = 256
"""Samples whose counts are added up at once."""


@dataclass(frozen=True, slots=True)
class Pseudobulk:
    """A pseudobulk: groups of cells, and how many they are."""

    groups: tuple[int, ...]
    n_cells: int

    def __add__(self, other: Pseudobulk) -> Pseudobulk:
        return Pseudobulk(self.groups + other.groups, self.n_cells + other.n_cells)


Side = Mapping[str, Pseudobulk]
"""The replicates of a condition, or of its control, by name."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the test of a condition over replicates says of its genes; shape (genes,), NaN where there is no test.

    ``log_p`` and ``sign`` are of counts where there are any, else of mean logarithms, whose ``standard_error`` it is;
    ``log2fc`` and its error are those of counts per million, NaN without counts.
    """

    log_p: Doubles
    sign: npt.NDArray[np.int8]
    standard_error: Doubles
    log2fc: Doubles
    log2fc_standard_error: Doubles
    n_replicates: int


def take_over(contrast: Contrast, row: int, verdict: Verdict) -> int:
    """Put the test over replicates in the place of that over cells, and return of how many it is."""
    p_value = np.maximum(np.exp(verdict.log_p), SMALLEST)
    contrast.standard_error[row] = verdict.standard_error
    contrast.z[row] = signed_z(verdict.log_p, verdict.sign)
    contrast.p_value[row] = p_value
    contrast.q_value[row] = cut(benjamini_hochberg(p_value))
    contrast.log2fc[row] = verdict.log2fc
    contrast.log2fc_standard_error[row] = verdict.log2fc_standard_error
    return verdict.n_replicates


class OverReplicates:
    """The conditions of one comparison that are tested over replicates.

    Parameters
    ----------
    data
        The dataset, with sums of each condition and replicate.
    comparison
        Conditions, and their control.
    """

    def __init__(self, data: Summed, comparison: Comparison) -> None:
        sides = _sides(data, {*comparison.controls, *comparison.members.tolist()})
        control: dict[str, Pseudobulk] = {}
        for index in comparison.controls:
            for name, sample in sides[index].items():
                control[name] = control[name] + sample if name in control else sample
        paired, alone = {}, {}
        for index in comparison.members.tolist():
            shared = {name: sample for name, sample in sides[index].items() if name in control}
            if len(shared) >= LEAST:
                paired[index] = shared
            elif min(len(sides[index]), len(control)) >= LEAST:
                alone[index] = sides[index]
        self._place: dict[int, tuple[_Model, int]] = {}
        for members, is_paired in ((paired, True), (alone, False)):
            if members:
                model = _Model(data, [control, *members.values()], is_paired=is_paired)
                self._place |= {index: (model, at) for at, index in enumerate(members, start=1)}

    def has(self, index: int) -> bool:
        """Say whether a condition is tested over replicates."""
        return index in self._place

    def test(self, index: int) -> Verdict:
        """Test a condition."""
        model, at = self._place[index]
        return model.test(at)

    def agreement(self, index: int, is_other: npt.NDArray[np.bool_]) -> float:
        """Return the mean Pearson correlation of the effects in each two replicates, over genes that are no targets.

        Each is against the same replicate of the control; where they share none, against the mean of all of these,
        whose own noise the effects then have in common.
        """
        model, at = self._place[index]
        effects = np.where(is_other, model.effects(at), 0.0)
        one, other = (list(rows) for rows in zip(*combinations(range(len(effects)), 2), strict=True))
        return float(row_correlation(effects[one], effects[other]).mean())


class _Model:
    """A control and some conditions, whose samples are of replicates: shared ones where it is paired."""

    def __init__(self, data: Summed, sides: Sequence[Side], *, is_paired: bool) -> None:
        self._sums = data.sums
        samples = [side[name] for side in sides for name in sorted(side)]
        self._pools = [np.array(sample.groups) for sample in samples]
        self._n_cells = np.array([[sample.n_cells] for sample in samples], np.float64)
        condition = np.repeat(np.arange(len(sides)), [len(side) for side in sides])
        self._replicate = None
        if is_paired:
            number = {name: at for at, name in enumerate(sorted(sides[0]))}
            self._replicate = np.array([number[name] for side in sides for name in sorted(side)])
        self._logs = Samples(condition, self._read_logs, None, self._replicate)
        self._of_logs = fit_replicates(self._logs)
        self._control = self._read_logs(self._logs.rows(0, 1))
        self._of_counts = None
        if data.sums.has_counts:
            totals = _totals(data, self._pools)
            self._of_counts = fit_replicates(Samples(condition, self._read_counts, totals, self._replicate))

    def test(self, at: int) -> Verdict:
        logs = self._of_logs.compare(at, at + 1)
        counts = None if self._of_counts is None else self._of_counts.compare(at, at + 1)
        tested = logs if counts is None else counts
        none = np.full(logs.t.shape[1], np.nan)
        rows = self._logs.rows(at, at + 1)
        return Verdict(
            log_two_sided(tested.t[0], tested.freedom),
            np.where(tested.t[0] < 0, -1, 1).astype(np.int8),
            logs.standard_error[0],
            none if counts is None else counts.effect[0],
            none if counts is None else counts.standard_error[0],
            rows.stop - rows.start,
        )

    def effects(self, at: int) -> Doubles:
        """Return the effect in each replicate, of mean logarithms. Shape (replicates, genes)."""
        rows = self._logs.rows(at, at + 1)
        control = self._control.mean(axis=0) if self._replicate is None else self._control[self._replicate[rows]]
        return np.asarray(self._read_logs(rows) - control)

    def _read_counts(self, rows: slice) -> Doubles:
        return self._sums.added("count", self._pools[rows]).astype(np.float64)

    def _read_logs(self, rows: slice) -> Doubles:
        return np.asarray(self._sums.added("log_sum", self._pools[rows]) / UNIT / self._n_cells[rows])


def _sides(data: Summed, conditions: set[int]) -> dict[int, dict[str, Pseudobulk]]:
    """Find the replicates of each condition; one without a single count is none."""
    found = [(*key, each) for key, each in data.grouping.replicates.items() if key[0] in conditions]
    totals = np.ones(len(found))
    if data.sums.has_counts:
        totals = _totals(data, [np.array([each.group]) for *_, each in found])
    sides: dict[int, dict[str, Pseudobulk]] = defaultdict(dict)
    for (condition, name, each), total in zip(found, totals.tolist(), strict=True):
        if total > 0:
            sides[condition][name] = Pseudobulk((each.group,), each.n_cells)
    return sides


def _totals(data: Summed, pools: Sequence[npt.NDArray[np.intp]]) -> Doubles:
    """Add up the counts of each pool over all measured genes. Shape (pools,)."""
    parts = [
        data.sums.added("count", pools[first : first + AT_ONCE]).sum(axis=1, dtype=np.float64)
        for first in range(0, len(pools), AT_ONCE)
    ]
    return np.concatenate([np.empty(0), *parts])
