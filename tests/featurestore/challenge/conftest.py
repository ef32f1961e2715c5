"""Cells that the tests of scores and submissions share."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from metrics import frozen


@pytest.fixture(scope="package")
def answers():
    """Predicted cells, measured cells, and what the oracles said of them."""
    return frozen()
