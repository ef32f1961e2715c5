"""What is kept beside the releases is as it was written, or is not used, and is named."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from featurestore.errors import FeatureError, FeatureStoreError
from featurestore.features import registry
from featurestore.features.matrix.cache import keep_matrix, kept_matrix
from featurestore.features.matrix.feature_matrix import FeatureMatrix
from featurestore.query.views import DATABASE
from featurestore.query.warehouse import Warehouse
from featurestore.search.index import indexed_block
from featurestore.storage.snapshot import HEADS, REFERENCES, RELEASES, SNAPSHOTS, snapshot_numbers
from featurestore.storage.whole import beside, filled, write_sealed, write_sums
from featurestore.upkeep.examine import Report
from featurestore.upkeep.verify import verify
from featurestore.upkeep.verify_kept import kept_faults
from ingest.release.collect import collect

SPEC = """
name = "near"
snapshot = 3
[target]
dataset = "first"
[[feature]]
kind = "embedding"
file = "vectors.csv"
"""


KEPT = ("cache", "features", "matrices", "reports", "search")


def small_matrix() -> FeatureMatrix:
    rng = np.random.default_rng(4)
    X, Y = (rng.normal(size=shape).astype(np.float32) for shape in ((3, 2), (3, 4)))
    rows = {"condition_id": list("abc"), "n_conditions/one": [1, 2, 3], "rule/one": ["same"] * 3}
    columns = pl.DataFrame({"name": ["one/0", "one/1"], "block": ["one", "one"]})
    genes = pl.DataFrame({"gene_id": [f"g{i}" for i in range(4)], "gene_symbol": list("ABCD")})
    return FeatureMatrix(X, np.isfinite(X), Y, Y, pl.DataFrame(rows), columns, genes, {"recipe": "r", "licences": {}})


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
    del record["sha256"]
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


def test_beside__leaves_the_file_as_it_was_where_the_disk_is_full(tmp_path, monkeypatch):
    path = tmp_path / "answer.parquet"
    path.write_text("before")

    def refuse(self: pl.DataFrame, file: Path) -> None:
        file.write_bytes(b"PAR1 half")
        raise pl.exceptions.ComputeError("parquet: underlying IO error: No space left on device (os error 28)")

    monkeypatch.setattr(pl.DataFrame, "write_parquet", refuse)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)), beside(path) as work:
        pl.DataFrame().write_parquet(work)
    assert [each.name for each in tmp_path.iterdir()] == ["answer.parquet"]
    assert path.read_text() == "before"


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
