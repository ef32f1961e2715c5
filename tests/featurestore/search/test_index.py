"""The index: the same answer with and without it, kept whole or not at all, dropped and made again."""

from __future__ import annotations

import errno
import os
import shutil

import numpy as np
import polars as pl
import pytest

from featurestore.errors import FeatureStoreError
from featurestore.search import SCORES, engine
from featurestore.search.block import read_block
from featurestore.search.index import INDEXES, index_faults, open_index
from featurestore.storage.snapshot import MANIFEST, check_warehouse
from featurestore.store import Store
from featurestore.upkeep.examine import Report
from featurestore.upkeep.verify_kept import kept_faults
from ingest.release.collect import collect

KEY = "target:G3/A/crispri"


def answers(root, *, top=0):
    with Store(root) as store:
        return [store.search(condition=KEY, score=score, top=top) for score in SCORES]


@pytest.fixture
def root(two_datasets):
    return two_datasets.path


def test_index__gives_the_answer_that_there_is_without_it(root, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(engine, "indexed_block", lambda *_: None)
        plain = answers(root)
    assert not (root / INDEXES).exists()
    made, taken = answers(root), answers(root)
    assert sorted(path.name for path in (root / INDEXES).iterdir()) == ["external.r1", "target.r1"]
    for one, other, third in zip(plain, made, taken, strict=True):
        assert one.equals(other)
        assert one.equals(third)


def test_index__is_made_in_pieces(root, monkeypatch):
    with Store(root) as store:
        whole = read_block(store, "external").rows
        monkeypatch.setattr("featurestore.search.block.AT_ONCE_BYTES", 1)
        monkeypatch.setattr("featurestore.search.block.TILE_CONDITIONS", 5)
        np.testing.assert_allclose(read_block(store, "external").rows, whole, atol=1e-6)


def test_index__that_is_damaged_is_not_taken_and_verify_names_it(root):
    expected = answers(root)
    folder = root / INDEXES / "target.r1"
    assert (list(kept_faults(root, Report())), index_faults(folder)) == ([], ([], []))
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        (fault,) = kept_faults(root, Report())
        assert path.name in fault.got
        assert fault.do
        if path.name not in ("rows.npy", "ranks.npy"):
            assert open_index(folder) is None
        path.write_bytes(whole[:-1])
        assert open_index(folder) is None, "it is shorter"
        path.write_bytes(whole)
    (folder / MANIFEST).unlink()
    assert all(one.equals(other) for one, other in zip(expected, answers(root), strict=True)), "it is made again"
    assert index_faults(folder) == ([], [])


@pytest.mark.parametrize(
    ("reads", "error", "what"),
    [
        ("file_sha256", OSError(errno.EMFILE, os.strerror(errno.EMFILE)), "Too many files are open"),
        ("_mapped", OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)), "There is not enough memory"),
        ("pl.read_parquet", pl.exceptions.ComputeError("Resource temporarily unavailable"), "No thread could be"),
    ],
)
def test_index__is_not_made_again_for_want_of_memory_threads_or_files(reads, error, what, root, monkeypatch):
    def starved(*_, **__):
        raise error

    answers(root)
    folder = root / INDEXES / "target.r1"
    made = folder.stat().st_ino
    with monkeypatch.context() as patch, pytest.raises(FeatureStoreError, match=what):
        patch.setattr(f"featurestore.search.index.{reads}", starved)
        answers(root)
    assert folder.stat().st_ino == made
    assert index_faults(folder) == ([], [])


def test_index__that_is_being_deleted_is_no_damage(root):
    answers(root)
    folder = root / INDEXES / "target.r1"
    for path in sorted(folder.iterdir(), key=lambda path: path.name != MANIFEST, reverse=True):
        path.unlink()
        assert list(kept_faults(root, report := Report())) == []
        assert [note for note in report.notes if "target.r1" in note] == [
            f"{INDEXES}/target.r1 is not whole: it is made again at the next search"
        ]
    folder.rmdir()
    assert list(kept_faults(root, Report())) == []


def test_index__of_a_warehouse_that_cannot_be_written_is_done_without(root, monkeypatch):
    monkeypatch.setattr("featurestore.search.index.os.access", lambda *_: False)
    assert all(answer.height for answer in answers(root))
    assert not (root / INDEXES).exists()


def test_gc__drops_what_no_snapshot_names(root):
    answers(root)
    kept, old = root / INDEXES / "target.r1", root / INDEXES / "target.r0"
    shutil.copytree(kept, old)
    for name in (".half", ".now"):
        (root / INDEXES / name).mkdir()
    os.utime(root / INDEXES / ".half", (0, 0))
    assert {each.path for each in collect(root, is_rehearsal=True)} == {"search/target.r0", "search/.half"}
    removed = collect(root)
    assert {(each.kind, each.until) for each in removed} == {("search index", None), ("unfinished", None)}
    assert kept.is_dir()
    assert not old.exists()
    assert not (root / INDEXES / ".half").exists()
    assert (root / INDEXES / ".now").exists(), "someone may be at work there"


def test_index__alone_is_an_empty_warehouse(tmp_path):
    (tmp_path / INDEXES).mkdir()
    check_warehouse(tmp_path)
