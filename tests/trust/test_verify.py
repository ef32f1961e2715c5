"""``featurestore verify`` finds every flipped bit and every broken rule, names the release, and restores it."""

from __future__ import annotations

import contextlib
import json
import random
import shlex
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from featurestore.cli import featurestore
from featurestore.contract import COLUMNS
from featurestore.errors import WarehouseError
from featurestore.query.sqlfiles import heading, sql_files
from featurestore.query.views import DATABASE
from featurestore.query.warehouse import Warehouse
from featurestore.storage.checksums import file_sha256
from featurestore.storage.locks import hold_snapshot
from featurestore.storage.snapshot import (
    HEADS,
    MANIFEST,
    head_path,
    read_manifest,
    read_snapshot,
    release_path,
    snapshot_numbers,
    snapshot_path,
)
from featurestore.upkeep import examine
from featurestore.upkeep import verify as verifying
from featurestore.upkeep.examine import restoration
from featurestore.upkeep.verify import verify
from ingest.pipeline import ingest_dataset
from ingest.release.database import refresh_database
from ingest.signatures.recompute import recompute


def flip(path: Path, bit: int) -> None:
    raw = bytearray(path.read_bytes())
    raw[bit // 8] ^= 1 << bit % 8
    path.write_bytes(raw)


def rewrite(root: Path, dataset_id: str, table: str, change) -> None:
    """Change a table and everything that records its checksum, as a faulty program would have written it."""
    snapshot = read_snapshot(root)
    folder = release_path(root, dataset_id, snapshot.datasets[dataset_id])
    path = next(
        p for p in folder.rglob("*.parquet") if p.relative_to(folder).parts[0].removesuffix(".parquet") == table
    )
    frame = change(pl.read_parquet(path))
    frame.write_parquet(path)
    manifest = read_manifest(root, dataset_id, snapshot.datasets[dataset_id])
    for file in manifest["files"]:
        if file["table"] == table:
            del file["blake3"]  # as former versions had it
            file |= {"rows": frame.height, "bytes": path.stat().st_size, "sha256": file_sha256(path)}
    (folder / MANIFEST).write_text(json.dumps(manifest))
    for number in (1, 2, 3):
        content = json.loads(snapshot_path(root, number).read_text())
        plain = {key: content[key] for key in ("contract_version", "created_at", "note", "datasets")}
        snapshot_path(root, number).write_text(json.dumps(plain))
    shutil.rmtree(root / HEADS)


def test_verify__of_a_snapshot_collected_meanwhile_is_no_fault(copied, monkeypatch):
    listed = snapshot_numbers(copied)
    assert len(listed) > 1
    monkeypatch.setattr(verifying, "hold_snapshot", collecting(copied, listed[0]))
    report = verify(copied)
    assert (report.faults, report.n_snapshots) == ([], len(listed) - 1)


def test_verify__of_a_snapshot_that_is_missing_within_the_chain_is_a_fault(copied, monkeypatch):
    listed = snapshot_numbers(copied)
    monkeypatch.setattr(verifying, "hold_snapshot", collecting(copied, listed[-1]))
    report = verify(copied)
    assert [fault.what for fault in report.faults][:1] == ["A snapshot is damaged."]


def collecting(root: Path, number: int) -> Callable[..., object]:
    """Hold a snapshot, once another process has removed one."""

    def hold(*arguments: object) -> object:
        snapshot_path(root, number).unlink(missing_ok=True)
        return hold_snapshot(*arguments)

    return hold


def test_verify__of_a_whole_warehouse_is_clean(warehouse):
    report = verify(warehouse, deep=[recompute])
    assert (report.faults, report.notes) == ([], [])
    assert (report.n_snapshots, report.n_releases) == (3, 3)
    outside = {DATABASE, *(p.name for p in (warehouse / "snapshots").iterdir())}
    read = [p for p in warehouse.rglob("*") if p.is_file() and p.name not in outside and "reference" not in p.parts]
    n_references = sum(len(list((warehouse / "reference").rglob("*.*"))) for _ in range(3))
    assert report.n_files == len(read) + n_references


def test_verify__finds_any_flipped_bit(copied, published, faults, share):
    paths = [p for p in sorted(copied.rglob("*")) if p.is_file() and p.name != DATABASE]
    rng = random.Random(8)
    n_trials = share(1, 4)
    with faults("bit flipped in a release, reference or snapshot") as trials:
        for path in paths if n_trials > 1 else rng.sample(paths, 6):
            for _ in range(n_trials):
                bit = rng.randrange(path.stat().st_size * 8)
                flip(path, bit)
                with trials.trial(f"{path.relative_to(copied)} bit {bit}"):
                    found = verify(copied).faults
                    assert any(str(path) in (fault.where, *fault.where.split()) for fault in found)
                    assert all(fault.do for fault in found)
                flip(path, bit)
    assert verify(copied).faults == []


def test_verify__finds_what_a_flipped_bit_changes_in_the_database_of_views(warehouse, faults, share):
    rng = random.Random(9)
    path = warehouse / DATABASE
    with faults("bit flipped in the derived database of views") as trials:
        for _ in range(share(3, 100)):
            bit = rng.randrange(path.stat().st_size * 8)
            flip(path, bit)
            with trials.trial(f"bit {bit}"):
                report = verify(warehouse)
                if not report.faults and not report.notes:
                    with Warehouse(warehouse) as store:
                        assert store.frame("select count(*) as n from signature")["n"].item() > 0
            flip(path, bit)


@pytest.mark.parametrize("name", ["statistics", "condition", "manifest.json", "gene.parquet"])
def test_verify__names_release_and_file_that_are_gone(copied, name):
    release = read_snapshot(copied).datasets["second"]
    path = next(release_path(copied, "second", release).glob(f"*{name}*"))
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    (fault, *_) = verify(copied).faults
    assert (fault.dataset_id, fault.release_id) == ("second", release)
    assert str(path) in fault.where
    assert "ingest second.toml" in fault.do


def test_verify__finds_a_file_that_does_not_belong(copied):
    release = read_snapshot(copied).datasets["second"]
    stray = release_path(copied, "second", release) / "extra.parquet"
    stray.write_bytes(b"PAR1")
    (fault,) = verify(copied).faults
    assert (fault.what, fault.where) == ("A file is not of this release.", str(stray))


def test_verify__restores_a_release_by_what_it_says(warehouse, published):
    release = read_snapshot(warehouse).datasets["second"]
    flip(release_path(warehouse, "second", release) / "statistics" / "part-0.parquet", 4000)
    (fault,) = verify(warehouse).faults
    remove, ingest = fault.do.partition("  #")[0].split(" && ")
    assert "second.h5ad (blake3 " in fault.do
    subprocess.run(remove, shell=True, check=True)
    program, *words = shlex.split(ingest)
    with contextlib.chdir(published.parent / "files"):
        assert (program, CliRunner().invoke(featurestore, words).exit_code) == ("featurestore", 0)
    assert verify(warehouse).faults == []
    assert read_snapshot(warehouse).datasets["second"] == release


def test_restoration__of_a_release_of_a_former_version_names_its_inputs_too(tmp_path):
    folder = release_path(tmp_path, "old", "r1")
    folder.mkdir(parents=True)
    inputs = [{"name": "a.h5ad", "bytes": 1, "sha256": "0123456789abcdef" * 4}]
    (folder / MANIFEST).write_text(json.dumps({"inputs": inputs}))
    assert restoration(tmp_path, "old", "r1").endswith("a.h5ad (sha256 0123456789ab...)")


def test_verify__restores_a_reference_by_what_it_says(copied, published):
    path = next((copied / "reference").rglob("gene.parquet"))
    flip(path, 99)
    fault = verify(copied).faults[0]
    assert fault.where == str(path)
    shutil.rmtree(path.parent)
    ingest_dataset(published.parent / "files" / f"{fault.dataset_id}.toml", copied)
    assert verify(copied).faults == []


def test_verify__finds_a_missing_and_a_changed_snapshot(copied):
    content = snapshot_path(copied, 1).read_text()
    snapshot_path(copied, 1).write_text(content.replace("ingest first", "ingest fault"))
    assert verify(copied).faults[0].where == str(snapshot_path(copied, 1))
    snapshot_path(copied, 2).unlink()
    assert "it is missing" in [fault.got for fault in verify(copied).faults]


def test_verify__mends_the_newest_snapshot_by_what_it_says(copied):
    path = snapshot_path(copied, 3)
    whole = path.read_bytes()
    earlier = {number: snapshot_path(copied, number).read_bytes() for number in (1, 2)}
    for harm in (path.unlink, lambda: flip(path, 333), lambda: shutil.rmtree(path.parent)):
        harm()
        fault = verify(copied).faults[0]
        assert fault.where == str(path)
        with pytest.raises(WarehouseError, match=r"missing|damaged"):
            Warehouse(copied)
        subprocess.run(fault.do.rpartition(": ")[2], shell=True, check=True)
        assert path.read_bytes() == whole
        for number, content in earlier.items():
            snapshot_path(copied, number).write_bytes(content)
        assert verify(copied).faults == []


def test_verify__mends_the_record_of_the_newest_snapshot_by_what_it_says(warehouse):
    flip(head_path(warehouse, 3), 333)
    (fault,) = verify(warehouse).faults
    assert fault.where == str(head_path(warehouse, 3))
    subprocess.run(fault.do.partition(": ")[2], shell=True, check=True)
    shutil.rmtree(warehouse / HEADS)
    report = verify(warehouse)
    assert report.faults == []
    assert "not recorded in heads/" in report.notes[0]


def test_verify__a_snapshot_that_names_a_path_is_refused(copied):
    path = snapshot_path(copied, 3)
    path.write_text(json.dumps({"contract_version": 1, "created_at": "", "datasets": {"../../x": "y"}}))
    with pytest.raises(WarehouseError, match="damaged"):
        Warehouse(copied)
    assert [fault.where for fault in verify(copied).faults] == [str(path)]


@pytest.mark.parametrize("path", ["../../../../etc/passwd", "/etc/passwd"])
def test_warehouse__a_manifest_that_leads_outside_is_refused(copied, path):
    release = read_snapshot(copied).datasets["second"]
    manifest_path = release_path(copied, "second", release) / MANIFEST
    manifest = json.loads(manifest_path.read_text())
    manifest["files"][0]["path"] = path
    manifest_path.write_text(json.dumps(manifest))
    with pytest.raises(WarehouseError, match="manifest is damaged"):
        Warehouse(copied)


def test_warehouse__a_manifest_that_is_another_is_refused(copied):
    release = read_snapshot(copied).datasets["second"]
    path = release_path(copied, "second", release) / MANIFEST
    path.write_text(path.read_text().replace("second.toml", "others.toml"))
    with pytest.raises(WarehouseError, match="not the one that was published") as caught:
        Warehouse(copied)
    assert caught.value.where == str(path)
    with Warehouse(copied, datasets=["first"]) as store:
        assert store.frame("select count(*) as n from dataset")["n"].item() == 1


def test_verify__never_advises_to_delete(copied, monkeypatch):
    """What may not be read is asked for, and what is damaged is moved: a copy of it may be all that there is."""
    release = release_path(copied, "second", read_snapshot(copied).datasets["second"])
    hashed = examine.file_blake3

    def refuse(path: Path) -> str:
        if path.suffix == ".parquet" and release in path.parents:
            raise PermissionError(13, "Permission denied", str(path))
        return hashed(path)

    monkeypatch.setattr("featurestore.upkeep.examine.file_blake3", refuse)
    found = verify(copied).faults
    assert {fault.what for fault in found} == {"A file may not be read."}
    assert all("chmod" in fault.do for fault in found)
    monkeypatch.undo()
    flip(release / MANIFEST, 99)
    flip(next((copied / "reference").rglob("gene.parquet")), 99)
    (release / "stray").touch()
    assert not [fault.do for fault in verify(copied).faults if "rm " in fault.do]


def test_verify__a_database_of_an_older_snapshot_or_another_folder_is_a_note(warehouse, tmp_path):
    shutil.copytree(warehouse, tmp_path / "moved")
    report = verify(tmp_path / "moved")
    assert report.faults == []
    assert "another folder" in report.notes[0]
    assert refresh_database(tmp_path / "moved")
    assert verify(tmp_path / "moved").notes == []
    (warehouse / DATABASE).unlink()
    assert "is not there" in verify(warehouse).notes[0]


def test_verify__a_database_of_another_version_is_a_note(copied, monkeypatch):
    effect = COLUMNS["effect"]
    monkeypatch.setitem(COLUMNS, "effect", replace(effect, sentence=f"{effect.sentence} As it was."))
    (copied / DATABASE).unlink()
    assert refresh_database(copied)
    monkeypatch.setitem(COLUMNS, "effect", effect)
    report = verify(copied)
    assert report.faults == []
    assert "another version" in report.notes[0]
    assert refresh_database(copied)
    assert (verify(copied).notes, refresh_database(copied)) == ([], False)


WRONG = {
    "counts": ("dataset", lambda t: t.with_columns(n_genes=pl.col("n_genes") + 1)),
    "one_dataset": ("dataset", lambda t: pl.concat([t, t])),
    "condition_key": ("condition", lambda t: t.with_columns(condition_id=pl.lit("same"))),
    "gene_key": ("gene", lambda t: t.with_columns(gene_index=pl.col("gene_index") + 1)),
    "unknown_condition": ("quality", lambda t: t.with_columns(condition_index=pl.col("condition_index") + 50)),
    "unknown_gene": ("signature", lambda t: t.with_columns(gene_index=pl.col("gene_index") + 50)),
    "repeated_row": ("statistics", lambda t: pl.concat([t, t.head(1)])),
    "missing_row": ("signature", lambda t: t.head(t.height - 1)),
    "unknown_name": ("condition", lambda t: t.with_columns(context_id=pl.lit("CVCL_9999"))),
    "cells": ("condition_batch", lambda t: t.with_columns(n_cells=pl.col("n_cells") + 1)),
    "impossible_sums": ("statistics", lambda t: t.with_columns(sum_log1p=-pl.col("sum_log1p"))),
    "control_sums": ("control_statistics", lambda t: t.with_columns(sum_log1p=pl.col("sum_log1p") * 1.0001)),
    "impossible_signature": ("signature", lambda t: t.with_columns(p_value=pl.lit(1.5))),
    "quality_row": ("quality", lambda t: t.head(1)),
}


@pytest.mark.parametrize("check", sql_files("checks"))
def test_check__returns_the_rows_at_fault(copied, check):
    table, change = WRONG[check]
    rewrite(copied, "first", table, change)
    found = {fault.what: fault for fault in verify(copied).faults}
    fault = found[f"Check '{check}' finds rows."]
    assert (fault.dataset_id, fault.expected) == ("first", heading(sql_files("checks")[check]))
    assert fault.got


def test_contract__a_table_of_other_types_is_found(copied):
    rewrite(copied, "first", "gene", lambda t: t.with_columns(pl.col("gene_index").cast(pl.Int64)))
    assert "A table does not keep the contract." in {fault.what for fault in verify(copied).faults}


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("signature", lambda t: t.with_columns(effect=pl.col("effect") * 1.001, z=pl.col("z") * 1.001)),
        ("quality", lambda t: t.with_columns(is_responder=~pl.col("is_responder"))),
    ],
)
def test_deep__finds_what_the_sums_do_not_give(copied, table, change):
    rewrite(copied, "first", table, change)
    assert verify(copied).faults == []
    (fault,) = verify(copied, deep=[recompute]).faults
    assert fault.what == f"Table '{table}' is not what the sums give."
    assert "condition_index" in fault.got


def test_deep__of_the_small_world_is_clean(world):
    assert verify(world, deep=[recompute]).faults == []


def test_restoration__without_a_manifest_still_names_a_spec(warehouse):
    release = read_snapshot(warehouse).datasets["second"]
    (release_path(warehouse, "second", release) / MANIFEST).write_text("{")
    assert restoration(warehouse, "second", release).endswith("ingest second.toml")


def test_command__is_exit_code_1_on_damage_and_says_what_to_do(warehouse):
    command = ["--warehouse", str(warehouse), "verify"]
    clean = CliRunner().invoke(featurestore, command)
    assert (clean.exit_code, clean.stderr) == (0, "")
    assert "all as published" in clean.stdout
    flip(snapshot_path(warehouse, 3), 333)
    damaged = CliRunner().invoke(featurestore, [*command, "--format", "json"])
    assert damaged.exit_code == 1
    assert json.loads(damaged.stdout)["faults"][0]["where"] == str(snapshot_path(warehouse, 3))


def test_verify__names_a_release_that_no_snapshot_names(copied):
    """Both records of the newest snapshot are lost: nothing says that it was, but its release is there."""
    (lost,) = (copied / HEADS).iterdir()
    lost.unlink()
    newest = read_snapshot(copied)
    snapshot_path(copied, newest.number).unlink()
    notes = [note for note in verify(copied).notes if "named by no snapshot" in note]
    assert len(notes) == 1
    assert notes[0].startswith(f"dataset_id=first/release_id={newest.datasets['first']} is named by no snapshot")
    assert not [note for note in verify(copied, 2).notes if "named by" in note]
