"""The page of commands says what they say of themselves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "featurestore" / "COMMANDS.md"


def test_page__is_what_the_commands_say():
    """In a process of its own: a command that another test has called alone keeps that call's help options."""
    command = [sys.executable, "-m", "featurestore.commands_page"]
    said = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    assert PAGE.read_text(encoding="utf-8") == said, f"run: python -m featurestore.commands_page > {PAGE.name}"
