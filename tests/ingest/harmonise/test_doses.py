"""Doses and times, in every spelling that the sources use."""

from __future__ import annotations

import math
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from ingest.harmonise.doses import dose_um, map_doses, map_times, nominal_dose, time_h
from ingest.harmonise.quantity import Quantity


@pytest.mark.parametrize(
    ("text", "unit", "micromolar"),
    [
        ("10 \u00b5M", None, 10.0),  # micro sign, as LINCS' Latin-1 decodes
        ("10 \u03bcM", None, 10.0),  # Greek mu
        (b"10 \xb5M".decode("latin-1"), None, 10.0),
        ("10uM", None, 10.0),
        ("10 um", None, 10.0),
        ("0.05", "uM", 0.05),
        (0.05, "uM", 0.05),
        ("70", "nM", 0.07),
        (10_000.0, "nM", 10.0),
        ("3 mM", None, 3000.0),
        ("1e-6 M", None, 1.0),
        ("250 pM", None, 0.00025),
        ("5 umol/L", None, 5.0),
        ("2 Micromolar", None, 2.0),
        ("[('Infigratinib', 0.05, 'uM')]", None, 0.05),
        ("[('\u03b3-Oryzanol', 500, 'nM')]", None, 0.5),
        ("300.0|300.000000", "um", 300.0),
        ("10 \u00b5M|10 uM|0.01 mM", None, 10.0),
        ("0", "uM", 0.0),
        (0, "uM", 0.0),
        (" 1 uM ", None, 1.0),
    ],
)
def test_dose_um__reads_molar_doses(text, unit, micromolar):
    assert dose_um(text, unit).value == micromolar
    assert dose_um(text, unit).note == ""


@pytest.mark.parametrize(
    ("text", "unit", "note"),
    [
        (None, "uM", "missing"),
        ("", "uM", "missing"),
        ("nan", "uM", "missing"),
        (math.nan, "uM", "missing"),
        (-666, "uM", "missing"),
        ("-666.0", "uM", "missing"),
        ("-666|-666", "uM", "missing"),
        ("-666.000000 uM", None, "missing"),
        ("300 ng", None, "unit 'ng' is not molar"),
        ("300 ng|300 ng", None, "unit 'ng' is not molar"),
        ("300.0|300.000000", "ng", "unit 'ng' is not molar"),
        ("1.5 microL", None, "unit 'microL' is not molar"),
        ("1.5 \u00b5L", None, "unit 'uL' is not molar"),
        ("10 ng/mL", None, "unit 'ng/mL' is not molar"),
        ("0.1 %", None, "unit '%' is not molar"),
        ("3 bananas", None, "unit 'bananas' is not known"),
        ("5 m", None, "unit 'm' is not known"),
        ("5", None, "no unit"),
        ("1|2", "uM", "several values that differ: '1|2'"),
        ("1|high", "uM", "several values that differ: '1|high'"),
        ("1 uM & 3 uM", None, "several values that differ: '1 uM & 3 uM'"),
        ("100nM + 50nM", None, "several values: '100nM + 50nM'"),
        ("10 uM + 5", None, "several values: '10 uM + 5'"),
        ("10 uM and .5", None, "several values"),
        ("1 uM to 10 uM", None, "several values"),
        ("1 uM / 2 uM", None, "several values"),
        ("1 uM - 10", None, "several values"),
        ("1 uM 10 nM", None, "several values"),
        ("1 uM A, 0.5 mM B", None, "several values"),
        ("1 uM A (10 ng/mL B)", None, "several values"),
        ("-1", "uM", "below zero: '-1'"),
        ("inf", "uM", "not a dose: 'inf'"),
        ("1,000 nM", None, "the comma is decimal or of thousands: '1,000 nM'"),
        ("1+1", "uM", "not a dose: '1+1'"),
        ("[('a', 1, 'uM'), ('b', 2, 'uM')]", None, "not one (compound, dose, unit)"),
        ("[('a', 1)]", None, "not one (compound, dose, unit)"),
        ("[(open('x'))]", None, "not one (compound, dose, unit)"),
    ],
)
def test_dose_um__says_why_there_is_no_value(text, unit, note):
    quantity = dose_um(text, unit)
    assert quantity.value is None
    assert quantity.note.startswith(note)


def test_dose_um__believes_the_unit_in_the_text_and_says_so():
    assert dose_um("10 nM", "uM").value == 0.01
    assert dose_um("10 nM", "uM").note == "unit in the text, not 'uM'"
    assert dose_um("10 \u00b5M", "um").note == ""


def test_dose_um__notes_words_that_it_leaves_out():
    quantity = dose_um("0.2 uM panobinostat")
    assert quantity.value == 0.2
    assert quantity.note == "read from the start of '0.2 uM panobinostat'"
    for text in ("0.2 uM 5-FU", "0.2 uM and PD-0332991", "0.2 uM JQ1 + drug 2", "0.2 uM compound-5g"):
        assert dose_um(text).value == 0.2
    assert dose_um("vehicle (DMSO)").value is None


def test_dose_um__reads_what_a_dose_is_given_in_as_no_second_dose():
    quantity = dose_um("10 uM in 0.1% DMSO")
    assert quantity.value == 10.0
    assert quantity.note == "read from the start of '10 uM in 0.1% DMSO'"


@given(st.integers(0, 10**7), st.integers(0, 6))
def test_dose_um__is_the_same_double_in_every_unit(digits, places):
    nanomolar = f"{digits}e-{places}"
    expected = dose_um(nanomolar, "nM").value
    assert expected == float(f"{digits}e-{places + 3}")
    assert dose_um(f"{digits}e-{places + 3} uM").value == expected
    assert dose_um(f"{digits}e-{places + 6}", "mM").value == expected
    assert dose_um(f"{nanomolar} nM|{digits}e-{places + 3} \u00b5M").value == expected


@given(st.one_of(st.text(max_size=30), st.floats(), st.integers()), st.one_of(st.none(), st.text(max_size=5)))
def test_dose_um_and_time_h__take_anything(text, unit):
    for quantity in (dose_um(text, unit), time_h(text, unit)):
        assert (quantity.value is None) <= bool(quantity.note)
        assert quantity.value is None or (quantity.value >= 0 and math.isfinite(quantity.value))


@pytest.mark.parametrize(
    ("text", "unit", "hours"),
    [
        ("24 h", None, 24.0),
        ("96h", None, 96.0),
        ("24H", None, 24.0),
        ("6 d", None, 144.0),
        ("2 days", None, 48.0),
        ("30 min", None, 0.5),
        ("90", "minutes", 1.5),
        (6, "d", 144.0),
        ("6.0", "d", 144.0),
        ("1 week", None, 168.0),
        ("Day 3", None, 72.0),
        ("day3", None, 72.0),
        ("Day_0.5", "h", 12.0),
        ("Hour 6", None, 6.0),
        ("1 h 30 min", None, 1.5),
        ("1 d 12 h", "h", 36.0),
        ("1 d 1 h 30 min after", None, 25.5),
    ],
)
def test_time_h__reads_times(text, unit, hours):
    assert time_h(text, unit).value == hours


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("-666", "missing"),
        ("24", "no unit"),
        ("5 m", "unit 'm' is not a unit of time"),
        ("Rest", "not a"),
        ("1 h 30 h", "several values: '1 h 30 h'"),
        ("30 min 1 h", "several values"),
        ("1 h + 30 min", "several values"),
        ("1 h -30 min", "several values"),
        ("1 d 12 h 3 d", "several values"),
    ]
    + [(text, "not a time") for text in ("D7", "Day -1", "Day-3", "Stage 3", "d7 rest")],
)
def test_time_h__says_why_there_is_no_value(text, note):
    assert time_h(text).value is None
    assert time_h(text).note.startswith(note)


def test_map_times__takes_a_d_before_the_number_for_days():
    mapped = map_times(pl.Series(["D7", "d 7", "Day 7", "7 d", "R7", "D-7"]))
    assert mapped["value"].to_list() == [168.0, 168.0, 168.0, 168.0, None, None]


def test_map_doses__keeps_rows_order_and_text():
    given_doses = pl.Series(["1 uM", None, "300 ng", "1 uM", "70 nM"])
    mapped = map_doses(given_doses)
    assert mapped["original"].to_list() == given_doses.to_list()
    assert mapped["value"].to_list() == [1.0, None, None, 1.0, 0.07]
    assert mapped["note"].to_list() == [None, "missing", "unit 'ng' is not molar", None, None]


@pytest.mark.parametrize("dtype", [pl.Float32, pl.Float64])
def test_map_doses__reads_numbers_as_they_print(dtype):
    mapped = map_doses(pl.Series([0.1, 3.33, 10_000, None, math.nan], dtype=dtype), "nM")
    assert mapped["value"].to_list() == [0.0001, 0.00333, 10.0, None, None]


def test_map_times__maps_an_empty_column():
    mapped = map_times(pl.Series([], dtype=pl.String), "h")
    assert mapped.schema == {"original": pl.String, "value": pl.Float64, "note": pl.String}
    assert mapped.height == 0


@given(st.lists(st.sampled_from(["1 uM", "1000 nM", None, "-666", "300 ng", "x", "10 \u00b5M"])), st.randoms())
def test_map_doses__does_not_depend_on_order(doses, random):
    order = list(range(len(doses)))
    random.shuffle(order)
    straight = map_doses(pl.Series(doses, dtype=pl.String))
    shuffled = map_doses(pl.Series([doses[i] for i in order], dtype=pl.String))
    assert straight.height == len(doses)
    assert_frame_equal(straight[order], shuffled)


def test_nominal_dose__bins_measured_doses():
    doses = pl.Series([0.01004, 0.10029, 1.00144, 9.98, 3.3312, 0.3701, 0.0, None, math.nan])
    nominal = nominal_dose(doses)
    assert nominal["nominal"].to_list() == [0.01, 0.1, 1.0, 10.0, 3.33, 0.37, 0.0, None, None]
    assert nominal["measured"].to_list() == [*doses.to_list()[:-1], None]


def test_nominal_dose__leaves_what_is_near_no_step():
    assert nominal_dose(pl.Series([0.027958, 9.3]))["nominal"].to_list() == [0.027958, 9.3]


def test_nominal_dose__takes_the_series_of_the_source():
    doses = pl.Series([0.027958, 0.0391])
    assert nominal_dose(doses, series=[0.04, 0.12], tolerance=0.05)["nominal"].to_list() == [0.027958, 0.04]
    assert nominal_dose(doses, series=[])["nominal"].to_list() == doses.to_list()


@given(st.lists(st.floats(1e-9, 1e9), max_size=20), st.floats(0, 0.04))
def test_nominal_dose__is_near_idempotent_and_monotone(doses, tolerance):
    once = nominal_dose(pl.Series(sorted(doses), dtype=pl.Float64), tolerance=tolerance)["nominal"]
    assert nominal_dose(once, tolerance=tolerance)["nominal"].to_list() == once.to_list()
    for measured, nominal in zip(sorted(doses), once, strict=True):
        assert abs(measured - nominal) <= tolerance * nominal * (1 + 1e-12)
    assert once.is_sorted()


def test_dose_um__reads_every_well_of_tahoe(real_data: Path):
    wells = pl.read_parquet(real_data / "tahoe100m" / "sample_metadata.parquet")
    mapped = map_doses(wells["drugname_drugconc"])
    assert mapped["value"].value_counts().sort("value").rows() == [(0.0, 28), (0.05, 424), (0.5, 402), (5.0, 490)]
    assert mapped["note"].null_count() == wells.height


@pytest.mark.parametrize(
    ("text", "value"), [("1,11 uM", 1.11), ("0,125 nM", 0.000125), ("2,5 mM", 2500.0), ("10,0 nM", 0.01)]
)
def test_dose_um__reads_a_decimal_comma_and_says_so(text, value):
    assert dose_um(text) == Quantity(value, f"decimal comma in '{text}'")
