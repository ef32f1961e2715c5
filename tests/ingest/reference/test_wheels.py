"""Wheels are opened only if they are the pinned ones."""

import hashlib
import zipfile
from pathlib import Path

import pytest

from featurestore.errors import SourceError
from ingest.reference import wheels
from ingest.reference.wheels import WHEELS, Wheel, Wheelhouse, download, newest_wheels


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


def test_download__of_the_newest_names_packages_only(monkeypatch, tmp_path):
    asked = {}

    def run(command, **options):
        asked["command"], asked["requirements"] = command, Path(command[-1]).read_text().splitlines()
        return wheels.subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(wheels.subprocess, "run", run)
    download(tmp_path, newest=True)
    assert "--require-hashes" not in asked["command"]
    assert asked["requirements"] == [wheel.package for wheel in WHEELS]


def wheel_file(folder, version, metadata):
    path = folder / f"gene_names-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"gene_names-{version}.dist-info/METADATA", metadata)
        archive.writestr("gene_names/table.csv", version)
    return path


def test_newest_wheels__takes_the_highest_release_and_its_own_facts(pinned, tmp_path):
    wheel, _ = pinned
    newest = wheel_file(tmp_path, "1.10", "Metadata-Version: 2.4\nName: gene-names\nLicense-Expression: BSD-3-Clause\n")
    wheel_file(tmp_path, "1.9.2", "License: MIT\n")
    wheel_file(tmp_path, "2.0rc1", "License: MIT\n")
    (found,) = newest_wheels(tmp_path, (wheel,))
    assert (found.version, found.licence) == ("1.10", "BSD-3-Clause")
    assert found.sha256 == hashlib.sha256(newest.read_bytes()).hexdigest()
    assert found.data_release == "as of the wheel; 1.0 had today"
    assert Wheelhouse(tmp_path, (found,)).read("gene-names", "gene_names/table.csv") == b"1.10"


def test_newest_wheels__the_pinned_one_is_described_as_pinned(pinned, tmp_path):
    wheel, path = pinned
    assert newest_wheels(tmp_path, (wheel,)) == (wheel,)
    path.unlink()
    with pytest.raises(SourceError, match="A wheel is missing") as raised:
        newest_wheels(tmp_path, (wheel,))
    assert raised.value.expected == "gene_names-*.whl"
