"""Each finding is a script that can be run, says what was seen, pins what it installs, and is in the table."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "findings"
SCRIPTS = sorted(FOLDER.glob("*.sh"))
FIELDS = ("Finding", "Tools", "Seen", "Output", "Guess", "Means", "Upstream")
ROW = re.compile(r"^\| \[`(\w+)`\]\((\w+)\.sh\) \| \S.*\. \|$", re.MULTILINE)
INSTALL = re.compile(r'^"\$work/\w+/bin/pip" install -q (.+)$', re.MULTILINE)
PINNED = re.compile(r"[A-Za-z0-9_.-]+==[0-9][\w.]*")


def test_the_table_names_every_finding_once() -> None:
    rows = ROW.findall((FOLDER / "README.md").read_text(encoding="utf-8"))
    assert all(name == link for name, link in rows)
    assert [name for name, _ in rows] == [script.stem for script in SCRIPTS]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_finding_says_what_it_is_and_pins_what_it_runs(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    assert os.access(script, os.X_OK)
    assert re.findall(r"^# (\w+): \S", text, re.MULTILINE) == list(FIELDS)
    assert "\nset -eu\nwork=$(mktemp -d)\ntrap 'rm -rf \"$work\"' EXIT\n" in text
    installs = INSTALL.findall(text)
    assert installs
    assert len(installs) == text.count("pip")
    assert all(PINNED.fullmatch(package) for line in installs for package in line.split())
    assert "://" not in text
    assert "featurestore" not in text
    assert "assert " in text
