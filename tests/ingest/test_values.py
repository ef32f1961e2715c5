"""The table of what values mean has every kind that a spec may name, and what follows from a route."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from typing import get_args

from ingest.job import LISTED, ROUTES
from ingest.values import VALUES, Route, ValueName, route_of


def test_values__are_all_that_a_spec_may_name_each_with_a_route():
    assert list(VALUES) == list(get_args(ValueName))
    assert {kind.route for kind in VALUES.values()} == set(get_args(Route)) == set(ROUTES)


def test_routes__name_what_reads_and_writes_a_dataset():
    for module, name in (route.split(":") for route in (*ROUTES.values(), LISTED)):
        route = getattr(import_module(f"ingest.routes.{module}"), name)
        assert all(callable(getattr(route, each)) for each in ("read", "write", "facts"))


def test_reported_values__need_no_compiler_of_kernels():
    code = (
        "import sys, ingest.pipeline, ingest.commands.left_open, ingest.routes.listed, ingest.routes.reported, "
        "ingest.routes.replicates; print(sorted({'numba', 'llvmlite'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"


def test_sums__are_made_before_a_compiler_or_an_sql_engine_is_loaded():
    code = (
        "import sys, ingest.commands.ingest, ingest.pipeline, ingest.routes.summed, ingest.sums.journal; "
        "print(sorted({'numba', 'llvmlite', 'duckdb'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"


def test_compiler__is_loaded_without_others_where_only_our_kernels_are_compiled():
    code = (
        "import sys; from ingest import compiler; compiler.leave_out_others(); compiler.load_compiler(); "
        "import ingest.kernel; print(sorted({'numba', *compiler.OF_OTHERS} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert said == "['numba']\n"


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
