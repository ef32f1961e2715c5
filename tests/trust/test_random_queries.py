"""A query has one answer: planned over the datasets it can need or over all, and by two versions of the engine."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path

import duckdb
import pytest
from random_queries import answers, query

from featurestore.query import narrow
from featurestore.query.warehouse import Warehouse
from ingest.pipeline import ingest_dataset

CHECKOUT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
NAMES = ["alpha", "beta", "delta", "gamma"]


@pytest.fixture(scope="module")
def four(tmp_path_factory, dataset) -> Path:
    folder = tmp_path_factory.mktemp("four")
    for seed, name in enumerate(NAMES):
        ingest_dataset(dataset(folder / "files", name, seed=seed, n_cells=40 + 10 * seed), folder / "warehouse")
    return folder / "warehouse"


@pytest.fixture(scope="module")
def queries(share) -> list[str]:
    rng = random.Random(8)
    return [query(rng, NAMES) for _ in range(share(150, 2000))]


def test_random_query__has_the_same_answer_planned_over_few_datasets(four, queries, faults, monkeypatch):
    whole = answers(four, queries)
    monkeypatch.setattr(narrow, "LEAST_DATASETS", 2)
    made = []
    monkeypatch.setattr(narrow, "attach_views_of_few", _counting(made, narrow.attach_views_of_few))
    few = answers(four, queries)
    with faults("random query planned over few datasets, and over all") as trials:
        for text, expected, got in zip(queries, whole, few, strict=True):
            with trials.trial(text):
                assert got == expected
    assert len(made) > len(NAMES), "or little was narrowed"
    assert len(set(whole)) > 20, "or nothing was asked"


def _counting(made: list[int], attach):
    def attached(*arguments):
        made.append(1)
        attach(*arguments)

    return attached


def other_engines() -> list[Path]:
    """The environments of ``make test-latest`` and ``make test-lowest`` that are there."""
    return [path for name in ("latest", "lowest") if (path := CHECKOUT / f".venv-{name}" / "bin" / "python").exists()]


def test_random_query__has_the_same_answer_by_another_version_of_the_engine(four, queries, faults):
    expected, said = answers(four, queries), []
    for python in other_engines():
        asked = [python, HERE / "random_queries.py", four]
        done = subprocess.run(asked, input=json.dumps(queries), capture_output=True, text=True, check=True)
        version, got = json.loads(done.stdout)
        said.append(version)
        if version == duckdb.__version__:
            continue
        with faults(f"random query by DuckDB {version} and {duckdb.__version__}") as trials:
            for text, one, other in zip(queries, expected, got, strict=True):
                with trials.trial(text):
                    assert one == other
    if not set(said) - {duckdb.__version__}:
        pytest.skip(f"no other version of DuckDB is here: make test-latest makes an environment; got {said}")
    with Warehouse(four) as store:
        assert store.frame("select count(*) as n from dataset")["n"].item() == len(NAMES)
