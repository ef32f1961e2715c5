"""Every registered format keeps the reader contract, on the smallest file of each of its layouts."""

from __future__ import annotations

import pytest

from ingest.readers.open import formats, open_source
from ingest.testing import CHECKS, Case
from layouts.examples import EXAMPLES

FORMATS = {kind.name: kind for kind in formats()}
WITHOUT_END = {"table", "depmap", "quantified"}
"""Text that says nowhere how long it is."""
EVERY = [(name, layout) for name, layouts in EXAMPLES.items() for layout in layouts]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return {(name, layout): EXAMPLES[name][layout](tmp_path_factory.mktemp(name)) for name, layout in EVERY}


def test_registered_formats__all_have_an_example():
    by_their_library = {"soma"}  # tests/soma
    assert set(EXAMPLES) == set(FORMATS) - by_their_library, (
        "add the smallest file of each layout to tests/files/layouts/examples.py"
    )


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
@pytest.mark.parametrize(("name", "layout"), EVERY)
def test_reader__keeps_the_contract(name, layout, check, files):
    check(Case(FORMATS[name], files[name, layout], knows_its_end=name not in WITHOUT_END))


@pytest.mark.parametrize(("name", "layout"), EVERY)
def test_recognises__exactly_one_format_takes_a_file(name, layout, files):
    path = files[name, layout]
    assert [kind.name for kind in FORMATS.values() if kind.recognises(path)] == [name]
    reader = open_source(path)
    reader.close()
    assert reader.format.startswith(name)
