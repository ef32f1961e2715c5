"""Find and read the SQL files, in an installed wheel or in a checkout."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from featurestore.errors import WarehouseError


@cache
def sql_root() -> Traversable:
    """Return the folder that holds ``views/`` and ``examples/``.

    Raises
    ------
    WarehouseError
        Neither the installed package nor the checkout has it.
    """
    installed = files("featurestore") / "sql"
    checkout = Path(__file__).resolve().parents[2] / "sql"
    for root in (installed, checkout):
        if (root / "views").is_dir():
            return root
    raise WarehouseError("The SQL files are missing.", where=f"{installed} and {checkout}", do="reinstall featurestore")


def sql_files(folder: str) -> dict[str, str]:
    """Read the ``.sql`` files of a folder: name without suffix -> text, by name."""
    entries = sorted((sql_root() / folder).iterdir(), key=lambda entry: entry.name)
    return {e.name.removesuffix(".sql"): e.read_text(encoding="utf-8") for e in entries if e.name.endswith(".sql")}


def heading(text: str) -> str:
    """Return the comment that opens a SQL text, as one line."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        lines.append(line.removeprefix("--").strip())
    return " ".join(lines)
