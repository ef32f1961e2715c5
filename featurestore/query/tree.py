"""A statement as DuckDB writes it out (``json_serialize_sql``): a tree of objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def parts_of(tree: Any) -> Iterator[Mapping[str, Any]]:
    """Yield every object of a tree, outer ones before those within them."""
    if isinstance(tree, dict):
        yield tree
        for each in tree.values():
            yield from parts_of(each)
    elif isinstance(tree, list):
        for each in tree:
            yield from parts_of(each)
