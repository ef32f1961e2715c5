"""Columns of text tables: what is a number, what is missing, and what is neither."""

from __future__ import annotations

import doctest
import zlib

import h5py
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurestore.errors import SourceFormatError
from ingest.readers import columns
from ingest.readers.columns import as_column, as_text, decode, stripped, titles, typed, without_missing
from ingest.readers.hdf5_column import read_column


@pytest.mark.parametrize(
    ("text", "expected", "dtype"),
    [
        (["1", "-20", None], [1, -20, None], pl.Int64),
        (["0.5", "1e3", ".5", "-1.", "+2"], [0.5, 1000.0, 0.5, -1.0, 2.0], pl.Float64),
        (["0.5", "NaN", "inf"], [0.5, None, float("inf")], pl.Float64),
        (["TRUE", "False", None], [True, False, None], pl.Boolean),
        (["007", "1"], ["007", "1"], pl.String),
        (["1", "1+1"], ["1", "1+1"], pl.String),
        (["nan", "control"], ["nan", "control"], pl.String),
        (["99999999999999999999", "1"], [1e20, 1.0], pl.Float64),
        ([None, None], [None, None], pl.String),
        ([], [], pl.String),
    ],
)
def test_typed__reads_a_column_as_what_all_of_it_is(text, expected, dtype):
    column = typed(pl.Series(text, dtype=pl.String))
    assert column.to_list() == expected
    assert column.dtype == dtype


@given(st.lists(st.integers(-(10**17), 10**17), min_size=1))
def test_typed__whole_numbers_survive(numbers):
    assert typed(pl.Series(list(map(str, numbers)))).to_list() == numbers


@given(st.lists(st.floats(allow_nan=False), min_size=1))
def test_typed__numbers_survive(numbers):
    assert typed(pl.Series(list(map(str, numbers)))).to_list() == numbers


@given(st.lists(st.text()))
def test_as_text__gives_back_what_was_encoded(words):
    assert as_text([word.encode("utf-8") for word in words]).to_list() == words


def test_as_text__falls_back_value_by_value():
    assert as_text(["µ".encode(), "µ".encode("latin-1"), b"\xff"]).to_list() == ["µ", "µ", "ÿ"]
    assert decode(b"\xb5M") == "µM"


@pytest.mark.parametrize("dtype", ["f2", "f4", ">f8", "i1", ">u4", "bool", "S3"])
def test_as_column__keeps_values_of_any_type(dtype):
    values = np.array([1, 0, 1]).astype(dtype)
    expected = ["1", "0", "1"] if dtype == "S3" else [1, 0, 1]
    assert as_column(values).to_list() == expected


@pytest.mark.parametrize("values", [np.zeros((2, 2)), np.array(0.0), np.zeros(2, complex), np.zeros(2, "M8[s]")])
def test_as_column__refuses_what_is_no_column(values):
    with pytest.raises(TypeError, match="a row"):
        as_column(values)


def test_without_missing__knows_what_lincs_writes():
    text = stripped(pl.Series(["-666", "-666.0", "-666.000", "", "-6660", "10 -666", "a\0 ", " b"]))
    assert without_missing(text).to_list() == [None] * 4 + ["-6660", "10 -666", "a", " b"]
    assert without_missing(pl.Series([-666, 1, None])).to_list() == [None, 1, None]
    assert without_missing(pl.Series([-666.0, 1.5])).to_list() == [None, 1.5]
    assert without_missing(pl.Series([True, False])).to_list() == [True, False]


def test_titles__are_different_from_each_other_and_from_the_key():
    assert titles(["gene", "index", "gene", "index_"]) == ["gene", "index_", "gene_", "index__"]


def test_examples__run():
    assert doctest.testmod(columns).attempted > 0
    assert doctest.testmod(columns).failed == 0


def test_read_column__refuses_what_would_fill_the_memory_and_what_is_nothing(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("bomb", (2**28,), "f4", chunks=(2**22,), compression="gzip", fillvalue=0)
        nothing = zlib.compress(bytes(2**24), 9)
        for start in range(0, 2**28, 2**22):
            file["bomb"].id.write_direct_chunk((start,), nothing)
        file.create_dataset("nothing", data=h5py.Empty("f4"))
        with pytest.raises(SourceFormatError, match=r"claims far more than is stored"):
            read_column(file["bomb"])
        with pytest.raises(SourceFormatError, match="not as long as the table"):
            read_column(file["nothing"])
