"""Conditions compared with their control: effects, tests, and what there is to say of each condition."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from ingest.conditions.comparisons import Comparison
from ingest.conditions.null import NullCondition
from ingest.kernel import UNIT
from ingest.signatures.calibration import Calibration
from ingest.signatures.contrast import Control, Reference, difference_of_means, match, standard_error
from ingest.signatures.count_test import count_test, log2_fold_change
from ingest.signatures.effect_size import effect_norm, energy_distance, knockdown, row_correlation
from ingest.signatures.false_discovery import significant
from ingest.signatures.library import Library
from ingest.signatures.moderated_t import moderate, moderated_test, pooled_variance
from ingest.signatures.moments import Doubles, Moments
from ingest.signatures.normal import signed_z
from ingest.signatures.rare import FEW_CELLS, by_cells, is_rare
from ingest.signatures.rates import ControlRates, fit_dispersion, fit_spread
from ingest.signatures.summed import COUNTS, Pools, Summed, Treated
from ingest.signatures.tested import Contrast, Tested

Halves = tuple[int, ...]
"""Which halves of cells: one, or both."""
WHOLE: Halves = (0, 1)
HALVES: tuple[Halves, Halves] = ((0,), (1,))
LEAST_FREEDOM = 2
"""Control cells beyond one a batch, below which nothing is known of how far they stray."""


class Comparing:
    """Conditions that share a control.

    Parameters
    ----------
    data
        The dataset.
    comparison
        Conditions, and their control.
    """

    def __init__(self, data: Summed, comparison: Comparison) -> None:
        self.data, self.comparison = data, comparison
        self.batches = data.grouping.control_batches(comparison.controls)
        self.control: dict[Halves, Control] = {halves: self._control(halves) for halves in (WHOLE, *HALVES)}
        self.gene_position = {gene: i for i, gene in enumerate(data.genes["gene_id"])}

    @property
    def whole(self) -> Control:
        """The control, both halves of it."""
        return self.control[WHOLE]

    @cached_property
    def rates(self) -> dict[Halves, ControlRates]:
        """What the control, and each half of it, let one expect of counts."""
        grouping, sums = self.data.grouping, self.data.sums
        of_batch = np.array([self.batches.index(batch) for _, batch in self._keys])
        rates: dict[Halves, ControlRates] = {}
        for halves in (WHOLE, *HALVES):
            count, library = self._control_counts(halves)
            has_cells = library.total > 0
            if has_cells.any():
                groups = [grouping.moments[key][list(halves)].ravel() for key in self._keys]
                summed = (self._by_batch(sums.added(name, groups), of_batch) for name in ("count", "log_sum"))
                square, product = (each[has_cells] for each in summed)
                dispersion = fit_dispersion(count[has_cells], square, product, library[has_cells])
                spread = fit_spread(count[has_cells], library[has_cells], dispersion)
                rates[halves] = ControlRates.fit(count, library, dispersion, spread)
        return rates

    @cached_property
    def control_count(self) -> Doubles:
        """Counts of the control. Shape (genes,)."""
        return np.asarray(self._control_counts(WHOLE)[0].sum(axis=0))

    @cached_property
    def n_expressing(self) -> dict[Halves, npt.NDArray[np.int64]]:
        """Cells of the control, and of each half of it, that have each gene. Shape (genes,)."""
        groups = np.stack([self.data.grouping.controls[key] for key in self._keys])
        return {
            halves: self.data.sums.added("expressing", [groups[:, list(halves)].ravel()])[0] for halves in self.control
        }

    @cached_property
    def strata(self) -> dict[Halves, npt.NDArray[np.intp]]:
        """Which stratum each gene is in: how many cells of the control have it (none, few), or how far those stray."""
        return {halves: self._strata(halves) for halves in self.control}

    def _strata(self, halves: Halves) -> npt.NDArray[np.intp]:
        n_expressing = self.n_expressing[halves]
        if self.data.test == COUNTS:
            strays = self.rates[halves].dispersion if halves in self.rates else np.zeros(n_expressing.shape)
        else:
            within, mean = self.control[halves].variance_within, self.control[halves].pooled.mean[0]
            strays = np.divide(within, mean**2, out=np.zeros_like(within), where=mean != 0)
        many = np.flatnonzero(n_expressing > FEW_CELLS)
        stratum = np.where(n_expressing > 0, 1, 0)
        order = many[np.argsort(strays[many], kind="stable")]
        stratum[order] = 2 + np.arange(order.size) * 2 // max(order.size, 1)
        return stratum

    @cached_property
    def variance(self) -> dict[Halves, tuple[Doubles, Doubles]]:
        """Moderated variance of a cell of the control, or of half of it, and its degrees of freedom.

        The whole control has those of its halves: what corrects p-values is read off pretend conditions, which are
        compared with halves.
        """
        moderated = {halves: moderate(each.variance_within, each.freedom) for halves, each in self.control.items()}
        fewest = min((freedom for _, freedom in moderated.values() if freedom > 0), default=0.0)
        return {halves: (variance[None, :], np.array([fewest])) for halves, (variance, _) in moderated.items()}

    def conditions(self, block: npt.NDArray[np.int32]) -> Treated:
        """Gather conditions."""
        pools, cells, n = self._cells(block, WHOLE)
        library = self.data.libraries.conditions[block][:, self.batches].sum(axis=2)
        return Treated(pools, self._moments(pools, n), cells, library)

    def half_effects(self, block: npt.NDArray[np.int32]) -> list[Doubles]:
        """Return effects of halves of cells against the same halves of the control. Shape (conditions, genes) each."""
        totals = self.data.halves([self.data.grouping.compared(index) for index in block.tolist()])
        effects = []
        for halves, total in zip(HALVES, totals, strict=True):
            _, cells, n = self._cells(block, halves)
            effects.append(difference_of_means(total, n, match(self.control[halves], cells).mean))
        return effects

    def _cells(self, block: npt.NDArray[np.int32], halves: Halves) -> tuple[Pools, Doubles, Doubles]:
        """Return groups of conditions, their cells in each batch of the control, and how many cells are compared."""
        grouping = self.data.grouping
        pools = [grouping.compared(index)[list(halves)].ravel() for index in block.tolist()]
        cells = grouping.cells[block][:, :, list(halves)].sum(axis=2).astype(np.float64)
        inside = cells[:, self.batches]
        return pools, inside, np.where(inside.sum(axis=1) > 0, inside.sum(axis=1), cells.sum(axis=1))

    def nulls(self, conditions: Sequence[NullCondition]) -> Treated:
        """Gather pretend conditions."""
        grouping, libraries = self.data.grouping, self.data.libraries
        pools = [np.array(each.groups) for each in conditions]
        cells = np.array([sum(grouping.null_cells[group] for group in each.groups) for each in conditions])
        inside = cells[:, self.batches].astype(np.float64)
        library = Library(np.zeros_like(inside), np.zeros_like(inside))
        if libraries.nulls:
            parts = [[libraries.nulls[group] for group in each.groups] for each in conditions]
            total, square = (
                np.array([np.sum([getattr(part, name) for part in each], axis=0) for each in parts])[:, self.batches]
                for name in ("total", "square")
            )
            library = Library(total, square)
        return Treated(pools, self._moments(pools, cells.sum(axis=1).astype(np.float64)), inside, library)

    def test(self, treated: Treated, reference: Reference, halves: Halves = WHOLE) -> Tested:
        """Test conditions against the control, or half of it."""
        counts, of_none, is_absent = None, None, None
        if self.data.sums.has_counts and halves not in self.rates:  # the control has no count of any gene
            shape = treated.moments.mean.shape
            return Tested(np.full(shape, np.nan), np.zeros(shape, np.int8), None, None, None)
        if self.data.sums.has_counts:
            count = self.data.sums.added("count", treated.pools).astype(np.float64)
            counts = count, self.rates[halves].expected(treated.library)
        if counts is not None and self.data.test == COUNTS:
            log_p, sign, of_none = count_test(*counts)
            is_absent = (counts[0] == 0) & (self.control_count == 0)
        else:
            variance = (
                pooled_variance(treated.moments, self.control[halves]) if self.data.is_bulk else self.variance[halves]
            )
            log_p, sign = moderated_test(treated.moments, reference, *variance)
        of_control = self.n_expressing[halves], float(self.control[halves].pooled.n[0])
        if not self.data.is_bulk and is_rare(*of_control).any():
            of_condition = self.data.sums.added("expressing", treated.pools), treated.moments.n
            by_cells(log_p, sign, of_condition, of_control, self._size(treated, halves))
        if self.control[halves].freedom < LEAST_FREEDOM:
            log_p[:] = np.nan
        log_p[~reference.is_matched | (not self.comparison.same_time)] = np.nan
        return Tested(log_p, sign, of_none, is_absent, counts)

    def _size(self, treated: Treated, halves: Halves) -> Doubles:
        """Return the counts of conditions over those of the control, or its cells where there are no counts."""
        if self.data.test == COUNTS:
            return np.asarray(treated.library.total.sum(axis=1) / self._control_library(halves).total.sum())
        return np.asarray(treated.moments.n / self.control[halves].pooled.n)

    def contrast(self, treated: Treated, reference: Reference, calibration: Calibration) -> Contrast:
        """Compare conditions with the control."""
        tested = self.test(treated, reference)
        log_p, p_value, q_value = tested.adjusted(calibration, treated.moments.n, self.strata[WHOLE])
        error = standard_error(treated.moments, self.whole, reference)
        no_fold = np.full(log_p.shape, np.nan)
        fold = log2_fold_change(*tested.counts) if tested.counts is not None else (no_fold, no_fold)
        untested = np.isnan(log_p).all(axis=1)
        for array in (error, *fold):
            array[untested] = np.nan
        effect = treated.moments.mean - reference.mean
        return Contrast(effect, error, signed_z(log_p, tested.sign), p_value, q_value, *fold)

    def describe(
        self, block: npt.NDArray[np.int32], treated: Treated, contrast: Contrast, reference: Reference
    ) -> pl.DataFrame:
        """Say of conditions what there is to say, one a row."""
        targets, is_other = self._targets(block), self.is_other(block)
        halves = self.half_effects(block)
        for row, positions in enumerate(targets):
            for half in halves:
                half[row, positions] = 0.0
        n_significant, least_q = significant(contrast.q_value, is_other)
        return pl.DataFrame(
            {
                "condition_index": block,
                "n_compared": treated.moments.n.astype(np.int64),
                "knockdown_ratio": knockdown(treated.moments.mean, reference.mean, targets),
                "n_significant": n_significant,
                "least_q": least_q,
                "effect_norm": effect_norm(contrast.effect, is_other),
                "energy_distance": energy_distance(treated.moments, self.whole.pooled),
                "replicate_correlation": row_correlation(*halves),
                "is_matched": reference.is_matched,
                "is_tested": np.isfinite(contrast.p_value).any(axis=1),
                "is_split": [self.data.grouping.is_split(index) for index in block.tolist()],
                "same_time": np.full(block.size, self.comparison.same_time),
            },
            nan_to_null=True,
        )

    def is_other(self, block: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        """Say which genes are no targets of conditions. Shape (conditions, genes)."""
        others = np.ones((block.size, self.data.genes.height), bool)
        for row, positions in enumerate(self._targets(block)):
            others[row, positions] = False
        return others

    def _targets(self, block: npt.NDArray[np.int32]) -> list[list[int]]:
        listed = self.data.condition["target_gene_ids"].gather(block.tolist())
        return [[self.gene_position[g] for g in genes if g in self.gene_position] for genes in listed.to_list()]

    @property
    def _keys(self) -> list[tuple[int, int]]:
        """Control and batch of each group of the control."""
        return [key for key in self.data.grouping.controls if key[0] in self.comparison.controls]

    def _control_counts(self, halves: Halves) -> tuple[Doubles, Library]:
        """Return counts of the control by batch, shape (batches, genes), and its library, shape (batches,)."""
        pools = [self.data.grouping.controls[key][list(halves)].ravel() for key in self._keys]
        of_batch = np.array([self.batches.index(batch) for _, batch in self._keys])
        count = self._by_batch(self.data.sums.added("count", pools), of_batch)
        return count, self._control_library(halves)

    def _control_library(self, halves: Halves) -> Library:
        """Return counts of all genes of the control, batch by batch. Shape (batches,)."""
        of_controls = self.data.libraries.conditions[list(self.comparison.controls)]
        return of_controls[:, self.batches][:, :, list(halves)].sum(axis=(0, 2))

    def _by_batch(self, values: npt.NDArray[np.int64], of_batch: npt.NDArray[np.intp]) -> Doubles:
        summed = np.zeros((len(self.batches), values.shape[1]))
        for batch, own in zip(of_batch.tolist(), values, strict=True):
            summed[batch] += own
        return summed

    def _control(self, halves: Halves) -> Control:
        grouping = self.data.grouping
        pools = [
            np.concatenate([grouping.controls[key][list(halves)].ravel() for key in self._keys if key[1] == batch])
            for batch in self.batches
        ]
        cells = grouping.cells[list(self.comparison.controls)][:, :, list(halves)].sum(axis=(0, 2))
        n = cells[self.batches].astype(np.float64)
        return Control(self._moments(pools, n), self._moments([np.concatenate(pools)], n.sum(keepdims=True)))

    def _moments(self, pools: Pools, n: Doubles) -> Moments:
        added = self.data.sums.added
        return Moments.from_sums(n, added("log_sum", pools), added("square_sum", pools), UNIT)
