"""What scripts beside this one predict: lines of the worlds that the tests make, and four real lines of one file."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from featurestore.store import Store
from ingest.commands.ingest import find_spec
from ingest.pipeline import ingest_dataset

FOUR_LINES = "norman_mcfaline_four_lines"
SIMULATION = Path(__file__).parents[1] / "featurestore" / "evaluation" / "test_simulation.py"


class Line(NamedTuple):
    """One of the four lines, to be predicted from the others.

    Parameters
    ----------
    store
        The warehouse of all four.
    name
        The line.
    target
        The section of a feature spec that makes it the target.
    others
        The condition of a spec that takes the other lines.
    """

    store: Store
    name: str
    target: str
    others: str


def simulation() -> ModuleType:
    """Load the tests' simulation."""
    made = importlib.util.spec_from_file_location("simulation", SIMULATION)
    module = importlib.util.module_from_spec(made)
    made.loader.exec_module(module)
    return module


def four_lines(data: Path) -> Iterator[Line]:
    """Ingest the file of four lines, and give one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        ingest_dataset(find_spec(Path(FOUR_LINES)), Path(folder), data / "perturb_seq")
        with Store(folder) as store:
            for line in store.frame("select distinct context_label from condition order by all")["context_label"]:
                target = f'[target]\ndataset = "{FOUR_LINES}"\nwhere = "context_label = \'{line}\'"\n'
                yield Line(store, line, target, f"where = \"context_label <> '{line}'\"\n")
