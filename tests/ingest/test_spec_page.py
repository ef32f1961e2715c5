"""The page of spec keys is what the models say, and so is ``inspect --explain``."""

from __future__ import annotations

import re
from pathlib import Path

from click.testing import CliRunner

from ingest.commands.inspect import inspect
from ingest.sections import JoinSection
from ingest.spec import DatasetSpec
from ingest.spec_page import page

PAGE = Path(__file__).resolve().parents[2] / "ingest" / "SPEC.md"


def test_page__is_what_the_models_say():
    assert PAGE.read_text(encoding="utf-8") == page()


def test_page__has_every_section_and_key():
    sections = re.split(r"^## ", page(), flags=re.MULTILINE)
    headings = {text.partition("\n")[0] for text in sections}
    assert headings >= {f"`[{name}]`" for name in DatasetSpec.model_fields} | {"`[[rows.join]]`"}
    keys = {key for text in sections for key in re.findall(r"^\| `(\w+)`", text, re.MULTILINE)}
    dataset, condition = (DatasetSpec.model_fields[name].annotation for name in ("dataset", "condition"))
    for model in (dataset, condition, JoinSection):
        assert keys >= set(model.model_fields)


def test_inspect__explains_without_a_file():
    answer = CliRunner().invoke(inspect, ["--explain"])
    assert answer.exit_code == 0
    assert answer.stdout.strip() == page().strip()
