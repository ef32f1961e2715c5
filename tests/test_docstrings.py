"""What a function raises is in its docstring: nobody has to read it to know."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
APART = (ast.FunctionDef, ast.Lambda, ast.ClassDef)


def public_functions(node: ast.AST) -> Iterator[ast.FunctionDef]:
    """Yield functions and methods whose names say that they are for others; not those within functions."""
    for each in ast.iter_child_nodes(node):
        if isinstance(each, ast.FunctionDef | ast.ClassDef) and not each.name.startswith("_"):
            if isinstance(each, ast.FunctionDef):
                yield each
            else:
                yield from public_functions(each)


def raised(node: ast.AST) -> Iterator[str]:
    """Yield the errors that are made in a function itself."""
    for each in ast.iter_child_nodes(node):
        if isinstance(each, ast.Raise) and isinstance(each.exc, ast.Call) and isinstance(each.exc.func, ast.Name):
            yield each.exc.func.id
        if not isinstance(each, APART):
            yield from raised(each)


def test_docstrings__say_what_is_raised():
    found = {
        f"{path.relative_to(CHECKOUT)}:{function.lineno} {function.name}": ast.get_docstring(function) or ""
        for package in ("featurestore", "ingest")
        for path in sorted((CHECKOUT / package).rglob("*.py"))
        if path.parent.name != "commands"  # their docstrings are help texts
        for function in public_functions(ast.parse(path.read_text(encoding="utf-8")))
        if any(name.endswith("Error") for name in raised(function))
    }
    assert len(found) > 200
    assert [name for name, text in found.items() if "aise" not in text] == []
