"""Every example in a docstring gives what it shows."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
OF_OTHER_ENVIRONMENTS = {"featurestore.query.spark"}
MODULES = [
    ".".join(path.relative_to(CHECKOUT).with_suffix("").parts).removesuffix(".__init__")
    for package in ("featurestore", "ingest")
    for path in sorted((CHECKOUT / package).rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", sorted(set(MODULES) - OF_OTHER_ENVIRONMENTS))
def test_examples__give_what_they_show(name):
    outcome = doctest.testmod(importlib.import_module(name))
    assert outcome.failed == 0
