"""Every type that a query can make, through each form of the answer."""

from __future__ import annotations

import datetime as dt
import json

import polars as pl
import pytest

import featurestore as fs
from featurestore.commands.shown import show
from featurestore.errors import QueryError

RESULTS = {
    "170141183460469231731::hugeint": (170141183460469231731, "170141183460469231731"),
    "340282366920938463463374607431768211455::uhugeint": ("340282366920938463463374607431768211455",) * 2,
    "1.25::decimal(10, 3)": (1.25, "1.250"),
    "'3d4204aa-900f-4629-a3ea-d167e48ca6c7'::uuid": ("3d4204aa-900f-4629-a3ea-d167e48ca6c7",) * 2,
    r"'ab\xFF'::blob": ("6162ff", "6162ff"),
    r"['\xFF'::blob]": (["ff"], '"[""ff""]"'),
    "'10101'::bit": ("10101", "10101"),
    "123::bignum": ("123", "123"),
    "time '10:00:01'": ("10:00:01", "10:00:01.000000000"),
    "'10:00:01+02'::timetz": ("10:00:01+02", "10:00:01+02"),
    "timestamptz '2026-01-02 03:04:05+00'": ("2026-01-02T03:04:05+00:00", "2026-01-02T03:04:05.000000+0000"),
    "interval '1 month 2 days'": ("1 month 2 days", "1 month 2 days"),
    "[interval 3 day]": ("[3 days]", "[3 days]"),
    "{'x': interval 3 day}": ("{'x': 3 days}", "{'x': 3 days}"),
    "map {'x': interval 3 day}": ("{x=3 days}", "{x=3 days}"),
    "map {'a': 1.5::double, 'b': 'nan'::double}": ({"a": 1.5, "b": None}, '"{""a"": 1.5, ""b"": null}"'),
    "map {date '2026-01-02': 1}": ({"2026-01-02": 1}, '"{""2026-01-02"": 1}"'),
    "map {[1]: 'a'}": ("{[1]=a}", "{[1]=a}"),
    "{'a': 1, 'b': '-inf'::double}": ({"a": 1, "b": None}, '"{""a"": 1, ""b"": null}"'),
    "struct_pack()": ("{}", "{}"),
    "union_value(num := 2)": ("2", "2"),
    "'x'::enum('x', 'y')": ("x", "x"),
    "[1.5, 'nan'::double]": ([1.5, None], "1.5|NaN"),
    "[[1.5, 'nan'::double], null]": ([[1.5, None], None], '"[[1.5, null], null]"'),
    "[{'a': 1}]": ([{"a": 1}], '"[{""a"": 1}]"'),
    "[1, 2]::int[2]": ([1, 2], "1|2"),
    "'infinity'::date::varchar": ("infinity", "infinity"),
    "null": (None, ""),
    "[]": ([], '""'),
}


@pytest.fixture(scope="module")
def store(world):
    with fs.open(world) as store:
        yield store


@pytest.fixture
def written(store, tmp_path):
    def text(query, form):
        show(store.frame(query), form, tmp_path / form)
        return (tmp_path / form).read_text() if form != "parquet" else pl.read_parquet(tmp_path / form)

    return text


@pytest.mark.parametrize("value", RESULTS)
def test_frame__of_any_type_is_written_in_every_form(written, value):
    query = f"select 7 as n, {value} as a"
    in_json, in_csv = RESULTS[value]
    assert json.loads(written(query, "json")) == [{"n": 7, "a": in_json}]
    assert written(query, "csv") == f"n,a\n7,{in_csv}\n"
    assert written(query, "parquet")["n"].to_list() == [7]
    assert "7" in written(query, "table")


@pytest.mark.parametrize("value", RESULTS)
def test_frame__of_any_type_may_be_empty(written, value):
    query = f"select {value} as a where false"
    assert json.loads(written(query, "json")) == []
    assert written(query, "csv") == "a\n"
    assert written(query, "parquet").shape == (0, 1)
    assert "a" in written(query, "table")


def test_frame__numbers_repeated_names_as_duckdb_does(store):
    query = "select 1 a, 2 a, 3 a_1, 4 A, 5 a"
    frame = store.frame(query)
    assert frame.rows(named=True) == [{"a": 1, "a_1": 2, "a_1_1": 3, "A_2": 4, "a_3": 5}]
    assert frame.columns == store.sql(query).df().columns.to_list()


def test_frame__joins_without_choosing_columns(store):
    query = "select * from condition c join quality q using (dataset_id) where c.condition_id = q.condition_id limit 1"
    row = store.frame(query).row(0, named=True)
    assert row["condition_id"] == row["condition_id_1"]


def test_frame__of_intervals_keeps_order_parameters_and_names(store):
    query = 'select i, to_days(i::int) as "a""b", i from range(?) t(i) order by i desc'
    frame = store.frame(query, [250_000])
    assert frame.columns == ["i", 'a"b', "i_1"]
    assert frame["i"].to_list() == list(range(249_999, -1, -1))
    assert frame.row(0) == (249_999, "249999 days", 249_999)


@pytest.mark.parametrize("value", ["'infinity'::date", "timestamp '20000-01-01'", "[date '-200-01-01']"])
def test_frame__refuses_dates_that_python_has_not(store, value):
    with pytest.raises(QueryError, match="Column 'age' holds a date or time beyond the calendar") as caught:
        store.frame(f"select 1 as n, {value} as age")
    assert "::varchar" in caught.value.do


def test_frame__takes_dates_to_the_ends_of_the_calendar(store):
    frame = store.frame("select date '0001-01-01' as a, date '9999-12-31' as b, [timestamp_ns '2026-01-01'] as c")
    assert frame.row(0)[:2] == (dt.date(1, 1, 1), dt.date(9999, 12, 31))


def test_csv__keeps_a_last_row_of_nothing(written):
    assert written("select null as a from range(2)", "csv") == "a\n\n\n"
