"""Write what Python is offered, from the docstrings: ``python -m featurestore.api_page > featurestore/API.md``."""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import featurestore

HEAD = """\
# Python reference

What `import featurestore as fs` offers, by its docstrings. A first session:

```python
store = fs.open("warehouse")
store.sql("select * from dataset").pl()
store.signature("CCDC6", context="K562")
matrix = store.build("features.toml")
print(fs.evaluate(matrix))
```

This page is written by `python -m featurestore.api_page > featurestore/API.md`.
"""
FIRST = ("open", "Store", "Warehouse")
"""What a session begins with; the rest follows by alphabet, errors last."""
LISTED = ("Parameters", "Attributes", "Returns", "Yields", "Raises")
"""Sections of a docstring that list things, as numpydoc has them."""
ROLE = re.compile(r":(?:class|func|meth|mod|data|attr):`~?([^`]+)`")
SEE = re.compile(r"see :(?:func|meth):`(featurestore\.[\w.]+)\.(\w+)`", re.IGNORECASE)
"""Where a docstring leaves the options of a method to those of a function."""


def page() -> str:
    """Return the page: what a session begins with, then each name of ``featurestore.__all__``."""
    return HEAD + "".join(f"\n{part}\n" for name in _names() for part in _entry(name))


def _names() -> list[str]:
    rest = [name for name in featurestore.__all__ if name not in FIRST]
    return [*FIRST, *sorted(rest, key=lambda name: (_is_error(getattr(featurestore, name)), name))]


def _is_error(offered: Any) -> bool:
    return isinstance(offered, type) and issubclass(offered, Exception)


def _entry(name: str) -> Iterator[str]:
    offered = getattr(featurestore, name)
    yield f"## {name}"
    if not _is_error(offered):
        yield _call(f"fs.{name}", offered)
    yield from _said(offered)
    if isinstance(offered, type):
        for method, function in vars(offered).items():
            if inspect.isfunction(function) and not method.startswith("_"):
                yield f"### {name}.{method}"
                yield _call(f"{name}.{method}", function)
                yield from _said(function)


def _call(name: str, function: Callable[..., Any]) -> str:
    signature = inspect.signature(function)
    parameters = [each for each in signature.parameters.values() if each.name != "self"]
    parts: list[str] = []
    for before, each in zip([None, *parameters], parameters, strict=False):
        is_named = each.kind is each.KEYWORD_ONLY and (before is None or before.kind is not each.KEYWORD_ONLY)
        parts += ["*"] if is_named else []
        parts.append(_written(each))
    returned = f" -> {signature.return_annotation}" if inspect.isfunction(function) else ""
    return f"```python\n{name}({', '.join(parts)}){returned}\n```"


def _written(parameter: inspect.Parameter) -> str:
    """Write a parameter with its type and default; a function that is a default has no name to show."""
    stars = (
        "**" if parameter.kind is parameter.VAR_KEYWORD else "*" if parameter.kind is parameter.VAR_POSITIONAL else ""
    )
    typed, default = f"{stars}{parameter.name}: {parameter.annotation}", parameter.default
    if default is parameter.empty:
        return typed
    return f"{typed} = {json.dumps(default) if isinstance(default, str) else '...' if callable(default) else default}"


def _said(offered: Any) -> Iterator[str]:
    """Give the docstring in Markdown; and that of the function that it leaves its options to."""
    text = inspect.getdoc(offered) or ""
    for section, lines in _sections(text):
        body = "\n".join(_listed(lines) if section in LISTED else _plain(lines)).strip()
        if body:
            yield f"**{section}**\n\n{body}" if section else body
    see = SEE.search(text)
    if see is not None and "**Parameters**" not in text and inspect.isfunction(offered):
        function = getattr(import_module(see[1]), see[2])
        if any(each.kind is each.VAR_KEYWORD for each in inspect.signature(offered).parameters.values()):
            yield f"`{see[1]}.{see[2]}` says:"
            yield _call(see[2], function)
            yield from _said(function)


def _sections(text: str) -> Iterator[tuple[str, list[str]]]:
    """Take a docstring apart at its underlined headings; what precedes them has none."""
    name, held = "", list[str]()
    lines = text.splitlines()
    for at, line in enumerate(lines):
        if at + 1 < len(lines) and re.fullmatch(r"-{3,}", lines[at + 1]):
            yield name, held
            name, held = line, []
        elif not re.fullmatch(r"-{3,}", line):
            held.append(line)
    yield name, held


def _listed(lines: list[str]) -> Iterator[str]:
    """Write names at the margin, and what is indented below them, as a list; other text as it is."""
    has_names = any(line.startswith("    ") for line in lines)
    for line in _marked(lines):
        if line.startswith("    ") or not line:
            yield f"  {line.strip()}".rstrip()
        else:
            yield f"- `{line}`:" if has_names else line


def _plain(lines: list[str]) -> Iterator[str]:
    """Write text as it is, and what is typed at a prompt as code."""
    is_code = False
    for line in _marked(lines):
        starts = line.startswith((">>>", "..."))
        if starts != is_code and (starts or not line):
            yield "```python" if starts else "```"
            is_code = starts
        yield line.replace("  # doctest: +SKIP", "")
    if is_code:
        yield "```"


def _marked(lines: list[str]) -> Iterator[str]:
    for line in lines:
        yield ROLE.sub(r"`\1`", line).replace("``", "`")


if __name__ == "__main__":
    sys.stdout.write(page())
