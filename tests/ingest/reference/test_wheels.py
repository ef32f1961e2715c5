"""Wheels are opened only if they are the pinned ones."""

import hashlib
import zipfile
from pathlib import Path

import pytest

from featurestore.errors import SourceError
from ingest.reference import wheels
from ingest.reference.wheels import WHEELS, Wheel, Wheelhouse, download


@pytest.fixture
def pinned(tmp_path):
    path = tmp_path / "gene_names-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("gene_names/table.csv", "TP53\n")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Wheel("gene-names", "1.0", digest, "MIT", "today", "free"), path


def test_read__returns_a_member(pinned, tmp_path):
    wheel, _ = pinned
    assert Wheelhouse(tmp_path, (wheel,)).read("gene-names", "gene_names/table.csv") == b"TP53\n"


def test_read__refuses_a_changed_wheel(pinned, tmp_path):
    wheel, path = pinned
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(SourceError, match="not the pinned one") as raised:
        Wheelhouse(tmp_path, (wheel,)).read("gene-names", "gene_names/table.csv")
    assert wheel.sha256 in raised.value.expected


def test_read__names_a_missing_wheel_and_member(pinned, tmp_path):
    wheel, path = pinned
    with pytest.raises(SourceError, match="lacks a file"):
        Wheelhouse(tmp_path, (wheel,)).read("gene-names", "gene_names/other.csv")
    path.unlink()
    with pytest.raises(SourceError, match="missing") as raised:
        Wheelhouse(tmp_path, (wheel,)).read("gene-names", "gene_names/table.csv")
    assert raised.value.expected == "gene_names-1.0-*.whl"


def test_download__asks_pip_for_exact_hashes_without_dependencies(monkeypatch, tmp_path):
    asked = {}

    def run(command, **options):
        asked["command"] = command
        asked["requirements"] = Path(command[-1]).read_text().splitlines()
        return wheels.subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(wheels.subprocess, "run", run)
    download(tmp_path)
    assert {"--no-deps", "--require-hashes", "--only-binary=:all:"} <= set(asked["command"])
    assert len(asked["requirements"]) == len(WHEELS)
    assert all(" --hash=sha256:" in line and "==" in line for line in asked["requirements"])


def test_download__failure_is_one_message(monkeypatch, tmp_path):
    failed = wheels.subprocess.CompletedProcess([], 1, "", "noise\nERROR: no network\n")
    monkeypatch.setattr(wheels.subprocess, "run", lambda command, **options: failed)
    with pytest.raises(SourceError, match="could not be downloaded") as raised:
        download(tmp_path)
    assert raised.value.got == "ERROR: no network"
