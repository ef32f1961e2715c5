"""The table of benchmarks says by itself whether its goals are reached."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from goals import GOALS, judged  # noqa: E402
from measure import Program, compared  # noqa: E402


@pytest.mark.parametrize(
    ("name", "measured", "told"),
    [
        ("published", {"s": 3.2, "MB": 430}, "3 s: **missed**; 500 MB: reached"),
        ("published", {"s": 3.0}, "3 s: reached; 500 MB"),
        ("screen, scanpy", {"s": 9, "x faster": 3.9}, "4 x faster: **missed**"),
        ("screen, scanpy", {"x faster": 4.0}, "4 x faster: reached"),
        ("screen, release", {}, "0.6 x its size"),
    ],
)
def test_goal__is_reached_by_less_or_by_more_as_its_unit_says(name, measured, told):
    assert judged(name, measured) == told


def program(*seconds, megabytes):
    return Program([], seconds={"": list(seconds)}, peak=[megabytes])


def test_row__has_a_verdict_beside_each_goal():
    row = compared(
        "a screen", "screen, the build before", program(4, 6, megabytes=1_000), program(9, megabytes=2), "it"
    )
    assert row.line() == (
        "| a screen | 5.0 s (4.0 s to 6.0 s) | it 9.0 s | 0.56 x its time | 1,000 MB, 2 MB "
        "| 0.5 x its time: **missed**; 1,200 MB: reached |"
    )
    assert compared("a small one", "small", program(1.1, megabytes=444)).line() == (
        "| a small one | 1.1 s |  |  | 444 MB | 1.2 s: reached |"
    )


def test_goals__are_each_asked_for():
    """By a constant of a name, or as one of some after the first word of it."""
    said = {
        node.value
        for name in ("run.py", "estimate.py")
        for node in ast.walk(ast.parse((BENCHMARKS / name).read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert [name for name in GOALS if name not in said and not said & {name.split(", ")[0] + ", "}] == []
