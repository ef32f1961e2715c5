"""What the tests of trust share: counted trials of each fault class, how many of them to run, and a small warehouse.

``FEATURESTORE_STRESS=1`` runs all trials, otherwise a quick share is run; the table of fault classes ends either.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import sparse

from ingest.layouts import write_h5ad
from ingest.pipeline import ingest_dataset
from ingest.reader import INDEX
from ingest.release.database import refresh_database

sys.path.insert(0, str(Path(__file__).parent))

IS_STRESS = bool(os.environ.get("FEATURESTORE_STRESS"))
PROPERTY = "faults"
GENES = ["ENSG00000141510", "ENSG00000146648", "ENSG00000136997", "ENSG00000133703"]
SPEC = """\
[dataset]
id = "{name}"
files = ["{name}.h5ad"]
values = "counts"
assay = "perturb_seq"
title = "{title}"
[condition]
perturbation = "gene"
kind = "crispri"
controls = ["non-targeting"]
context = {{ value = "K562" }}
batch = "batch"
"""


class Trials:
    """Trials of one fault class; one that fails is lost, and the rest still run."""

    def __init__(self, fault: str) -> None:
        self.fault = fault
        self.n = 0
        self.lost: list[str] = []

    @contextmanager
    def trial(self, name: object) -> Iterator[None]:
        self.n += 1
        try:
            yield
        except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001, every loss is counted and shown
            self.lost.append(f"{name}: {type(error).__name__}: {error}")


@pytest.fixture
def faults(record_property) -> Callable[[str], AbstractContextManager[Trials]]:
    """Give a counter of the trials of a fault class; at its end, none may be lost."""

    @contextmanager
    def count(fault: str) -> Iterator[Trials]:
        trials = Trials(fault)
        yield trials
        record_property(PROPERTY, [fault, trials.n, len(trials.lost)])
        assert not trials.lost, f"{len(trials.lost)} of {trials.n} lost:\n" + "\n".join(trials.lost[:20])
        assert trials.n > 0

    return count


@pytest.fixture(scope="session")
def share() -> Callable[[int, int], int]:
    """Choose how many trials to run: a quick share, or all."""
    return lambda quick, stress: stress if IS_STRESS else quick


def write_dataset(folder: Path, name: str, *, seed: int = 0, n_cells: int = 60, title: str = "") -> Path:
    """Write a small screen and its spec, and return the spec."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(3.0, (n_cells, len(GENES))).astype(np.float32)
    rows = pl.DataFrame(
        {
            INDEX: [f"{name}_{i}" for i in range(n_cells)],
            "gene": rng.choice(["non-targeting", "TP53", "MYC", "EGFR"], n_cells),
            "batch": rng.choice(["a", "b"], n_cells),
        }
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_h5ad(folder / f"{name}.h5ad", sparse.csr_array(counts), rows, pl.DataFrame({INDEX: GENES}))
    spec = folder / f"{name}.toml"
    spec.write_text(SPEC.format(name=name, title=title), encoding="utf-8")
    return spec


@pytest.fixture(scope="session")
def dataset() -> Callable[..., Path]:
    """The function that writes a small dataset and its spec."""
    return write_dataset


@pytest.fixture(scope="session")
def published(tmp_path_factory) -> Path:
    """A warehouse of two datasets and three snapshots; tests copy it."""
    folder = tmp_path_factory.mktemp("published")
    for name, seed, title in (("first", 1, ""), ("second", 2, ""), ("first", 1, "again")):
        ingest_dataset(write_dataset(folder / "files", name, seed=seed, title=title), folder / "warehouse")
    return folder / "warehouse"


@pytest.fixture
def copied(published: Path, tmp_path: Path) -> Path:
    """A copy of the small warehouse, to be harmed; its database of views is that of the original."""
    return shutil.copytree(published, tmp_path / "warehouse")


@pytest.fixture
def warehouse(copied: Path) -> Path:
    """A copy of the small warehouse with a database of views of its own, to be harmed."""
    refresh_database(copied)
    return copied
