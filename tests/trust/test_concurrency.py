"""Nine processes ingest, read, search and collect at once: no success is lost, and no reader sees half of anything."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path

import pytest
import workers

from featurestore.query.warehouse import Warehouse
from featurestore.storage.locks import PUBLISHING, publishing
from featurestore.storage.snapshot import read_snapshot, snapshot_numbers
from featurestore.upkeep.verify import verify
from ingest.pipeline import ingest_dataset
from ingest.release.collect import collect

LONGEST = 600
"""How long a process is waited for. Unit: s."""


def entries(log: Path) -> list[list]:
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def require_kept(root: Path, log: str, entry: list, keep: int | None) -> None:
    """Require that an ingest that succeeded is in its snapshot, and that a reader saw all of one."""
    kept = snapshot_numbers(root)
    if keep is None:
        assert kept == list(range(1, kept[-1] + 1))
    if log.startswith("ingest"):
        dataset_id, release_id, number, _ = entry
        assert number in kept or (keep is not None and number < kept[0])
        if number in kept:
            assert read_snapshot(root, number).datasets[dataset_id] == release_id
    elif log.startswith("read"):
        number, n_datasets = entry
        assert n_datasets == min(number, 2)


@pytest.mark.parametrize("keep", [None, 2], ids=["every snapshot kept", "two snapshots kept"])
def test_nine_processes__lose_nothing(keep, tmp_path, dataset, faults, share):
    root, logs = tmp_path / "warehouse", tmp_path / "logs"
    logs.mkdir()
    specs = [dataset(tmp_path / "files", name, seed=seed) for seed, name in enumerate(("shared", "own"))]
    for spec in specs:
        ingest_dataset(spec, root)
    context = workers.context()
    start, seconds = context.Barrier(9), share(1, 90 if keep is None else 40)
    jobs = [
        (workers.ingest_again, logs / "ingest-1", specs[0], root, 1),
        (workers.ingest_again, logs / "ingest-2", specs[0], root, 2),
        (workers.ingest_again, logs / "ingest-3", specs[1], root, 3),
        (workers.read_again, logs / "read-1", root, 1),
        (workers.read_again, logs / "read-2", root, 2),
        (workers.read_again, logs / "read-3", root, 3),
        (workers.search_again, logs / "search", root, 4),
        (workers.collect_again, logs / "collect", root, keep),
        (workers.verify_again, logs / "verify", root),
    ]
    processes = [context.Process(target=target, args=(*how, start, seconds)) for target, *how in jobs]
    for process in processes:
        process.start()
    for process in processes:
        process.join(seconds + LONGEST)
    with faults(
        f"9 processes: ingest, read, search, verify, gc ({'all' if keep is None else keep} snapshots kept)"
    ) as trials:
        for process, (target, log, *_) in zip(processes, jobs, strict=True):
            with trials.trial(f"{target.__name__} {log.name}"):
                assert process.exitcode == 0
                assert entries(log)
        for log in sorted(logs.iterdir()):
            for entry in entries(log):
                with trials.trial(f"{log.name}: {entry}"):
                    require_kept(root, log.name, entry, keep)
        with trials.trial("nothing left"):
            collect(root, keep=keep)
            report = verify(root)
            notes = [note for note in report.notes if not note.startswith("trash was not read")]
            assert (report.faults, notes) == ([], [])
            assert not (root / "staging").exists()
            assert not (root / PUBLISHING).exists()
    for process in processes:
        process.kill()
        process.close()


def test_two_that_ingest_the_same__make_one_release(tmp_path, dataset):
    spec, root = dataset(tmp_path / "files", "same"), tmp_path / "warehouse"
    arguments = ("--warehouse", str(root), "ingest", str(spec))
    processes = [workers.context().Process(target=workers.command, args=arguments) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(LONGEST)
    assert [process.exitcode for process in processes] == [0] * 3
    assert snapshot_numbers(root) == [1]
    assert len(list((root / "releases").glob("*/*"))) == 1
    assert verify(root).faults == []


def test_readers__hold_no_lock_that_a_writer_takes(warehouse, dataset, tmp_path):
    stores = [Warehouse(warehouse, number) for number in (None, 1, 2, 3)]
    with publishing(warehouse, seconds=0.0):
        pass
    ingest_dataset(dataset(tmp_path, "third"), warehouse)  # is refused where it waits too long
    for store in stores:
        assert store.frame("select count(*) as n from condition")["n"].item() > 0
        store.close()
    for path in (warehouse / "snapshots").iterdir():
        with path.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
