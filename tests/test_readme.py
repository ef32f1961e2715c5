"""Every block of the pages is run, and its answers are what the page says."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from featurestore.cli import featurestore
from featurestore.features.spec import FeatureSpec
from ingest.catalogue.catalogue import read_catalogue
from ingest.demo import FEATURES
from ingest.spec import parse_spec

CHECKOUT = Path(__file__).resolve().parents[1]
PAGES = [CHECKOUT / folder / "README.md" for folder in ("", "featurestore", "ingest", "tests", "tests/benchmarks")]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"-?\d[\d,]*\.?\d*")
WIDE = {"COLUMNS": "120"}
TOLERANCE = 0.03
"""How far a score may be off on another machine: linear algebra libraries differ in the last digits."""


def blocks(language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(all_pages()) if kind == language]


def all_pages() -> str:
    return "".join(page.read_text(encoding="utf-8") for page in PAGES)


class Demo:
    """The demonstration, run in a folder: it shows its commands with their answers, and leaves a warehouse."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answers: dict[tuple[str, ...], str] = {}
        all_shown, _, _ = self._run("demo", "-o", "demo").rpartition("\nDone in ")
        for run in all_shown.split("\n$ ")[1:]:
            command, _, shown = run.partition("\n")
            self.answers[tuple(shlex.split(command)[1:])] = shown

    def answer(self, command: str) -> str:
        """Run a command, or take the answer of the demonstration if that ran it."""
        program, *words = shlex.split(command)
        assert program == "featurestore"
        shown = self.answers.get(tuple(words))
        return without_hashes(self._run(*words) if shown is None else shown)

    def _run(self, *words: str) -> str:
        with contextlib.chdir(self.folder):
            ran = CliRunner(env=WIDE).invoke(featurestore, words, prog_name="featurestore")
        assert ran.exit_code == 0, (ran.output, ran.exception)
        return ran.stdout


def without_hashes(text: str) -> str:
    return re.sub(r"(recipe|gene reference:) [0-9a-f]+", r"\1 ...", text)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return Demo(tmp_path_factory.mktemp("readme"))


def same(expected: str, got: str) -> bool:
    """Compare two texts word by word, numbers with a tolerance."""
    if NUMBER.sub("#", expected).split() != NUMBER.sub("#", got).split():
        return False
    numbers = [[float(n.replace(",", "")) for n in NUMBER.findall(text)] for text in (expected, got)]
    return all(a == pytest.approx(b, abs=TOLERANCE, rel=TOLERANCE) for a, b in zip(*numbers, strict=True))


@pytest.mark.parametrize("block", blocks("console"), ids=lambda block: block.split("\n", 1)[0][-40:])
def test_console_block__gives_the_answer_shown(block, demo):
    for asked in block.removeprefix("$ ").split("\n$ "):
        command, _, shown = asked.partition("\n")
        got = demo.answer(command)
        if shown.endswith("  ...\n"):  # the rest is like these lines
            shown = shown.removesuffix("  ...\n")
            got = "".join(got.splitlines(keepends=True)[: shown.count("\n")])
        assert same(shown, got), f"a page shows\n{shown}\nbut the command gives\n{got}"


def test_python_block__runs_and_prints_what_is_shown(demo):
    (code,), (shown,) = blocks("python"), blocks("text")
    out = io.StringIO()
    with contextlib.chdir(demo.folder), contextlib.redirect_stdout(out):
        exec(code, {})
    assert out.getvalue() == shown


def test_toml_blocks__are_valid_specs():
    features, *datasets = blocks("toml")
    assert features == FEATURES
    FeatureSpec.model_validate(tomllib.loads(features))
    ids = [parse_spec(tomllib.loads(dataset)).dataset.id for dataset in datasets]
    assert ids == ["replogle_2022_k562_essential", "my_differential_expression", "gdsc2"]


def test_plain_blocks__name_make_targets_that_exist():
    targets = set(re.findall(r"^make ([\w-]+)", all_pages(), re.MULTILINE))
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    named = "demo test test-fast test-latest test-writers stress simulation lint bench oracle"
    assert set(named.split()) == targets
    for target in targets:
        assert re.search(rf"^{target}[ :]", makefile, re.MULTILINE)


def test_catalogue__has_as_many_datasets_as_it_says():
    entries = read_catalogue().values()
    n_new = sum(entry.has_own_cells for entry in entries)
    said = re.search(r"(\d+) datasets are catalogued [^;]* (\d+) of them with", all_pages())
    assert said is not None
    assert said.groups() == (str(len(entries)), str(n_new))


def test_demo__shows_commands_that_can_be_pasted(demo):
    words = next(words for words in demo.answers if "matrix" in words[-1])
    assert words == ("--warehouse", "demo/warehouse", "build", "demo/features.toml", "-o", "demo/matrix")


def test_front_page__is_short():
    assert len(PAGES[0].read_text(encoding="utf-8").splitlines()) <= 150


@pytest.mark.parametrize("page", [*PAGES, CHECKOUT / ".github" / "CONTRIBUTING.md"], ids=lambda page: page.parent.name)
def test_links__lead_somewhere(page):
    for link in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / link).exists(), link
