"""The Python reference is what docstrings say, and has all that the package offers."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import featurestore
from featurestore.api_page import page

PAGE = Path(featurestore.__file__).with_name("API.md")


def test_page__is_what_docstrings_say():
    assert PAGE.read_text(encoding="utf-8") == page(), (
        f"run: python -m featurestore.api_page > featurestore/{PAGE.name}"
    )


def test_page__has_every_name_once_and_the_methods_of_a_store():
    headings = re.findall(r"^##+ (.+)$", page(), flags=re.MULTILINE)
    assert len(headings) == len(set(headings))
    assert set(featurestore.__all__) <= set(headings)
    own = {name for name in vars(featurestore.Store) if not name.startswith("_")}
    assert own == {heading.removeprefix("Store.") for heading in headings if heading.startswith("Store.")}


def test_page__gives_the_options_that_a_method_hands_on():
    text = page()
    search = text[text.index("### Store.search") : text.index("### Store.compare")]
    assert 'score: Score = "cosine"' in search
    assert "- `opposite`:\n  Whether to list what does the opposite" in search
    assert re.search(r" at 0x[0-9a-f]+", text) is None, "a default has no address"


def public():
    for name in featurestore.__all__:
        offered = getattr(featurestore, name)
        yield name, offered
        for method, function in vars(offered).items() if isinstance(offered, type) else ():
            if inspect.isfunction(function) and not method.startswith("_"):
                yield f"{name}.{method}", function


@pytest.mark.parametrize(("name", "offered"), list(public()))
def test_docstring__says_of_each_parameter_what_it_is(name, offered):
    said = offered.__mro__ if isinstance(offered, type) else (offered,)
    text = "\n".join(inspect.getdoc(each) or "" for each in said)
    named = {word for line in re.findall(r"^(\w+(?:, \w+)*)$", text, flags=re.MULTILINE) for word in line.split(", ")}
    assert set(inspect.signature(offered).parameters) - {"self"} <= named, name
