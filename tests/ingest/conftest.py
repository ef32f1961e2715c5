"""A local stand-in for mygene.info, and miniatures of published datasets."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.pipeline import ingest_dataset
from ingest.spec import SPECS
from layouts.miniatures import MINIATURES
from layouts.published_results import PUBLISHED_RESULTS


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


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, Path]]:
    """A function that ingests a miniature by the shipped spec, once for all workers: its warehouse and its folder.

    Both are only read.
    """
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shipped"

    def ingested(name: str) -> tuple[Path, Path]:
        folder, root, done = (shared / kind / name for kind in ("files", "warehouses", "done"))
        for each in (folder, root.parent, done.parent):
            each.mkdir(parents=True, exist_ok=True)
        with (shared / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                (MINIATURES | PUBLISHED_RESULTS)[name](folder)
                ingest_dataset(SPECS / f"{name}.toml", root, folder)
                done.touch()
        return root, folder

    return ingested
