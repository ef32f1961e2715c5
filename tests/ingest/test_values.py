"""The table of what values mean has every kind that a spec may name, and what follows from a route."""

from __future__ import annotations

from typing import get_args

from ingest.job import ROUTES
from ingest.values import VALUES, Route, ValueName, route_of


def test_values__are_all_that_a_spec_may_name_each_with_a_route():
    assert list(VALUES) == list(get_args(ValueName))
    assert {kind.route for kind in VALUES.values()} == set(get_args(Route)) == set(ROUTES)


def test_values__that_are_added_up_or_rescaled_are_summed():
    for name, kind in VALUES.items():
        if kind.is_additive or kind.is_rescaled:
            assert kind.route == "summed", name
        if kind.route in {"reported", "phenotypes"}:
            assert not kind.needs_control, name


def test_route__of_z_scores_of_whole_populations_is_that_of_reported_effects():
    assert route_of("zscore") == "replicates"
    assert route_of("zscore", of_populations=True) == "reported"
    assert route_of("counts", of_populations=True) == "summed"
