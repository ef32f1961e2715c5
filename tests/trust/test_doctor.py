"""``featurestore doctor`` says what is wrong before work is lost to it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest

from featurestore.storage.snapshot import MANIFEST, read_snapshot, release_path, snapshot_path
from featurestore.upkeep import doctor
from featurestore.upkeep.doctor import diagnose


@pytest.fixture(autouse=True)
def _roomy_disk(monkeypatch):
    """Let no test depend on how full the disk is that it runs on."""
    roomy = SimpleNamespace(total=10**12, used=10**11, free=9 * 10**11)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: roomy)


def found(root) -> dict[str, tuple[str, str]]:
    return {symptom.check: (symptom.status, f"{symptom.found} {symptom.do}") for symptom in diagnose(root)}


def test_doctor__all_is_well(warehouse):
    before = {path: path.stat().st_mtime_ns for path in (warehouse, *warehouse.rglob("*"))}
    symptoms = found(warehouse)
    assert {status for status, _ in symptoms.values()} == {"ok"}
    assert "snapshot" in symptoms
    assert {path: path.stat().st_mtime_ns for path in (warehouse, *warehouse.rglob("*"))} == before


def test_doctor__without_a_warehouse_is_no_problem(tmp_path):
    status, words = found(tmp_path / "none")["warehouse"]
    assert status == "note"
    assert "first ingest" in words


def test_doctor__finds_what_was_left_behind(warehouse):
    (warehouse / "staging" / "dead").mkdir(parents=True)
    status, words = found(warehouse)["staging"]
    assert (status, words) == ("problem", "1 folders of processes that were killed remove it: featurestore gc")


def test_doctor__finds_a_full_disk(warehouse, monkeypatch):
    nearly_full = SimpleNamespace(total=10**12, used=10**12, free=10**6)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: nearly_full)
    assert found(warehouse)["disk space"][0] == "problem"


def test_doctor__finds_an_old_and_an_absent_package(warehouse, monkeypatch):
    monkeypatch.setattr(doctor, "requires", lambda name: ["duckdb>=99", "polars>=1", "rdkit>=1; extra == 'chemistry'"])
    status, words = found(warehouse)["packages"]
    assert status == "problem"
    assert "needs 99" in words
    monkeypatch.setattr(doctor, "requires", lambda name: ["nosuchpackage>=1"])
    assert "nosuchpackage is not installed" in found(warehouse)["packages"][1]


def test_doctor__finds_an_old_python(warehouse, monkeypatch):
    monkeypatch.setattr(doctor, "LEAST_PYTHON", (9, 9))
    assert found(warehouse)["python"][0] == "problem"


def test_doctor__finds_missing_files_and_a_damaged_snapshot(warehouse):
    folder = release_path(warehouse, "second", read_snapshot(warehouse).datasets["second"])
    (folder / "gene.parquet").unlink()
    assert "gene.parquet" in found(warehouse)["dataset second"][1]
    (folder / MANIFEST).unlink()
    assert found(warehouse)["dataset second"][0] == "problem"
    snapshot_path(warehouse, 3).write_text("x")
    assert found(warehouse)["snapshot"][0] == "problem"


def test_doctor__a_folder_that_can_only_be_read_is_a_note(warehouse, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, how: "snapshots" not in str(path))
    assert found(warehouse)["writable"][0] == "note"


@pytest.mark.parametrize("leave", [False, True])
def test_command__exit_code_tells(warehouse, leave):
    if leave:
        (warehouse / "staging" / "dead").mkdir(parents=True)
    command = [sys.executable, "-m", "featurestore", "--warehouse", str(warehouse), "doctor", "--format", "json"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    symptoms = json.loads(answer.stdout)
    assert {"check", "status", "found", "do"} == set(symptoms[0])
    problems = [symptom["check"] for symptom in symptoms if symptom["status"] == "problem"]
    assert ("staging" in problems) is leave
    assert (answer.returncode, answer.stderr) == (1 if problems else 0, "")  # this machine's disk may be full
