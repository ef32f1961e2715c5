"""Memory that runs out in an ingest or a build: one clear error, and the warehouse is as it was."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import workers

from featurestore.errors import FeatureStoreError
from featurestore.features.builder import build
from featurestore.features.spec import read_spec
from featurestore.query.views import DATABASE
from featurestore.query.warehouse import Warehouse
from featurestore.storage.snapshot import read_snapshot
from featurestore.upkeep.verify import verify
from ingest.pipeline import ingest_dataset
from ingest.release.collect import collect

ALLOCATING = ("empty", "zeros", "full", "concatenate", "repeat", "arange", "asarray", "ascontiguousarray", "where")
LONGEST = 120
"""After which a library that waits for memory for ever is ended. Unit: seconds."""
NO_LIBRARY = 127
"""With what the loader of shared libraries ends a process."""
FEATURES = """
[target]
dataset = "first"
[[feature]]
kind = "signature"
datasets = ["second"]
[[feature]]
kind = "embedding"
file = "vectors.csv"
[[allow]]
target = "first:CVCL_0004"
source = "second:CVCL_0004"
reason = "of another seed"
[split]
folds = 2
"""


class ScarceMemory:
    """Counts the arrays that NumPy is asked for, and refuses the k-th; none where that is 0."""

    def __init__(self, at: int = 0) -> None:
        self.at, self.n_calls = at, 0

    def _wrap(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def allocating(*arguments: Any, **named: Any) -> Any:
            self.n_calls += 1
            if self.n_calls == self.at:
                raise MemoryError
            return call(*arguments, **named)

        return allocating

    @contextmanager
    def inserted(self) -> Iterator[ScarceMemory]:
        """Put the memory under whatever is done in this block."""
        with ExitStack() as stack:
            for name in ALLOCATING:
                stack.enter_context(mock.patch.object(np, name, self._wrap(getattr(np, name))))
            yield self


def contents(root: Path) -> dict[str, bytes]:
    files = [path for path in root.rglob("*") if path.is_file() and path.name != DATABASE]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def points(n: int, most: int) -> list[int]:
    """Choose some of the numbers from 1 to n, evenly."""
    return [1 + i * n // most for i in range(most)] if n > most else list(range(1, n + 1))


def test_ingest__survives_want_of_memory_at_any_array(published, dataset, tmp_path, faults, share):
    spec, root = dataset(tmp_path / "files", "third", seed=3), tmp_path / "w"
    shutil.copytree(published, root)
    before = contents(root)
    with ScarceMemory().inserted() as counted:
        ingest_dataset(spec, tmp_path / "counted")
    with faults("no memory for an array of an ingest") as trials:
        for at in points(counted.n_calls, share(5, 400)):
            with trials.trial(f"array {at} of {counted.n_calls}"):
                with suppress(MemoryError, FeatureStoreError), ScarceMemory(at).inserted():
                    ingest_dataset(spec, root)
                if read_snapshot(root).number == 3:
                    collect(root)
                    assert contents(root) == before
                else:
                    assert verify(root).faults == []
                    shutil.rmtree(root)
                    shutil.copytree(published, root)
    assert ingest_dataset(spec, root).snapshot == 4
    assert verify(root).faults == []


def test_build__survives_want_of_memory_at_any_array(published, tmp_path, faults, share):
    (tmp_path / "near.toml").write_text(FEATURES, encoding="utf-8")
    (tmp_path / "vectors.csv").write_text("gene,v0\nTP53,0.5\nMYC,0.25\nEGFR,0.125\n", encoding="utf-8")
    spec, root = read_spec(tmp_path / "near.toml"), tmp_path / "w"
    shutil.copytree(published, root)
    with Warehouse(root) as store:
        with ScarceMemory().inserted() as counted:
            whole = build(store, spec, cache=False)
        with faults("no memory for an array of a build") as trials:
            for at in points(counted.n_calls, share(5, 400)):
                with trials.trial(f"array {at} of {counted.n_calls}"):
                    with suppress(MemoryError, FeatureStoreError), ScarceMemory(at).inserted():
                        build(store, spec)
                    assert verify(root).faults == []
                    again = build(store, spec)
                    np.testing.assert_array_equal(again.X, whole.X)
                    np.testing.assert_array_equal(again.Y, whole.Y)
                    shutil.rmtree(root / "matrices")


@pytest.mark.parametrize("command", ["ingest", "build", "evaluate", "sql", "search", "verify", "gc"])
def test_command__survives_want_of_memory(command, published, dataset, tmp_path, faults, share):
    """The real command under limits of the system: it says so in a sentence, or is ended by a library that needs it."""
    (tmp_path / "near.toml").write_text(FEATURES, encoding="utf-8")
    (tmp_path / "vectors.csv").write_text("gene,v0\nTP53,0.5\nMYC,0.25\n", encoding="utf-8")
    spec, root = dataset(tmp_path / "files", "third", seed=3), tmp_path / "w"
    shutil.copytree(published, root)
    features = [tmp_path / "near.toml", "-o", tmp_path / "matrix"]
    arguments = {
        "ingest": [spec],
        "build": features,
        "evaluate": features,
        "sql": ["select count(*) from signature"],
        "search": ["TP53"],
    }.get(command, [])
    n = share(1, 40 if command in {"ingest", "build"} else 10)
    with faults(f"{command} command with little memory") as trials:
        for number in range(n):
            said, most_bytes = tmp_path / f"said-{number}", (16 + number * 400 // n) * 2**20
            asked = (most_bytes, said, "--warehouse", str(root), command, *map(str, arguments))
            process = workers.context().Process(target=workers.command_within, args=asked)
            process.start()
            process.join(LONGEST)
            process.kill()
            process.join()
            with trials.trial(f"{most_bytes // 2**20} MB"):
                assert "Traceback" not in said.read_text(), said.read_text()
                assert not re.search("damaged|cannot be decoded|cannot be read", said.read_text()), said.read_text()
                assert process.exitcode in {0, 1, NO_LIBRARY} or process.exitcode < 0
                assert verify(root).faults == []
                collect(root)
                assert read_snapshot(root).number in {3, 4}
