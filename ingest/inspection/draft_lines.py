"""Lines of a drafted spec: TOML, each key below the evidence for its value."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable

WIDTH = 118


class Lines:
    """Lines of TOML, each below the evidence for it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.missing: list[str] = []
        self.doubtful: list[str] = []

    def section(self, name: str) -> None:
        """Begin a table of the spec."""
        self.lines += ["", f"[{name}]"] if self.lines[-1:] else [f"[{name}]"]
        self.name = name.strip("[]")

    def set(self, key: str, value: object, *reasons: str, is_doubtful: bool = False) -> None:
        """Set a key; a doubtful value is marked to be checked."""
        self._explain(reasons)
        self.lines.append(f"{key} = {to_toml(value)}{'  # CHECK' if is_doubtful else ''}")
        if is_doubtful:
            self.doubtful.append(f"{self.name}.{key}")

    def ask(self, key: str, example: object, *reasons: str) -> None:
        """Leave a key to be filled in, with an example of what it may be."""
        self._explain(reasons)
        self.lines.append(f"# FILL IN: {key} = {to_toml(example)}")
        self.missing.append(f"{self.name}.{key}")

    def note(self, text: str) -> None:
        """Add a comment."""
        self.lines += textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="#   ", break_long_words=False)

    def _explain(self, reasons: Iterable[str]) -> None:
        for reason in filter(None, reasons):
            self.note(" ".join(reason.split()))


def to_toml(value: object) -> str:
    """Write text, a list or a table of values as TOML.

    Examples
    --------
    >>> to_toml({"column": "dose", "unit": "nM"})
    '{ column = "dose", unit = "nM" }'
    """
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {to_toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(to_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
