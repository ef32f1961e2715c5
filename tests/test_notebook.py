"""The notebook runs from its first cell to its last, and every cell that ends in an expression shows something."""

from __future__ import annotations

import ast
import contextlib
import io
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
from matplotlib.figure import Figure

NOTEBOOK = Path(__file__).resolve().parents[1] / "featurestore" / "notebooks" / "first_hour.py"
CELLS = NOTEBOOK.read_text(encoding="utf-8").split("# %%")[1:]


@pytest.fixture
def folder(world, tmp_path):
    """A folder where the small world is the warehouse of the demonstration."""
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "warehouse").symlink_to(world)
    return tmp_path


def shown(cell, names):
    """Run a cell as a notebook does, and return what its last line is, or what it prints."""
    tree = ast.parse("#" + cell)
    last = tree.body[-1] if tree.body else None
    is_shown = isinstance(last, ast.Expr) and not (
        isinstance(last.value, ast.Call) and ast.unparse(last.value.func) == "print"
    )
    before = tree.body[:-1] if is_shown else tree.body
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(ast.Module(before, []), str(NOTEBOOK), "exec"), names)
        value = eval(compile(ast.Expression(last.value), str(NOTEBOOK), "eval"), names) if is_shown else None
    return out.getvalue() if value is None else value


def test_notebook__runs_and_shows_its_answers(folder):
    mpl.use("agg")
    names = {}
    with contextlib.chdir(folder):
        answers = [shown(cell, names) for cell in CELLS if not cell.startswith(" [markdown]")]
    plt.close("all")
    assert 18 <= len(CELLS) <= 24
    assert sum(isinstance(answer, Figure) for answer in answers) == 4
    for answer in answers[1:]:
        drawn = answer.axes[0].get_title() if isinstance(answer, Figure) else repr(answer)
        assert drawn not in {"", "None", "''"}
    assert "3 datasets" in names["store"]._repr_html_()
    assert names["evaluation"].scores["model"].to_list()[-1] == "mine"
    best = names["store"].enrich(names["name"], names["gene_sets"], context="K562").table["gene_set"].to_list()
    assert best[-1] == "chance"
    names["store"].close()
