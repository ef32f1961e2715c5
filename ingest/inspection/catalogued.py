"""The catalogued dataset that a file is of, by its name."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ingest.catalogue.catalogue import Entry, read_catalogue


@cache
def _shipped() -> list[Entry]:
    return list(read_catalogue().values())


def catalogued(path: Path) -> Entry | None:
    """Find the catalogued dataset that has a file of this name."""
    named = (entry for entry in _shipped() if any(file.is_called(path.name) for file in entry.files))
    return next(named, None)
