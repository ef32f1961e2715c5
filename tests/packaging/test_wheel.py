"""The wheel holds what git tracks, and works when installed somewhere else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
SHIPPED = ("featurestore", "ingest", "sql")


def tracked() -> set[str]:
    if shutil.which("git") is None or not (CHECKOUT / ".git").exists():
        pytest.skip("not a git checkout")
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *SHIPPED]
    listed = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout.split()
    return {name for name in listed if (CHECKOUT / name).exists()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run(installed: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(installed)}
    return subprocess.run(
        [sys.executable, "-P", *arguments], cwd=installed, env=environment, capture_output=True, text=True, check=False
    )


def test_wheel__holds_exactly_what_git_tracks(wheel):
    expected = {name.replace("sql/", "featurestore/sql/", 1) if name.startswith("sql/") else name for name in tracked()}
    with zipfile.ZipFile(wheel) as archive:
        shipped = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert shipped == expected


def test_wheel__installed_elsewhere_opens_a_warehouse_and_lists_the_views(installed, world):
    where = run(installed, "-c", "import featurestore; print(featurestore.__file__)")
    assert where.stdout.startswith(str(installed)), where.stderr
    shown = run(installed, "-m", "featurestore", "--warehouse", str(world), "sql", "show tables", "--format", "csv")
    assert shown.returncode == 0, shown.stderr
    assert {"dataset", "signature", "mapping"} <= set(shown.stdout.split())


def test_wheel__installed_elsewhere_ingests(installed, world_files, tmp_path):
    spec = str(world_files / "lincs_demo.toml")
    done = run(installed, "-m", "featurestore", "--warehouse", str(tmp_path / "w"), "ingest", spec)
    assert done.returncode == 0, done.stderr
    assert "80 conditions" in done.stdout
