from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy import stats

from featurestore.contract import P_GRID
from ingest.conditions.null import MOST_OF_A_SIZE, NullCondition, deal, usual_sizes
from ingest.signatures.calibration import FAR, NEAR, Calibration, calibration_table, tail_of


def nulls(heavy, n_conditions=40, n_genes=3000, seed=0):
    """Logarithms of p where nothing happened: Student's t of few degrees of freedom, taken for normal."""
    t = np.random.default_rng(seed).standard_t(heavy, (n_conditions, n_genes))
    return (np.log(2) + stats.norm.logsf(np.abs(t))).astype(np.float32)


@pytest.mark.parametrize("freedom", [8, 15, 1e6])
def test_correct__brings_heavy_tails_to_what_they_are_worth(freedom):
    sizes, stratum = np.full(40, 8), np.arange(3000) % 3
    calibration = Calibration.of_genes(sizes, tail_of(nulls(freedom), stratum))
    fresh = nulls(freedom, seed=1).astype(np.float64)
    corrected = np.exp(calibration.correct(fresh, sizes.astype(float), stratum))
    assert 0.04 < (corrected < 0.05).mean() <= 0.053  # a standard error is added
    assert 0.0003 < (corrected < 0.001).mean() <= 0.0015
    assert (corrected < 1e-5).mean() < 1e-4
    order = np.argsort(fresh[0, stratum == 0])
    assert (np.diff(corrected[0, stratum == 0][order]) >= 0).all()


def test_correct__lowers_no_p_value():
    stratum = np.zeros(3000, np.intp)
    conservative = nulls(1e6) * 0.5
    calibration = Calibration.of_genes(np.full(40, 8), tail_of(conservative.astype(np.float32), stratum))
    again = calibration.correct(conservative.astype(np.float64), np.full(40, 8.0), stratum)
    np.testing.assert_allclose(again, conservative, rtol=1e-6)


def test_calibration__of_too_few_conditions_is_none():
    stratum = np.zeros(10, np.intp)
    calibration = Calibration.of_genes(np.full(7, 8), tail_of(nulls(5, 7, 10), stratum))
    assert calibration.sizes.size == 0
    log_p = np.log(np.array([[1e-9, 0.5]]))
    np.testing.assert_array_equal(calibration.correct(log_p, np.array([8.0]), stratum[:2]), log_p)


def test_condition_p__is_raised_where_pretend_conditions_have_small_q_too():
    calibration = Calibration.of_genes(np.full(40, 8), tail_of(nulls(1e6), np.zeros(3000, np.intp)))
    q = np.random.default_rng(0).uniform(size=40) ** 3
    inflated = calibration.of_conditions(np.full(40, 8), q)
    assert inflated.condition_p(np.array([1e-9]), np.array([8.0])).item() == pytest.approx(1e-3, rel=0.9)
    alike = calibration.of_conditions(np.full(40, 8), np.full(40, 0.9))
    assert alike.condition_p(np.array([1e-9]), np.array([8.0])).item() == pytest.approx(1e-9)


def test_deal__makes_disjoint_conditions_of_one_half_each_and_larger_ones_of_smaller():
    rng = np.random.default_rng(0)
    draw = rng.integers(0, 2**32, 3000, dtype=np.uint64).astype(np.uint32)
    condition, guide = np.repeat([0, 5], [2000, 1000]).astype(np.int32), rng.integers(0, 4, 3000).astype(np.int32)
    dealt = deal(condition, draw, guide, [(0,), (5,)], np.array([3, 9, 30, 60]), 100)
    by_size = {}
    for null in dealt.conditions:
        rows = np.flatnonzero(np.isin(dealt.unit if null.kind == "dealt" else dealt.guide_unit, null.groups))
        assert rows.size == null.n_cells
        assert set(condition[rows]) == {null.controls[0]}
        assert set((draw[rows] >> 31).tolist()) == {null.half}
        if null.kind == "dealt":
            by_size.setdefault(null.n_cells, []).append(set(rows.tolist()))
    assert {size: len(found) for size, found in by_size.items()} == dict.fromkeys((2, 4, 8, 16, 32, 64), 32)
    for found in by_size.values():
        assert len(set.union(*found)) == sum(map(len, found))  # no cell is in two conditions of a size
    assert len([null for null in dealt.conditions if null.kind == "guide"]) == 16  # 4 guides, 2 halves, 2 controls
    assert dealt.n_groups - 100 == np.unique(dealt.unit[dealt.unit >= 0]).size + 16


def test_deal__does_not_depend_on_the_order_of_rows():
    rng = np.random.default_rng(1)
    draw = rng.permutation(2**20)[:500].astype(np.uint32) * np.uint32(4096)
    condition, guide = np.zeros(500, np.int32), np.zeros(500, np.int32)
    order = rng.permutation(500)
    once = deal(condition, draw, guide, [(0,)], np.array([10]), 0)
    again = deal(condition[order], draw[order], guide[order], [(0,)], np.array([10]), 0)
    np.testing.assert_array_equal(once.unit[order], again.unit)
    assert once.conditions == again.conditions


@pytest.mark.parametrize(
    ("sizes", "n_cells", "expected"),
    [
        ([20, 50, 200], [5000, 5000], [16, 32, 64, 128, 256]),
        ([93, 94], [50, 50, 50, 50], [4, 8, 16, 32, 64, 128]),  # controls have the cells for 32 of 4, not of 64
        ([2, 2], [1000], [2]),
        ([5000], [100_000], [512]),
        ([3], [1, 1], [2, 4]),
    ],
)
def test_usual_sizes__are_the_conditions_own_or_what_controls_allow(sizes, n_cells, expected):
    assert usual_sizes(np.array(sizes), n_cells) == expected
    assert MOST_OF_A_SIZE == 32


def test_tail_of__is_what_numpy_counts():
    log_p, stratum = nulls(4, 5, 400), np.arange(400) % 3
    log_p[:, ::9] = np.nan
    parts = np.isfinite(log_p), log_p < NEAR, log_p < FAR, np.where(log_p < FAR, FAR - log_p, 0.0)
    for found, part in zip(tail_of(log_p, stratum), parts, strict=True):
        by_numpy = [part[:, stratum == number].sum(axis=1) for number in range(4)]
        np.testing.assert_allclose(found, np.stack(by_numpy, axis=1), rtol=1e-6)


def test_calibration_table__has_shares_and_quantiles_of_p_as_numpy_has_them():
    log_p = nulls(4, 6, 400)
    log_p[0, ::9] = np.nan
    conditions = [NullCondition((0,), 0, (at,), 8) for at in range(6)]
    columns = ("n_significant", "least_q", "effect_norm", "energy_distance")
    measured = pl.DataFrame(dict.fromkeys(columns, np.zeros(6)))
    table = calibration_table(conditions, measured, list(log_p), "counts", Calibration.none())
    p_value = np.exp(log_p[np.isfinite(log_p)].astype(np.float64))
    assert table["n_tests"].item() == p_value.size
    assert table["share_p_05"].item() == (p_value < 0.05).mean()
    assert table["share_p_001"].item() == (p_value < 0.001).mean()
    at = [each for each in P_GRID if each * p_value.size >= 1.0]
    np.testing.assert_allclose(table["p_quantiles"].item(), np.quantile(p_value, at), rtol=1e-12)
