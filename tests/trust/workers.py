"""What the processes of the crash and concurrency tests do; forked from a server that has imported it all."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import multiprocessing.context
import os
import random
import resource
import shutil
import sys
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import polars as pl

from featurestore import cli
from featurestore.errors import FeatureStoreError
from featurestore.features import registry
from featurestore.features.matrix.cache import keep_matrix
from featurestore.features.matrix.feature_matrix import FeatureMatrix
from featurestore.query.warehouse import Warehouse
from featurestore.search.index import index_path, indexed_block
from featurestore.storage.snapshot import snapshot_numbers
from featurestore.store import Store
from featurestore.upkeep.verify import verify
from ingest.harmonise.online_cache import Answer, AnswerCache
from ingest.pipeline import ingest_dataset
from ingest.release.collect import collect
from ingest.release.trash import bring_back


def context() -> multiprocessing.context.ForkServerContext:
    """Give processes that start in milliseconds."""
    forked = multiprocessing.get_context("forkserver")
    forked.set_forkserver_preload(
        ["featurestore.cli", "featurestore.upkeep.verify", "ingest.release.collect", "ingest.pipeline", __name__]
    )
    return forked


def command(*arguments: str) -> None:
    """Run a command of featurestore, quietly."""
    quiet = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(quiet, descriptor)
    sys.argv = ["featurestore", *arguments]
    cli.main()


def command_when_told(pipe: Connection, said: Path, *arguments: str) -> None:
    """Run a command once the other end says so; what it says goes to a file."""
    for descriptor in (1, 2):
        os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), descriptor)
    pipe.recv()
    sys.argv = ["featurestore", *arguments]
    cli.main()


def command_within(most_bytes: int, said: Path, *arguments: str) -> None:
    """Run a command with so much memory beyond what is mapped by now; what it says goes to a file."""
    for descriptor in (1, 2):
        os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), descriptor)
    mapped = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + most_bytes, mapped + most_bytes))
    sys.argv = ["featurestore", *arguments]
    cli.main()


def over_and_over(start: Barrier, seconds: float) -> Iterator[None]:
    """Wait until all processes are there, then yield for some seconds, and once at least."""
    start.wait(600)
    deadline = time.monotonic() + seconds
    yield
    while time.monotonic() < deadline:
        yield


def ingest_again(log: Path, spec: Path, root: Path, seed: int, start: Barrier, seconds: float) -> None:
    """Ingest a dataset over and over, as a new release each time, and write down what succeeded."""
    rng = random.Random(seed)
    text = spec.read_text(encoding="utf-8")
    own = spec.with_name(f"{spec.stem}_by_{seed}.toml")
    with log.open("a", encoding="utf-8") as file:
        for _ in over_and_over(start, seconds):
            own.write_text(text.replace('title = ""', f'title = "take {rng.randrange(6)}"'), encoding="utf-8")
            outcome = ingest_dataset(own, root)
            entry = [outcome.dataset_id, outcome.release_id, outcome.snapshot, outcome.is_new]
            file.write(json.dumps(entry) + "\n")
            file.flush()


def read_again(log: Path, root: Path, seed: int, start: Barrier, seconds: float) -> None:
    """Open the latest or an older snapshot and ask it twice: the answers agree with it, and with one another."""
    rng = random.Random(seed)
    query = "select dataset_id, release_id from dataset order by all"
    sums = "select count(*) as n, sum(effect) as total from signature"
    with log.open("a", encoding="utf-8") as file:
        for _ in over_and_over(start, seconds):
            number = rng.choice([None, *snapshot_numbers(root)])
            try:
                store = Warehouse(root, number)
            except FeatureStoreError as error:
                if "There is no snapshot" not in str(error):
                    raise
                continue  # collected between being listed and being opened
            with store:
                named = sorted(store.snapshot.datasets.items())
                first = store.frame(sums)
                time.sleep(rng.random() * 0.1)
                assert store.frame(query).rows() == named, (named, store.frame(query).rows())
                assert store.frame(sums).equals(first)
                file.write(json.dumps([store.snapshot.number, len(named)]) + "\n")
                file.flush()


def search_again(log: Path, root: Path, seed: int, start: Barrier, seconds: float) -> None:
    """Search over and over, sometimes without the indexes that were kept: the answer is the same."""
    rng = random.Random(seed)
    with log.open("a", encoding="utf-8") as file:
        for _ in over_and_over(start, seconds):
            with Store(root) as store:
                first = store.search(perturbation="TP53", top=0)
                mine = index_path(root, *rng.choice(sorted(store.snapshot.datasets.items())))
                shutil.rmtree(mine, ignore_errors=True)
                assert store.search(perturbation="TP53", top=0).equals(first)
                file.write(json.dumps([store.snapshot.number, first.height]) + "\n")
                file.flush()


def keep_again(root: Path, spec: Path, start: Connection) -> None:
    """Keep matrices, specs, indexes and answers, and collect and bring back what was collected, until killed."""
    start.send("here")
    with Store(root) as store:
        for number in itertools.count():
            keep_matrix(store, f"key-{number % 2}", small_matrix())
            text = spec.read_text(encoding="utf-8")
            (mine := spec.with_name(f"{os.getpid()}.toml")).write_text(f"{text}\n# {number % 3}\n", encoding="utf-8")
            registry.retire(store, registry.save(store, mine).label, "again")
            for dataset_id, release_id in store.snapshot.datasets.items():
                shutil.rmtree(index_path(root, dataset_id, release_id), ignore_errors=True)
                indexed_block(store, dataset_id)
            answers = AnswerCache(root)
            answers.put("symbol", f"GENE{number}", Answer([], "1"))
            answers.save()
            collect(root, keep=1)
            bring_back(root)


def small_matrix() -> FeatureMatrix:
    """Make a matrix of a few numbers, always the same."""
    rng = np.random.default_rng(4)
    X, Y = (rng.normal(size=shape).astype(np.float32) for shape in ((3, 2), (3, 4)))
    rows = {"condition_id": list("abc"), "n_conditions/one": [1, 2, 3], "rule/one": ["same"] * 3}
    columns = pl.DataFrame({"name": ["one/0", "one/1"], "block": ["one", "one"]})
    genes = pl.DataFrame({"gene_id": [f"g{i}" for i in range(4)], "gene_symbol": list("ABCD")})
    return FeatureMatrix(X, np.isfinite(X), Y, Y, pl.DataFrame(rows), columns, genes, {"recipe": "r", "licences": {}})


def collect_again(log: Path, root: Path, keep: int | None, start: Barrier, seconds: float) -> None:
    """Collect over and over."""
    with log.open("a", encoding="utf-8") as file:
        for _ in over_and_over(start, seconds):
            file.write(json.dumps([each.kind for each in collect(root, keep=keep)]) + "\n")
            file.flush()
            time.sleep(0.02)


def verify_again(log: Path, root: Path, start: Barrier, seconds: float) -> None:
    """Verify over and over, while others write."""
    with log.open("a", encoding="utf-8") as file:
        for _ in over_and_over(start, seconds):
            report = verify(root)
            assert report.faults == [], report.faults
            file.write(json.dumps(report.n_files) + "\n")
            file.flush()
            time.sleep(0.2)
