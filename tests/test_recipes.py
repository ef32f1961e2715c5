"""The recipes run as they stand, on small files of the layouts that they speak of."""

from __future__ import annotations

import contextlib
import re
import shlex
import shutil
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from featurestore.cli import featurestore
from featurestore.store import Store
from layouts.published_results import PUBLISHED_RESULTS

PAGE = Path(__file__).resolve().parents[1] / "featurestore" / "RECIPES.md"
_, SCREEN, DRUGS = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
BLOCK = r"^```{}\n(.*?)^```\n"


def run_all(recipe, folder):
    """Run the commands of a recipe in a folder, and return what each answered."""
    answers = []
    for block in re.findall(BLOCK.format("bash"), recipe, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            program, *words = shlex.split(line)
            assert program == "featurestore"
            with contextlib.chdir(folder):
                ran = CliRunner(env={"COLUMNS": "120", "FEATURESTORE_WAREHOUSE": None}).invoke(featurestore, words)
            assert ran.exit_code == 0, (line, ran.output, ran.exception)
            answers.append(ran.stdout)
    return answers


def test_own_screen__goes_from_a_file_to_a_report(world_files, tmp_path):
    folder = shutil.copytree(world_files, tmp_path / "lab")
    (spec,) = re.findall(BLOCK.format("toml"), SCREEN, re.MULTILINE | re.DOTALL)
    (folder / "my_features.toml").write_text(spec)
    run_all(SCREEN, folder)
    assert (folder / "report" / "report.html").stat().st_size > 10_000
    assert (folder / "my_best.png").read_bytes().startswith(b"\x89PNG")
    with Store(folder / "warehouse") as store:
        assert store.datasets()["dataset_id"].to_list() == ["k562_raw_singlecell", "replogle_demo_rpe1"]


@pytest.fixture
def lincs(tmp_path):
    PUBLISHED_RESULTS["lincs2020_trt_cp"](tmp_path)
    return tmp_path


def test_drug_search__finds_what_reverses_a_table_of_ones_own(lincs):
    with contextlib.chdir(lincs):
        ran = CliRunner(env={"FEATURESTORE_WAREHOUSE": None}).invoke(
            featurestore, ["ingest", "lincs2020_trt_cp", "--data", "."]
        )
    assert ran.exit_code == 0
    with Store(lincs / "warehouse") as store:
        first = store.frame("select condition_id, perturbation from condition order by condition_id limit 1")
        signature = store.signature(first["perturbation"][0]).filter(condition_id=first["condition_id"][0])
    signature.select(gene="gene_id", log2FoldChange=-pl.col("effect")).write_csv(
        lincs / "my_differential_expression.csv"
    )
    answers = run_all(DRUGS.replace("ingest lincs2020_trt_cp", "ingest lincs2020_trt_cp --data ."), lincs)
    assert "vorinostat" in answers[1]
    reversing = pl.read_csv(lincs / "reversing.csv")
    assert reversing["condition_id"][0] == first["condition_id"][0]
    assert reversing["score"][0] == pytest.approx(-1.0, abs=0.05)
