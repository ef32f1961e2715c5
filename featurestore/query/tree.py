"""A statement as DuckDB writes it out (``json_serialize_sql``): a tree of objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

Parameters: TypeAlias = Mapping[str, Any] | Sequence[Any] | None
"""What stands for ``$name`` or ``?`` of a statement."""


def parts_of(tree: Any) -> Iterator[Mapping[str, Any]]:
    """Yield every object of a tree, outer ones before those within them."""
    if isinstance(tree, dict):
        yield tree
        for each in tree.values():
            yield from parts_of(each)
    elif isinstance(tree, list):
        for each in tree:
            yield from parts_of(each)


def text_of(expression: Any, parameters: Parameters = None) -> str | None:
    """Return the text that a constant or a parameter is; None of any other expression, and of any other value."""
    if not isinstance(expression, dict):
        return None
    value: Any = None
    if expression.get("type") == "VALUE_CONSTANT":
        literal = expression.get("literal") or {}
        value = literal.get("text") if literal.get("kind") == "STRING" else None
    elif expression.get("type") == "VALUE_PARAMETER":
        name = str(expression.get("identifier"))
        if isinstance(parameters, Mapping):
            value = parameters.get(name)
        elif parameters is not None and name.isdecimal() and 0 < int(name) <= len(parameters):
            value = parameters[int(name) - 1]
    return value if isinstance(value, str) else None
