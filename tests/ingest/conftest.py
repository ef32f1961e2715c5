"""A local stand-in for mygene.info."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def mygene() -> Iterator[Any]:
    """The stand-in, running; no test asks the real service."""
    folder = str(Path(__file__).parent / "harmonise")
    sys.path.insert(0, folder)
    try:
        from mygene_server import mygene_server
    finally:
        sys.path.remove(folder)
    with mygene_server() as server:
        yield server
