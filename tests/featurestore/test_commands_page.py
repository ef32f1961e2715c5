"""The page of commands says what they say of themselves."""

from __future__ import annotations

from pathlib import Path

from featurestore.commands_page import page


def test_page__is_what_the_commands_say():
    written = (Path(__file__).parents[2] / "featurestore" / "COMMANDS.md").read_text(encoding="utf-8")
    assert written == page(), "run: python -m featurestore.commands_page > featurestore/COMMANDS.md"
