from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from featurestore.errors import ValuesError
from ingest.conditions.given import draw_of
from ingest.kernel import UNIT
from ingest.reader import OUTSIDE, CscBlock, CsrBlock, DenseBlock
from ingest.stored import fits, rises
from ingest.sums.accumulate import accumulate
from ingest.sums.group_sums import GroupSums
from ingest.sums.values import ValueCheck

N_CELLS, N_COLUMNS, N_GROUPS = 60, 14, 4
SLOTS = np.array([0, 1, 2, 3, -1, 4, 5, 2, OUTSIDE, 7, 8, 9, 2, 6], np.int32)


@dataclass
class ArrayReader:
    """A matrix in memory, given out in blocks of some layout."""

    matrix: np.ndarray
    layout: str
    length: int
    path: Path = Path("memory")

    @property
    def n_rows(self):
        return self.matrix.shape[0]

    @property
    def n_genes(self):
        return self.matrix.shape[1]

    def blocks(self, block_bytes=0):
        extent = self.n_genes if self.layout == "csc" else self.n_rows
        for start in range(0, extent, self.length):
            part = slice(start, start + self.length)
            if self.layout == "dense":
                yield DenseBlock(start, self.matrix[part])
            elif self.layout == "csr":
                block = sp.csr_array(self.matrix[part])
                yield CsrBlock(start, block.indptr, block.indices, block.data)
            else:
                block = sp.csc_array(self.matrix[:, part])
                yield CscBlock(start, block.indptr, block.indices, block.data)


def counts(seed=0):
    rng = np.random.default_rng(seed)
    return (rng.poisson(1.2, (N_CELLS, N_COLUMNS)) * rng.choice([1, 1, 1, 300], (N_CELLS, N_COLUMNS))).astype(
        np.float32
    )


def groups(seed=1):
    return np.random.default_rng(seed).integers(-1, N_GROUPS, N_CELLS).astype(np.int32)


def run(matrix, layout="csr", length=7, values="counts", slots=SLOTS, cells=None, whole=None):
    sums = GroupSums.zeros(N_GROUPS, int(slots.max()) + 1, has_counts=values == "counts", whole=whole)
    reader = ArrayReader(matrix, layout, length)
    check = ValueCheck(values, reader.path)
    cells = groups() if cells is None else cells
    accumulate(reader, cells[:, None], slots, sums, np.zeros(len(cells), np.float32), check, lambda _: None)
    check.finish()
    return sums


def expected(matrix):
    """Plain numpy on the whole matrix: columns of one gene are added in each cell, then scaled and logged.

    A gene without a place on the axis is a part of the library, a spike-in is not.
    """
    whole = matrix.astype(np.float64)
    by_gene = np.zeros((N_CELLS, SLOTS.max() + 1))
    for column, slot in enumerate(SLOTS):
        if slot >= 0:
            by_gene[:, slot] += whole[:, column]
    total = whole[:, SLOTS != OUTSIDE].sum(axis=1, keepdims=True)
    logs = np.log1p(by_gene / np.where(total > 0, total, 1) * 1e4)
    pools = [groups() == g for g in range(N_GROUPS)]
    return tuple(
        np.stack([table[pool].sum(axis=0) for pool in pools]) for table in (by_gene, logs, logs**2, by_gene > 0)
    )


@pytest.mark.parametrize("layout", ["csr", "csc", "dense"])
def test_accumulate__equals_numpy_on_the_whole_matrix(layout):
    sums = run(counts(), layout)
    count, log_sum, square_sum, expressing = expected(counts())
    np.testing.assert_array_equal(sums.count, count)
    np.testing.assert_array_equal(sums.expressing, expressing)
    np.testing.assert_allclose(sums.log_sum / UNIT, log_sum, rtol=1e-9)
    np.testing.assert_allclose(sums.square_sum / UNIT, square_sum, rtol=1e-9)


@pytest.mark.parametrize("layout", ["csr", "csc", "dense"])
@pytest.mark.parametrize("values", ["counts", "log1p"])
def test_accumulate__keeps_only_logarithms_of_groups_that_share_a_row(layout, values):
    matrix = counts() if values == "counts" else np.log1p(counts() / 3.0)
    slots = SLOTS if values == "counts" else np.arange(N_COLUMNS, dtype=np.int32)
    whole = np.arange(N_GROUPS, dtype=np.int32)
    whole[1:] -= 1
    apart, shared = (run(matrix, layout, 7, values, slots, whole=each) for each in (None, whole))
    np.testing.assert_array_equal(shared.log_sum, apart.log_sum)
    pools = [np.array(pool, np.intp) for pool in ([0, 1], [2], [], [2, 0, 1])]
    for name in ("log_sum", "square_sum", "expressing", *(("count",) if values == "counts" else ())):
        np.testing.assert_array_equal(shared.added(name, pools), apart.added(name, pools))
    with pytest.raises(ValueError, match="takes one half of a condition"):
        shared.added("expressing", [np.array([0, 2])])


@settings(deadline=None, max_examples=25)
@given(
    layout=st.sampled_from(["csr", "csc", "dense"]),
    length=st.integers(1, 70),
    dtype=st.sampled_from([np.float32, np.float64, np.int32, np.int64, np.uint16]),
    seed=st.integers(0, 5),
)
def test_accumulate__does_not_depend_on_layout_block_size_or_type(layout, length, dtype, seed):
    once = run(counts(seed))
    again = run(counts(seed).astype(dtype), layout, length)
    for name in ("count", "log_sum", "square_sum", "expressing"):
        np.testing.assert_array_equal(getattr(once, name), getattr(again, name))


@settings(deadline=None, max_examples=15)
@given(order=st.permutations(range(N_CELLS)), cut=st.integers(0, N_CELLS))
def test_accumulate__is_exactly_additive_over_any_order_and_split_of_cells(order, cut):
    matrix, cells = counts()[list(order)], groups()[list(order)]
    whole = run(counts())
    parts = [run(matrix[part], cells=cells[part]) for part in (slice(0, cut), slice(cut, None))]
    merged = parts[0] + parts[1]
    for name in ("count", "log_sum", "square_sum", "expressing"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(merged, name))


@pytest.mark.parametrize("layout", ["csr", "csc", "dense"])
def test_accumulate__takes_logs_as_they_are_and_has_no_counts(layout):
    logs = np.log1p(counts() / 3.0)
    slots = np.where(np.arange(N_COLUMNS) < 11, np.arange(N_COLUMNS), -1).astype(np.int32)
    sums = run(logs, layout, values="log1p", slots=slots)
    assert sums.count.size == 0
    for g in range(N_GROUPS):
        np.testing.assert_allclose(sums.log_sum[g] / UNIT, logs[groups() == g][:, :11].sum(axis=0), rtol=1e-6)


@pytest.mark.parametrize(
    ("matrix", "declared", "message"),
    [
        (np.log1p(counts()), "counts", 'values = "log1p"'),
        (-counts(), "counts", "below 0"),
        (np.where(counts() > 2, np.nan, counts()), "counts", "NaN"),
        (np.minimum(counts(), 5), "log1p", 'values = "counts"'),
        (counts() + 0.5, "log1p", "a value of"),
        (np.full((N_CELLS, N_COLUMNS), 2.0**40), "counts", "a value of"),
    ],
)
def test_accumulate__refuses_values_of_another_kind(matrix, declared, message):
    with pytest.raises(ValuesError, match="The values are not") as caught:
        run(matrix.astype(np.float32), values=declared, layout="dense")
    assert message in str(caught.value)


def test_accumulate__an_empty_cell_adds_nothing():
    matrix = counts()
    matrix[:] = 0
    assert run(matrix).log_sum.sum() == 0


def test_draw_of__splits_evenly_and_is_the_same_everywhere():
    barcodes = pl.Series([f"AAACCTGAG{i:06d}-1" for i in range(20_000)])
    assert abs((draw_of(barcodes) >> np.uint32(31)).mean() - 0.5) < 0.02
    keys = ["AAACCCAAGAATAGTC-3", "cell_1", "cell_2"]
    expected = [(zlib.crc32(key.encode()) * 0x9E3779B97F4A7C15) % 2**64 >> 32 for key in keys]
    assert draw_of(pl.Series(keys)).tolist() == expected


def test_added__is_the_sum_of_the_groups_of_each_pool():
    sums = GroupSums.zeros(5, 9, has_counts=True)
    sums.count[:] = np.random.default_rng(0).integers(0, 99, sums.count.shape)
    sums.expressing[:] = sums.count % 7
    pools = [np.array(pool, np.intp) for pool in ([0, 3], [], [4, 4, 1], [2])]
    for name in ("count", "expressing"):
        by_numpy = [getattr(sums, name)[pool].sum(axis=0) for pool in pools]
        np.testing.assert_array_equal(sums.added(name, pools), by_numpy)
        np.testing.assert_array_equal(sums.added(name, pools, slice(2, 6)), np.array(by_numpy)[:, 2:6])
    assert sums.added("log_sum", []).shape == (0, 9)


@pytest.mark.parametrize(
    ("rows", "is_rising"),
    [
        ([[1, 4, 9], [0, 2], [], [2, 3]], True),
        ([[1, 4, 4]], False),
        ([[], [3], [0, 5, 2]], False),
        ([[7, 8], [], [7], [7, 9]], True),
        ([[]], True),
    ],
)
def test_rises__looks_within_rows_and_not_from_one_to_the_next(rows, is_rising):
    indptr = np.cumsum([0, *map(len, rows)])
    assert rises(indptr, np.array([each for row in rows for each in row], np.int32)) == is_rising


@pytest.mark.parametrize("changed", [None, (0, -1), (40, 50), (99, 2**31 - 1), (57, 0)])
def test_fits__as_numpy_says_of_each_row(changed):
    rng = np.random.default_rng(3)
    rows = [np.sort(rng.choice(50, 10, replace=False)) for _ in range(10)]
    indptr, indices = np.cumsum([0, *map(len, rows)]), np.concatenate(rows).astype(np.int32)
    if changed:
        indices[changed[0]] = changed[1]
    rise = all((np.diff(row.astype(np.int64)) > 0).all() for row in np.split(indices, indptr[1:-1]))
    expected = rise and ((indices >= 0) & (indices < 50)).all()
    assert fits(indptr, indices, 50) == expected == (changed is None)
