"""Cutting compressed rows into blocks, and finding what is given twice, against plain Python."""

from __future__ import annotations

import doctest

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ingest.readers import compressed
from ingest.readers.compressed import first_repeat, ranges

ROWS = st.lists(st.lists(st.integers(0, 6), max_size=6), max_size=12)


def pointers(rows: list[list[int]]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)]).astype(np.int64)


@given(ROWS, st.integers(1, 200))
def test_ranges__cover_all_rows_within_the_bound(rows, block_bytes):
    indptr = pointers(rows)
    found = list(ranges(indptr, 8, block_bytes))
    assert [start for start, _ in found] == [0, *(stop for _, stop in found)][: len(found)]
    assert (found[-1][1] if found else 0) == len(rows)
    for start, stop in found:
        n_bytes = 8 * int(indptr[stop] - indptr[start]) + 8 * (stop - start)
        assert n_bytes <= block_bytes or stop - start == 1


@given(ROWS)
def test_first_repeat__finds_one_wherever_there_is_one(rows):
    flat = np.array([index for row in rows for index in row], dtype=np.int32)
    at = first_repeat(pointers(rows), flat)
    has_repeat = any(len(set(row)) < len(row) for row in rows)
    assert (at is not None) == has_repeat
    if at is not None:
        row = next(row for row, stop in zip(rows, pointers(rows)[1:], strict=True) if at < stop)
        assert row.count(int(flat[at])) > 1


def test_examples__run():
    assert doctest.testmod(compressed).attempted > 0
    assert doctest.testmod(compressed).failed == 0
