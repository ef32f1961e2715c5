"""Reads that all programs are given."""

from __future__ import annotations

import pytest

from layouts.reads import simulate


@pytest.fixture(scope="session")
def reads(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("reads"))
