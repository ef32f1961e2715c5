"""What is kept beside the releases is as it was written, or is not used, and is named."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import workers
from faulty_disk import FAULTS, Died, FaultyDisk
from workers import small_matrix

from featurestore.errors import FeatureError, FeatureStoreError, WarehouseError
from featurestore.features import registry
from featurestore.features.matrix.cache import keep_matrix, kept_matrix
from featurestore.features.matrix.feature_matrix import FeatureMatrix
from featurestore.query.views import DATABASE
from featurestore.query.warehouse import Warehouse
from featurestore.search.block import prepare
from featurestore.search.index import index_path, indexed_block, open_index, write_index
from featurestore.storage.locks import GRACE
from featurestore.storage.sealed import write_sealed, write_sums
from featurestore.storage.snapshot import HEADS, REFERENCES, RELEASES, SNAPSHOTS, snapshot_numbers
from featurestore.storage.whole import beside, filled
from featurestore.upkeep.examine import Report
from featurestore.upkeep.verify import verify
from featurestore.upkeep.verify_kept import kept_faults
from ingest.harmonise.online_cache import Answer, AnswerCache
from ingest.release.collect import collect
from ingest.release.trash import bring_back

SPEC = """
name = "near"
snapshot = 3
[target]
dataset = "first"
[[feature]]
kind = "embedding"
file = "vectors.csv"
"""


KILL_PARTS = 6 if os.environ.get("FEATURESTORE_STRESS") else 1
"""In how many parts a long row of kills is, so that several workers share it."""
KEPT = ("cache", "features", "matrices", "reports", "search")


@pytest.fixture
def full(warehouse: Path) -> Path:
    """A warehouse with one of everything that can lie in it."""
    spec = warehouse.parent / "near.toml"
    spec.write_text(SPEC, encoding="utf-8")
    spec.with_name("vectors.csv").write_text("gene,v0\nTP53,0.5\nMYC,0.25\n", encoding="utf-8")
    with Warehouse(warehouse) as store:
        keep_matrix(store, "key", small_matrix())
        registry.save(store, spec)
        registry.retire(store, "near", "no longer needed")
        registry.save(store, spec)
        for dataset_id in store.snapshot.datasets:
            indexed_block(store, dataset_id)
    (warehouse / "cache").mkdir()
    write_sealed(pl.DataFrame({"query": ["TP53"], "hits": ["[]"]}), warehouse / "cache" / "mygene.parquet")
    with filled(warehouse / "reports" / "mine", "scores.json") as folder:
        (folder / "scores.json").write_text("{}")
        (folder / "report.html").write_text("<p>all is well")
        write_sums(folder)
    return warehouse


def flip(path: Path, bit: int) -> None:
    raw = bytearray(path.read_bytes())
    raw[bit // 8] ^= 1 << bit % 8
    path.write_bytes(raw)


def test_verify__finds_a_bit_flipped_in_any_file_there_is(full, faults, share):
    report = verify(full)
    assert (report.faults, report.notes) == ([], [])
    paths = [path for path in sorted(full.rglob("*")) if path.is_file() and path.name != DATABASE]
    beside_releases = [path for path in paths if path.relative_to(full).parts[0] in KEPT]
    assert len(beside_releases) == 31
    assert {path.relative_to(full).parts[0] for path in paths} == {*KEPT, RELEASES, REFERENCES, SNAPSHOTS, HEADS}
    rng = random.Random(21)
    with faults("bit flipped in any file of a warehouse") as trials:
        for path in paths if share(0, 1) else beside_releases:
            bit = rng.randrange(path.stat().st_size * 8)
            flip(path, bit)
            with trials.trial(f"{path.relative_to(full)} bit {bit}"):
                found = verify(full).faults if share(0, 1) else list(kept_faults(full, Report()))
                assert any(path.name in f"{fault.where} {fault.got}" for fault in found)
                assert all(fault.do for fault in found)
            flip(path, bit)


def test_kept_matrix__with_other_numbers_is_not_used(full):
    """Zeroed X, reversed Y and other labels are well-formed tables: only their checksums tell."""
    folder = full / "matrices" / "key"
    changes = {
        "X": lambda t: t.with_columns(pl.exclude("condition_id") * 0),
        "Y": lambda t: t.with_columns(pl.exclude("condition_id").reverse()),
        "rows": lambda t: t.with_columns(condition_id=pl.Series(list("cab"))),
    }
    with Warehouse(full) as store:
        np.testing.assert_array_equal(kept_matrix(store, "key").X, small_matrix().X)
        for name, change in changes.items():
            path = folder / f"{name}.parquet"
            whole = path.read_bytes()
            change(pl.read_parquet(path)).write_parquet(path)
            assert kept_matrix(store, "key") is None
            with pytest.raises(FeatureError, match=f"other bytes: {name}.parquet"):
                FeatureMatrix.read(folder)
            assert [fault.where for fault in verify(full).faults] == [str(folder)]
            path.write_bytes(whole)


def exchange(one: Path, other: Path) -> None:
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def test_kept__in_the_place_of_another_is_not_taken_for_it(full):
    """Each is whole, with checksums that hold: only where it says what it is can it be told from the other."""
    with Warehouse(full) as store:
        keep_matrix(store, "other", small_matrix())
        assert verify(full).faults == []
        indexes = [index_path(full, *each) for each in store.snapshot.datasets.items()]
        exchange(full / "matrices" / "key", full / "matrices" / "other")
        assert (kept_matrix(store, "key"), kept_matrix(store, "other")) == (None, None)
        keep_matrix(store, "key", small_matrix())
        assert "key" not in kept_matrix(store, "key").manifest
        exchange(*indexes)
        assert [open_index(folder) for folder in indexes] == [None, None]
        exchange(full / "features" / "near" / "0001.json", full / "features" / "near" / "0002.json")
        assert registry.saved_specs(store) == []
    faults = verify(full).faults
    indexes = sorted(path.name for path in indexes)
    assert [Path(fault.where).name for fault in faults] == ["other", "0001.json", "0002.json", *indexes]
    assert all(fault.do for fault in faults)


def test_kept_matrix__of_a_former_version_is_noted_and_not_used(full):
    folder = full / "matrices" / "key"
    shutil.rmtree(folder)
    small_matrix().write(folder)
    with Warehouse(full) as store:
        assert kept_matrix(store, "key") is None
    report = verify(full)
    assert report.faults == []
    assert report.notes == ["matrices/ has 1 matrix of former versions, which are never read: key"]


def test_snapshots__that_have_changed_places_are_not_read(full):
    exchange(full / "snapshots" / "00000001.json", full / "snapshots" / "00000003.json")
    for number, words in ((1, "snapshot 3"), (None, "snapshot 1")):
        with pytest.raises(WarehouseError, match="another than its name says") as caught:
            Warehouse(full, snapshot=number)
        assert caught.value.got == words
    assert {Path(fault.where).name for fault in verify(full).faults} >= {"00000001.json", "00000003.json"}


def test_kept__with_a_folder_in_the_place_of_a_file_is_damaged(full):
    copy = next((full / "features" / "files").glob("*/vectors.csv"))
    for path in (full / "matrices" / "key" / "X.parquet", full / "reports" / "mine" / "report.html", copy):
        path.unlink()
        path.mkdir()
    with Warehouse(full) as store:
        assert kept_matrix(store, "key") is None
    assert [fault.what for fault in verify(full).faults] == [
        "A kept matrix is damaged.",
        "A file of a saved spec is damaged.",
        "A report is damaged.",
    ]


def test_verify__names_what_it_did_not_read(full):
    strays = ("snapshots/00000003.json.bak", "heads/notes.txt", "reference/old/gene.parquet", "releases/mine.txt",
              "features/near/notes.txt")  # fmt: skip
    for name in strays:
        (full / name).parent.mkdir(exist_ok=True)
        (full / name).write_text("mine")
    report = verify(full)
    assert report.faults == []
    for name in strays:
        folder, _, rest = name.partition("/")
        assert f"{folder}/ has 1 file that nothing names, not read: {rest}" in report.notes


def test_saved_spec__that_is_damaged_names_itself_and_stops_no_other(full):
    path = full / "features" / "near" / "0002.json"
    path.write_text(path.read_text()[:40])
    with Warehouse(full) as store:
        assert [saved.label for saved in registry.saved_specs(store)] == ["near@1"]
        for label in ("near", "near@2"):
            with pytest.raises(FeatureStoreError, match="A saved spec is damaged") as caught:
                registry.find(store, label)
            assert caught.value.where == str(path)
        assert registry.find(store, "near@1").retired == "no longer needed"
        assert registry.save(store, full.parent / "near.toml").label == "near@3"
    assert collect(full, keep=1) == []
    assert snapshot_numbers(full) == [1, 2, 3], "what it is pinned to is not known"


def test_saved_spec__of_an_older_program_has_no_checksum_and_is_read(full):
    path = full / "features" / "near" / "0001.json"
    record = json.loads(path.read_text())
    del record["sha256"], record["label"]
    path.write_text(json.dumps(record))
    path.with_suffix(".retired").write_text("too old")
    with Warehouse(full) as store:
        assert registry.find(store, "near@1").retired == "too old"


def test_saved_spec__is_not_built_from_another_embedding(full):
    copy = next((full / "features" / "files").glob("*/vectors.csv"))
    copy.write_text("gene,v0\nTP53,0.75\nMYC,0.25\n")
    with Warehouse(full) as store:
        with pytest.raises(FeatureError, match="damaged there"):
            registry.saved_spec(store, registry.find(store, "near"))
        registry.save(store, full.parent / "near.toml")
        assert registry.saved_spec(store, registry.find(store, "near")).feature[0].file == str(copy)


def test_saved_spec__whose_file_is_gone_is_named(full):
    copy = next((full / "features" / "files").glob("*/vectors.csv"))
    copy.unlink()
    faults = verify(full).faults
    assert [(fault.what, fault.where) for fault in faults] == [
        (f"A file of the saved spec near@{version} is missing.", str(copy)) for version in (1, 2)
    ]
    assert all(fault.do for fault in faults)


def test_beside__leaves_the_file_as_it_was_where_the_disk_is_full(tmp_path, monkeypatch):
    path = tmp_path / "answer.parquet"
    path.write_text("before")

    def refuse(self: pl.DataFrame, file: Path) -> None:
        file.write_bytes(b"PAR1 half")
        raise pl.exceptions.ComputeError("parquet: underlying IO error: No space left on device (os error 28)")

    monkeypatch.setattr(pl.DataFrame, "write_parquet", refuse)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)) as caught, beside(path) as work:
        pl.DataFrame().write_parquet(work)
    assert caught.value.filename == str(path)
    assert [each.name for each in tmp_path.iterdir()] == ["answer.parquet"]
    assert path.read_text() == "before"


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOENT, errno.EROFS])
def test_beside__tells_what_polars_raises_as_the_system_does(number, tmp_path):
    """Polars raises Python's own errors too, without their number: they were told as ``[Errno None] None``."""
    said = f"{os.strerror(number)} (os error {number}): /somewhere"
    with pytest.raises(OSError, match=os.strerror(number)) as caught, beside(tmp_path / "answer.parquet"):
        raise type(OSError(number, ""))(said)
    assert (caught.value.errno, caught.value.filename) == (number, str(tmp_path / "answer.parquet"))


def test_beside__writes_to_a_pipe_as_it_is(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reading = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with beside(tmp_path / "pipe") as path:
        path.write_text("all of it")
    assert os.read(reading, 100) == b"all of it"
    os.close(reading)


def test_filled__leaves_files_of_others_and_what_was_there(tmp_path):
    folder = tmp_path / "report"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    for text in ("first", "second"):
        with filled(folder, "scores.json") as work:
            (work / "scores.json").write_text(text)
    with pytest.raises(OSError, match="full"), filled(folder, "scores.json") as work:
        (work / "scores.json").write_text("third")
        raise OSError(errno.ENOSPC, "full")
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"notes.txt": "mine", "scores.json": "second"}
    shutil.rmtree(folder)
    with pytest.raises(OSError, match="full"), filled(tmp_path / "new" / "report", "scores.json"):
        raise OSError(errno.ENOSPC, "full")
    assert list(tmp_path.iterdir()) == []


def keep_a_matrix(root: Path, _: Path) -> None:
    with Warehouse(root) as store:
        keep_matrix(store, "key", small_matrix())


def save_a_spec(root: Path, spec: Path) -> None:
    with Warehouse(root) as store:
        registry.retire(store, registry.save(store, spec).label, "no longer needed")


def index_signatures(root: Path, _: Path) -> None:
    with Warehouse(root) as store:
        write_index(index_path(root, "first", store.snapshot.release_of("first")), prepare(store, "first"))


def write_a_report(root: Path, _: Path) -> None:
    with filled(root / "reports" / "mine", "scores.json") as folder:
        (folder / "scores.json").write_text("{}")
        write_sums(folder)


def keep_answers(root: Path, _: Path) -> None:
    answers = AnswerCache(root)
    answers.put("symbol", "NEWGENE", Answer([], "20261129"))
    answers.save()


WRITERS = (keep_a_matrix, save_a_spec, index_signatures, write_a_report, keep_answers)


@pytest.mark.parametrize("fault", FAULTS)
def test_kept__survives_a_fault_at_every_boundary(fault, warehouse, tmp_path, faults, share):
    """Whatever is there under its own name is whole, and the same is written by whoever tries again."""
    error, stays = FAULTS[fault]
    spec = tmp_path / "near.toml"
    spec.write_text(SPEC, encoding="utf-8")
    spec.with_name("vectors.csv").write_text("gene,v0\nTP53,0.5\nMYC,0.25\n", encoding="utf-8")
    with faults(f"{fault}, at every change to cache, registry, index, report") as trials:
        for write in WRITERS:
            write(warehouse, spec)
            with FaultyDisk().inserted() as counted:
                write(warehouse, spec)
            step = share(counted.n_calls, 1)
            for at in range(1 + 3 * list(FAULTS).index(fault) % step, counted.n_calls + 1, step):
                disk = FaultyDisk(at, error, stays=stays)
                with trials.trial(f"{write.__name__} {at}"):
                    with suppress(Died, FeatureStoreError, OSError), disk.inserted():
                        write(warehouse, spec)
                    assert disk.failed
                    assert list(kept_faults(warehouse, Report())) == []
                    write(warehouse, spec)
                    assert list(kept_faults(warehouse, Report())) == []
    past = time.time() - 2 * GRACE
    for path in [path for name in KEPT for path in (warehouse / name).rglob("*")]:
        os.utime(path, (past, past))
    assert {each.kind for each in collect(warehouse)} <= {"unfinished"}
    assert [path for name in KEPT for path in (warehouse / name).rglob(".*")] == []
    assert verify(warehouse).faults == []


@pytest.mark.parametrize("part", range(KILL_PARTS))
def test_kept__survives_kill_9_at_random_moments(part, published, tmp_path, faults, share):
    """A process that keeps one of everything over and over, collects it and brings it back is killed anywhere."""
    rng, n, root = random.Random(4 + part), share(2, 150 // KILL_PARTS), tmp_path / "w"
    spec = tmp_path / "near.toml"
    spec.write_text(SPEC, encoding="utf-8")
    spec.with_name("vectors.csv").write_text("gene,v0\nTP53,0.5\nMYC,0.25\n", encoding="utf-8")
    shutil.copytree(published, root)
    context = workers.context()
    with faults("kill -9 of cache, registry, index, gc at a random moment") as trials:
        for number in range(n):
            here, there = context.Pipe()
            process = context.Process(target=workers.keep_again, args=(root, spec, there))
            process.start()
            assert here.recv() == "here"
            process.join(rng.random())
            process.kill()
            process.join()
            with trials.trial(f"kill {number}"):
                assert process.exitcode == -signal.SIGKILL
                assert verify(root).faults == []
                bring_back(root)
                collect(root)
                assert verify(root).faults == []
                assert snapshot_numbers(root) == [1, 2, 3]
                with Warehouse(root) as store:
                    assert store.frame("select count(*) as n from signature")["n"].item() > 0
