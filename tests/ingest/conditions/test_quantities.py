"""A dose or time that a spec gives to all rows is one, and its unit is a unit."""

from __future__ import annotations

import polars as pl
import pytest

from featurestore.errors import SpecError
from ingest.conditions.quantities import map_dose, map_time
from ingest.given import Fixed, FromColumn


@pytest.mark.parametrize(
    ("read", "given", "text", "said"),
    [
        (map_dose, Fixed(value="ten", unit="uM"), "ten", "not a dose: 'ten'"),
        (map_dose, Fixed(value=10.0), "10", "no unit"),
        (map_time, Fixed(value=24.0), "24", "no unit"),
        (map_time, Fixed(value=24.0, unit="hors"), "24", "did you mean 'hours' or 'hrs'?"),
        (map_time, FromColumn(column="t", unit="%"), "24", "not a unit of time"),
        (map_dose, FromColumn(column="d", unit="uN"), "3", "known: 'fM'"),
    ],
)
def test_quantity__that_is_none_is_refused(read, given, text, said):
    with pytest.raises(SpecError) as caught:
        read(pl.Series([text]), given)
    assert said in str(caught.value)


@pytest.mark.parametrize("given", [Fixed(value=300.0, unit="ng"), FromColumn(column="d", unit="ug/ml")])
def test_quantity__of_a_unit_without_a_concentration_is_in_the_ledger(given):
    table = map_dose(pl.Series(["300"]), given)
    assert table.select("dose_um", "dose_status").rows() == [(None, "unmapped")]
