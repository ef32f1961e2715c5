"""``featurestore ingest`` says what it leaves open, and what to do where a spec or its files are not there."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from featurestore.cli import featurestore
from featurestore.errors import SpecError
from ingest.commands.ingest import find_spec
from ingest.layouts import write_h5ad
from ingest.reader import INDEX

GENES = ["TP53", "MYC", "STAT1", "GAPDH"]
SPEC = """
[dataset]
id = "guides"
files = ["guides.h5ad"]
values = "counts"
assay = "perturb_seq"
[condition]
perturbation = "guide"
kind = "crispri"
controls = ["sgNTC-1"]
context = { column = "line" }
"""


def ingested(folder, guides, lines, more=""):
    """Ingest cells, and return what is printed after the summary."""
    n = 60
    counts = np.random.default_rng(0).poisson(2.0, (n, len(GENES))).astype(np.float32)
    rows = {"guide": [guides[at % len(guides)] for at in range(n)], "line": [lines[at % len(lines)] for at in range(n)]}
    table = pl.DataFrame({INDEX: [f"c{at}" for at in range(n)], **rows})
    write_h5ad(folder / "guides.h5ad", counts, table, pl.DataFrame({INDEX: GENES}))
    (folder / "spec.toml").write_text(SPEC + more)
    words = ["--warehouse", str(folder / "warehouse"), "ingest", str(folder / "spec.toml")]
    done = CliRunner().invoke(featurestore, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    summary, *others = done.stdout.splitlines()
    assert summary.startswith("guides: ")
    again = CliRunner().invoke(featurestore, words, catch_exceptions=False)
    assert again.stdout.count("\n") == 1
    return others


def test_ingest__names_perturbations_without_a_gene(tmp_path):
    labels = ["sgNTC-1", "sgTP53-1", "sgTP53-2", "MYC", "sgSTAT1-1", "sgSTAT1-2", "sgMYC-1"]
    (line,) = ingested(tmp_path, labels, ["K562"])
    assert line.startswith("  no gene for 5 of 6 perturbation labels: 'sgTP53-1', 'sgTP53-2', 'sgSTAT1-1', ...; ")
    assert "strip" in line


def test_ingest__says_nothing_of_what_is_known(tmp_path):
    assert ingested(tmp_path, ["sgNTC-1", "sgTP53-1"], ["K562", "HepG2"], 'strip = "^sg|-\\\\d+$"') == []


def test_ingest__names_contexts_that_are_no_known_line(tmp_path):
    (line,) = ingested(tmp_path, ["sgNTC-1", "sgNTC-1", "MYC", "MYC"], ["Jurkatt", "K562", "K562", "T cell CD4+"])
    assert line == (
        "  no known cell line for 2 of 3 context labels, each has an id of its own: "
        "'Jurkatt' (did you mean 'Jurkat'?), 'T cell CD4+'"
    )


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
