"""``featurestore gc`` removes what nobody needs, and nothing that somebody does."""

from __future__ import annotations

import errno
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from featurestore.cli import featurestore
from featurestore.errors import WarehouseError
from featurestore.features import registry
from featurestore.query.views import DATABASE
from featurestore.query.warehouse import Warehouse
from featurestore.storage.locks import GRACE, OWNER, PUBLISHING, abandoned, hold_snapshot, publishing, try_lock
from featurestore.storage.snapshot import HEADS, TRASH, read_snapshot, release_path, snapshot_numbers, snapshot_path
from featurestore.upkeep.verify import verify
from ingest.pipeline import ingest_dataset
from ingest.release.collect import RETENTION, collect
from ingest.release.publish import name_release
from ingest.release.staging import staging
from ingest.release.trash import MOMENT, bring_back


def names(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))


def leave_behind(root: Path, name: str = "dead", owner: str | None = None, idle: float = 0.0) -> Path:
    """Leave a staging folder as a killed process does."""
    folder = root / "staging" / name
    (folder / "release").mkdir(parents=True)
    (folder / "release" / "gene.parquet").write_bytes(b"half")
    (folder / OWNER).write_text(f"{socket.gethostname()} 1\n" if owner is None else owner)
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (time.time() - idle, time.time() - idle))
    return folder


def test_gc__of_a_clean_warehouse_changes_nothing(warehouse):
    before = names(warehouse)
    assert collect(warehouse) == []
    assert names(warehouse) == before
    assert verify(warehouse).faults == []


def test_gc__removes_what_killed_processes_left(warehouse):
    before = names(warehouse)
    leave_behind(warehouse)
    leave_behind(warehouse, "barely", owner="")
    (warehouse / "staging" / "empty").mkdir()
    (warehouse / PUBLISHING).touch()
    release = release_path(warehouse, "first", read_snapshot(warehouse).datasets["first"])
    shutil.copytree(release, release.with_name("release_id=unnamed"))
    (warehouse / "reference" / "unused").mkdir()
    (warehouse / DATABASE).unlink()
    found = collect(warehouse, retention=timedelta())
    assert {(each.kind, Path(each.path).name) for each in found} == {
        ("staging", "dead"),
        ("staging", "barely"),
        ("staging", "empty"),
        ("release", "release_id=unnamed"),
        ("reference", "unused"),
    }
    assert names(warehouse) == before


def test_gc__rehearsed_removes_nothing(warehouse):
    leave_behind(warehouse)
    before = names(warehouse)
    assert [each.kind for each in collect(warehouse, keep=1, is_rehearsal=True)] == [
        "staging",
        "snapshot",
        "snapshot",
        "release",
    ]
    assert names(warehouse) == before


def test_gc__leaves_the_work_of_a_living_process(warehouse):
    with staging(warehouse) as folder:
        (folder / "work").write_text("x")
        os.utime(folder, (0, 0))
        assert collect(warehouse) == []
        assert abandoned(warehouse) == []
        assert (folder / "work").exists()
    assert not (warehouse / "staging").exists()


def test_gc__waits_a_day_for_another_machine(warehouse):
    fresh = leave_behind(warehouse, "fresh", owner="elsewhere 7\n", idle=GRACE / 2)
    leave_behind(warehouse, "old", owner="elsewhere 8\n", idle=GRACE * 2)
    assert abandoned(warehouse) == [warehouse / "staging" / "old"]
    assert [Path(each.path).name for each in collect(warehouse)] == ["old"]
    assert (fresh / "release").is_dir()


def test_gc__keep_drops_older_snapshots_and_what_only_they_name(warehouse):
    old = read_snapshot(warehouse, 1).datasets["first"]
    kinds = [each.kind for each in collect(warehouse, keep=1)]
    assert kinds == ["snapshot", "snapshot", "release"]
    assert snapshot_numbers(warehouse) == [3]
    assert not release_path(warehouse, "first", old).exists()
    assert verify(warehouse).faults == []
    with pytest.raises(WarehouseError, match="no snapshot 1"):
        Warehouse(warehouse, snapshot=1)


def test_gc__brings_back_what_it_set_aside(warehouse):
    before = {path: path.read_bytes() for path in warehouse.rglob("*") if path.is_file() and path.name != DATABASE}
    told = []
    assert collect(warehouse, keep=2, tell=told.extend) == told
    assert [(each.kind, bool(each.until)) for each in told] == [("snapshot", True)]
    assert [each.kind for each in collect(warehouse, keep=1)] == ["snapshot", "release"]
    back = bring_back(warehouse)
    assert [path.partition("/")[0] for path in back] == ["releases", "snapshots", "snapshots"]
    assert {
        path: path.read_bytes() for path in warehouse.rglob("*") if path.is_file() and path.name != DATABASE
    } == before
    assert verify(warehouse).faults == []


def test_gc__deletes_what_was_set_aside_a_week_ago(warehouse):
    collect(warehouse, keep=1)
    (folder,) = (warehouse / TRASH).iterdir()
    assert collect(warehouse) == []
    assert folder.is_dir()
    long_ago = datetime.now(UTC) - RETENTION
    folder.rename(folder.with_name(f"{long_ago:{MOMENT}}"))
    assert [(each.kind, each.until) for each in collect(warehouse)] == [("set aside", None)]
    assert not (warehouse / TRASH).exists()
    assert bring_back(warehouse) == []


def test_gc__leaves_aside_what_was_ingested_again(warehouse, published):
    collect(warehouse, keep=1)
    old = sorted((warehouse / TRASH).glob("*/releases/*/*"))
    name_in = warehouse / old[0].relative_to(next((warehouse / TRASH).iterdir()))
    shutil.copytree(old[0], name_in)
    assert [path.partition("/")[0] for path in bring_back(warehouse)] == ["snapshots", "snapshots"]
    assert old[0].is_dir()
    assert verify(warehouse).faults == []


@pytest.mark.parametrize(
    ("lost", "words"),
    [
        ("snapshots", "The newest snapshot is missing"),
        ("snapshots/00000003.json", "The newest snapshot is missing"),
        ("snapshots/00000002.json", "A snapshot is missing"),
    ],
)
def test_gc__removes_nothing_where_a_snapshot_was_lost(warehouse, lost, words):
    leave_behind(warehouse)
    path = warehouse / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    before = names(warehouse)
    with pytest.raises(WarehouseError, match=words):
        collect(warehouse, retention=timedelta())
    assert names(warehouse) == before


@pytest.mark.parametrize("name", ["snapshots", HEADS, "features", "releases", "reference", "trash"])
def test_gc__takes_no_folder_that_may_not_be_read_for_an_empty_one(name, warehouse, monkeypatch):
    """What is pinned, named or newest is not known then: ``Path.glob`` would say that nothing is."""
    (warehouse / name).mkdir(exist_ok=True)
    before = names(warehouse)
    whole = os.scandir, os.listdir

    def refuse(how):
        def ask(path="."):
            if isinstance(path, str | os.PathLike) and Path(path) == warehouse / name:
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return how(path)

        return ask

    for function, how in zip(("scandir", "listdir"), whole, strict=True):
        monkeypatch.setattr(os, function, refuse(how))
    with pytest.raises(WarehouseError, match="cannot be read") as caught:
        collect(warehouse, keep=1, retention=timedelta())
    assert caught.value.where == str(warehouse / name)
    assert "chmod -R u+rX" in caught.value.do
    assert any(fault.where.startswith(str(warehouse / name)) for fault in verify(warehouse).faults)
    monkeypatch.undo()
    assert names(warehouse) == before


@pytest.mark.skipif(shutil.which("setpriv") is None or os.geteuid() != 0, reason="drops a capability of root")
@pytest.mark.parametrize("name", ["snapshots", HEADS, "reference", "releases"])
@pytest.mark.parametrize("mode", [0o000, 0o444])
def test_verify__goes_on_where_a_folder_may_not_be_read_or_entered(name, mode, warehouse):
    (warehouse / name).chmod(mode)
    code = (
        "import sys\nfrom pathlib import Path\nfrom featurestore.upkeep.verify import verify\n"
        "for fault in verify(Path(sys.argv[1])).faults:\n    print(fault.where, fault.do, sep='\t')\n"
    )
    kept = "-dac_override,-dac_read_search"
    command = ["setpriv", f"--inh-caps={kept}", f"--bounding-set={kept}", sys.executable, "-c", code, str(warehouse)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    (warehouse / name).chmod(0o755)
    assert done.stderr == ""
    told = [line.split("\t") for line in done.stdout.splitlines()]
    assert any(
        where.startswith(str(warehouse / name)) and f"chmod -R u+rX {warehouse / name}" in do for where, do in told
    )
    assert not [do for _, do in told if "rm " in do or "777" in do]


def test_snapshot__that_is_a_folder_is_named_and_stops_no_verifying(warehouse):
    path = snapshot_path(warehouse, 3)
    path.unlink()
    path.mkdir()
    with pytest.raises(WarehouseError, match="cannot be read") as caught:
        read_snapshot(warehouse)
    assert (caught.value.where, caught.value.got) == (str(path), os.strerror(errno.EISDIR))
    faults = verify(warehouse).faults
    assert [fault.where for fault in faults] == [str(path)]
    assert "cp " in faults[0].do


@pytest.mark.parametrize("ask", [Warehouse, collect, read_snapshot])
def test_releases__without_any_snapshot_are_no_warehouse(warehouse, ask):
    """As a copy leaves it that stopped: nothing may take it for an empty one."""
    for name in ("snapshots", HEADS):
        shutil.rmtree(warehouse / name)
    before = names(warehouse)
    with pytest.raises(WarehouseError, match="No snapshot names the releases"):
        ask(warehouse)
    assert [fault.what for fault in verify(warehouse).faults] == ["No snapshot names the releases of this warehouse."]
    assert names(warehouse) == before


def test_history__of_lost_snapshots_is_no_empty_list(warehouse):
    shutil.rmtree(warehouse / "snapshots")
    answer = CliRunner().invoke(featurestore, ["--warehouse", str(warehouse), "history"])
    assert isinstance(answer.exception, WarehouseError)
    assert answer.exception.what == "The newest snapshot is missing."


def test_gc__keep_leaves_a_snapshot_that_is_read_and_all_after_it(warehouse):
    with Warehouse(warehouse, snapshot=2) as store:
        assert [each.path for each in collect(warehouse, keep=1)] == ["snapshots/00000001.json"]
        assert store.frame("select count(*) as n from signature")["n"].item() > 0
    assert snapshot_numbers(warehouse) == [2, 3]
    assert len(collect(warehouse, keep=1)) == 2
    assert snapshot_numbers(warehouse) == [3]


def test_gc__keep_leaves_a_snapshot_that_a_saved_spec_is_pinned_to(warehouse):
    spec = warehouse.parent / "features.toml"
    spec.write_text(
        'name = "pinned"\nsnapshot = 2\n[target]\ndataset = "first"\n[[feature]]\nkind = "context"\n', encoding="utf-8"
    )
    with Warehouse(warehouse) as store:
        saved = registry.save(store, spec)
    collect(warehouse, keep=1)
    assert snapshot_numbers(warehouse) == [2, 3]
    with Warehouse(warehouse) as store:
        registry.retire(store, saved.label, "no longer needed")
    collect(warehouse, keep=1)
    assert snapshot_numbers(warehouse) == [3]


def test_gc__keep_knows_a_reader_that_forgot_to_close(warehouse):
    store = Warehouse(warehouse, snapshot=1)
    assert collect(warehouse, keep=1) == []
    del store
    assert len(collect(warehouse, keep=1)) == 3


def test_gc__never_takes_a_release_that_is_about_to_be_named(warehouse):
    """A release that no snapshot names is either named or removed, never named after it was removed."""
    name_release(warehouse, "second", read_snapshot(warehouse).datasets["second"])
    old = read_snapshot(warehouse, 1).datasets["first"]
    collect(warehouse, keep=1)
    assert name_release(warehouse, "first", old) is None
    assert read_snapshot(warehouse).number == 3


def test_gc__a_damaged_snapshot_stops_it(warehouse):
    snapshot_path(warehouse, 1).write_text("{}")
    before = names(warehouse)
    with pytest.raises(WarehouseError, match="damaged"):
        collect(warehouse)
    assert names(warehouse) == before


def test_gc__a_damaged_manifest_keeps_every_reference(warehouse):
    release = release_path(warehouse, "first", read_snapshot(warehouse).datasets["first"])
    (release / "manifest.json").write_text("{")
    (warehouse / "reference" / "unused").mkdir()
    assert collect(warehouse) == []


def test_publishing__is_one_at_a_time_and_leaves_no_file(warehouse):
    with publishing(warehouse):
        with pytest.raises(WarehouseError, match="Another process is publishing"), publishing(warehouse, seconds=0.05):
            pass
        assert (warehouse / PUBLISHING).exists()
    assert not (warehouse / PUBLISHING).exists()
    (warehouse / PUBLISHING).touch()  # of a process that was killed
    with publishing(warehouse, seconds=0.05):
        pass
    assert not (warehouse / PUBLISHING).exists()


def test_reader__never_makes_a_writer_wait(warehouse, dataset, tmp_path):
    with Warehouse(warehouse), Warehouse(warehouse, snapshot=1):
        outcome = ingest_dataset(dataset(tmp_path, "third"), warehouse)
    assert outcome.snapshot == 4


def test_reader__that_loses_its_snapshot_in_between_reads_the_next(warehouse, monkeypatch):
    """A snapshot removed between being read and being held is asked for anew."""
    calls = []

    def removing(root: Path, number: int | None = None):
        snapshot = read_snapshot(root, number)
        calls.append(snapshot.number)
        if len(calls) == 1:
            name_release(root, "first", read_snapshot(root, 1).datasets["first"])
            snapshot_path(root, 3).unlink()
        return snapshot

    monkeypatch.setattr("featurestore.storage.locks.read_snapshot", removing)
    snapshot, lock = hold_snapshot(warehouse)
    assert (calls, snapshot.number) == ([3, 4], 4)
    assert lock is not None
    os.close(lock)


def test_reader__is_told_that_gc_holds_its_snapshot(warehouse):
    with snapshot_path(warehouse, 3).open("r+b") as file:
        assert try_lock(file.fileno())
        with pytest.raises(WarehouseError, match="being removed"):
            hold_snapshot(warehouse, seconds=0.05)


def test_gc__that_fails_leaves_no_lock_however_long_its_error_is_kept(warehouse, monkeypatch):
    def fail(path: Path, target: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("ingest.release.trash._move", fail)
    with pytest.raises(WarehouseError) as kept:
        collect(warehouse, keep=1)
    _, lock = hold_snapshot(warehouse, 1, seconds=0.05)
    assert lock is not None
    os.close(lock)
    assert kept.value.__cause__.errno == errno.EIO


def test_locks__end_with_a_killed_process(warehouse):
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom featurestore.storage.locks import publishing\n"
        "from ingest.release.staging import staging\nroot = Path(sys.argv[1])\n"
        "with staging(root) as folder, publishing(root):\n    print('held', flush=True)\n    time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(warehouse)], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        assert abandoned(warehouse) == []
        with pytest.raises(WarehouseError, match="publishing"), publishing(warehouse, seconds=0.05):
            pass
        process.kill()
    assert len(abandoned(warehouse)) == 1
    assert [each.kind for each in collect(warehouse)] == ["staging"]
    assert names(warehouse)[0] == DATABASE


def test_try_lock__says_where_there_are_none(monkeypatch, tmp_path):
    def refuse(descriptor: int, how: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", refuse)
    with (tmp_path / "x").open("w") as file:
        assert try_lock(file.fileno()) is None


def test_no_locks__publishing_goes_on_and_gc_refuses(warehouse, dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "featurestore.storage.locks.fcntl.flock", lambda *_: (_ for _ in ()).throw(OSError(95, "no locks"))
    )
    assert ingest_dataset(dataset(tmp_path, "third"), warehouse).snapshot == 4
    assert verify(warehouse).faults == []
    with pytest.raises(WarehouseError, match="keeps no locks"):
        collect(warehouse)


def run(warehouse, *words):
    done = CliRunner().invoke(featurestore, ["--warehouse", str(warehouse), "gc", *words], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def test_command__shows_what_it_removes(warehouse):
    leave_behind(warehouse)
    first = json.loads(run(warehouse, "--format", "json"))
    assert [(row["removed"], row["kept_until"]) for row in first] == [("staging", None)]
    assert json.loads(run(warehouse, "--format", "json")) == []


def test_command__says_until_when_it_can_be_undone(warehouse):
    done = run(warehouse, "--keep", "1")
    until = f"{datetime.now(UTC) + RETENTION:%Y-%m-%d}"
    assert f"3 set aside until {until}; to bring back: featurestore gc --undo." in done
    assert len(json.loads(run(warehouse, "--undo", "--format", "json"))) == 3
    assert snapshot_numbers(warehouse) == [1, 2, 3]


def test_command__rehearses_an_undo_and_says_what_it_does_not_go_with(warehouse):
    run(warehouse, "--keep", "1")
    rehearsed = json.loads(run(warehouse, "--undo", "--dry-run", "--format", "json"))
    assert snapshot_numbers(warehouse) == [3]
    for other in (["--now"], ["--keep", "2"]):
        refused = CliRunner().invoke(featurestore, ["--warehouse", str(warehouse), "gc", "--undo", *other])
        assert (refused.exit_code, snapshot_numbers(warehouse)) == (2, [3])
        assert "removes nothing" in refused.output
    assert json.loads(run(warehouse, "--undo", "--format", "json")) == rehearsed
    assert snapshot_numbers(warehouse) == [1, 2, 3]
    assert run(warehouse, "--undo") == "Nothing is set aside.\n"
