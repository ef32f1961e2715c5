"""Addresses on object stores, told from folders."""

from __future__ import annotations

SEPARATOR = "://"


def is_url(path: object) -> bool:
    """Say whether this names a place on an object store, not on a disk."""
    return isinstance(path, str) and SEPARATOR in path
