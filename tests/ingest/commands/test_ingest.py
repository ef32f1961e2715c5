"""``featurestore ingest`` says what it leaves open, and what to do where a spec or its files are not there."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from featurestore.cli import featurestore
from featurestore.errors import SpecError
from featurestore.query.warehouse import Warehouse
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


def ingested(folder, guides, lines, more="", n=60):
    """Ingest cells, and return what is printed after the summary, but for what it says of the null."""
    return [line for line in printed(folder, guides, lines, more, n)[1:] if not line.startswith("  null: ")]


def printed(folder, guides, lines, more="", n=60):
    """Ingest cells, and return what is printed."""
    counts = np.random.default_rng(0).poisson(2.0, (n, len(GENES))).astype(np.float32)
    rows = {"guide": [guides[at % len(guides)] for at in range(n)], "line": [lines[at % len(lines)] for at in range(n)]}
    table = pl.DataFrame({INDEX: [f"c{at}" for at in range(n)], **rows})
    write_h5ad(folder / "guides.h5ad", counts, table, pl.DataFrame({INDEX: GENES}))
    (folder / "spec.toml").write_text(SPEC + more)
    words = ["--warehouse", str(folder / "warehouse"), "ingest", str(folder / "spec.toml")]
    done = CliRunner().invoke(featurestore, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("guides: ")
    again = CliRunner().invoke(featurestore, words, catch_exceptions=False)
    assert again.stdout.count("\n") == 1
    return done.stdout.splitlines()


def test_ingest__names_perturbations_without_a_gene(tmp_path):
    labels = ["sgNTC-1", "sgTP53-1", "sgTP53-2", "MYC", "sgSTAT1-1", "sgSTAT1-2", "sgMYC-1"]
    (line,) = ingested(tmp_path, labels, ["K562"])
    assert line.startswith("  no gene for 5 of 6 perturbation labels: 'sgTP53-1', 'sgTP53-2', 'sgSTAT1-1', ...; ")
    assert "strip" in line


def test_ingest__says_nothing_of_what_is_known(tmp_path):
    lines = ["K562", "K562", "HepG2", "HepG2"]
    assert ingested(tmp_path, ["sgNTC-1", "sgTP53-1"], lines, 'strip = "^sg|-\\\\d+$"') == []


def test_ingest__names_contexts_that_are_no_known_line(tmp_path):
    guides = ["sgNTC-1", "sgNTC-1", "MYC", "MYC"]
    line, untested = ingested(tmp_path, guides, ["Jurkatt", "K562", "K562", "T cell CD4+"])
    assert untested == "  no test for 1 of 2 conditions: 1 with no control in this context"
    assert line == (
        "  no known cell line for 2 of 3 context labels, each has an id of its own: "
        "'Jurkatt' (did you mean 'Jurkat'?), 'T cell CD4+'"
    )


def test_ingest__says_what_pretend_conditions_say_of_the_tests(tmp_path):
    guides = ["sgNTC-1"] * 50 + ["MYC", "TP53"]
    summary, *_, null = printed(tmp_path, guides, ["K562"], n=52 * 9 + 51)
    assert summary.startswith("guides: 2 conditions, 1 of 10 cells or more, and 1 control; 4 genes, ")
    with Warehouse(tmp_path / "warehouse") as store:
        table = store.frame("select * from calibration")
    assert table.height > 1
    low, n = np.zeros(2), table["n_tests"].sum()
    for at, name in enumerate(("share_p_05", "share_p_001")):
        low[at] = sum(round(share * of) for share, of in table.select(name, "n_tests").rows())
    called = sum(round(mean * of) for mean, of in table.select("mean_significant", "n_null").rows())
    assert null.startswith(
        f"  null: {table['n_null'].sum()} pretend conditions of {table['n_cells'].min()} to {table['n_cells'].max()} "
        f"cells: {100 * low[0] / n:.2g} % of p < 0.05, {100 * low[1] / n:.2g} % of p < 0.001, "
        f"{called / table['n_null'].sum():.2g} genes at q < 0.05 each"
    )


def test_ingest__says_that_controls_are_too_few_for_a_null(tmp_path):
    *_, null = printed(tmp_path, ["sgNTC-1", "MYC", "TP53", "STAT1"], ["K562"], n=16)
    assert null.startswith("  null: controls are too few to be dealt into pretend conditions")


def test_ingest__counts_conditions_that_no_control_matches(tmp_path):
    """Controls are of K562 alone: both conditions of HepG2 have none."""
    guides, lines = ["sgNTC-1", "MYC", "TP53", "STAT1"], ["K562", "K562", "HepG2", "HepG2"]
    (line,) = ingested(tmp_path, guides, lines)
    assert line == "  no test for 2 of 3 conditions: 2 with no control in this context"


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


def test_ingest__of_a_screen_without_signatures_says_what_it_read(tmp_path):
    (tmp_path / "screen.csv").write_text(",TP53 (7157),MYC (4609)\nACH-000001,0.1,-1.2\nACH-000002,0.3,-0.9\n")
    (tmp_path / "spec.toml").write_text(
        """
[dataset]
id = "screen"
files = ["screen.csv"]
values = "gene_effect"
assay = "crispr_screen"
[condition]
perturbation = "columns"
kind = "crispr_knockout"
context = { column = "index" }
"""
    )
    words = ["--warehouse", str(tmp_path / "warehouse"), "ingest", str(tmp_path / "spec.toml")]
    done = CliRunner().invoke(featurestore, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("screen: 4 conditions, and 0 controls; ")


def test_ingest__of_counts_loads_no_library_that_it_does_not_use(tmp_path):
    printed(tmp_path, ["sgNTC-1", "sgTP53-1"], ["K562"])
    heavy = ("pandas", "anndata", "sklearn", "scipy.linalg", "scipy.special", "scipy.sparse", "rich")
    code = (
        "import sys; from featurestore.cli import featurestore; featurestore(sys.argv[1:], standalone_mode=False)\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    words = ["--warehouse", str(tmp_path / "other"), "ingest", str(tmp_path / "spec.toml")]
    shown = subprocess.run([sys.executable, "-c", code, *words], check=True, capture_output=True, text=True)
    assert shown.stdout.splitlines()[-1] == "[]"
