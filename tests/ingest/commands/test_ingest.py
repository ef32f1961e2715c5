"""``featurestore ingest`` says what to do where a spec or its files are not there."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from featurestore.cli import featurestore
from featurestore.errors import SpecError
from ingest.commands.ingest import find_spec


@pytest.mark.parametrize(
    ("name", "do"),
    [
        (
            "replogle_2022_rpe1",
            "the folder of the files; 'featurestore fetch replogle_2022_rpe1 -o FOLDER' downloads them",
        ),
        ("macseq_pmmsq033", "give --data, the folder of the files"),
    ],
)
def test_ingest__asks_for_the_files_of_a_spec_that_comes_along(tmp_path, name, do):
    with pytest.raises(SpecError, match=f"The spec '{name}' comes without its files") as raised:
        CliRunner().invoke(
            featurestore, ["--warehouse", str(tmp_path), "ingest", name], catch_exceptions=False, standalone_mode=False
        )
    assert raised.value.do.endswith(do)


def test_find_spec__names_near_files_and_specs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_screen.toml").touch()
    for wrong, do in {
        "my_scren.toml": "did you mean 'my_screen.toml'?",
        "replogle_2022_rpe1.toml": "did you mean 'replogle_2022_rpe1' or 'replogle_2022_rpe1_bulk'?",
        "nothing.toml": "known: 'my_screen.toml', 'adamson_2016_epistasis'",
        "replogle_2022_rpe": "did you mean 'replogle_2022_rpe1'",
    }.items():
        with pytest.raises(SpecError, match="There is no") as raised:
            find_spec(tmp_path.__class__(wrong))
        assert raised.value.do.startswith(do)
