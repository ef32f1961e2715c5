"""``featurestore score`` and ``submit`` as a user runs them."""

import json
import shutil
import sys
from pathlib import Path

import h5py
import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from cells import write
from metrics import frozen

from featurestore.challenge.cells import read_vcc
from featurestore.cli import featurestore
from featurestore.evaluation import evaluate, report
from featurestore.metrics import METRICS
from featurestore.models import SamePerturbationElsewhere
from featurestore.query.warehouse import Warehouse


def run(*arguments):
    result = CliRunner().invoke(featurestore, list(map(str, arguments)), catch_exceptions=True)
    return result, result.stdout


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("challenge")
    predicted, measured, _ = frozen()
    write(predicted, folder / "predicted.h5ad")
    write(measured, folder / "measured.h5ad")
    rng = np.random.default_rng(0)
    effects = pl.DataFrame({"perturbation": measured.perturbations}).with_columns(
        **{gene: pl.Series(rng.normal(0, 0.3, len(measured.perturbations))) for gene in measured.genes[:30]}
    )
    effects.write_parquet(folder / "effects.parquet")
    effects.write_csv(folder / "effects.csv")
    (folder / "genes.csv").write_text("gene_name\n" + "\n".join(measured.genes) + "\n")
    return folder


def test_score__prints_every_metric_and_what_is_undefined(files, tmp_path):
    result, text = run("score", files / "predicted.h5ad", files / "measured.h5ad", "-o", tmp_path / "scores")
    assert result.exit_code == 0, result.output
    assert "8 perturbations by the protocol of 2025." in text
    line = next(line for line in text.splitlines() if line.strip().startswith("DE overlap at N"))
    assert line.split()[-2:] == ["1", "1"]
    assert sorted(path.name for path in (tmp_path / "scores").iterdir()) == ["per_perturbation.csv", "scores.json"]
    _, text = run("score", files / "measured.h5ad", files / "measured.h5ad", "--baseline", tmp_path / "scores")
    assert "score of the challenge of 2025: 0.898 (mae_levels 1.000, pds 1.000, overlap_at_n 0.695)" in text


def test_score__as_json_is_plain_and_by_the_protocol_of_2026(files):
    result, text = run("score", files / "predicted.h5ad", files / "measured.h5ad", "--protocol=2026", "--format=json")
    found = json.loads(text)
    assert result.exit_code == 0
    assert found["protocol"] == "2026"
    assert 0.5 < found["metrics"]["pds_2026"]["mean"] < 1
    assert "mae" not in found["metrics"]


def test_metrics__lists_each_with_its_loophole():
    _, text = run("metrics")
    assert "pds: PDS, best 1, chance 0.5, one value a perturbation" in text
    assert text.count("  loophole: ") == len(METRICS)
    _, text = run("metrics", "--format=json")
    assert [m["name"] for m in json.loads(text)] == list(METRICS)


@pytest.mark.parametrize("name", ["effects.parquet", "effects.csv"])
def test_submit__writes_a_vcc_of_the_predicted_cells(files, tmp_path, name):
    arguments = ["--genes", files / "genes.csv", "--cells", 12]
    result, text = run("submit", files / name, files / "measured.h5ad", "-o", tmp_path / "p.vcc", *arguments)
    assert result.exit_code == 0, result.output
    assert text.endswith("8 perturbations of 12 cells, 100 control cells, 50 genes.\n")
    lines = ["  reading", "  8 of 8 perturbations made into cells", "  writing"]
    taken = "taken for delta_log1p, differences of mean log1p(CP10k), natural logarithm"
    assert result.stderr.splitlines() == [*lines, f"Note: the file of effects says no scale: {taken}."]
    assert read_vcc(tmp_path / "p.vcc").shape == (196, 50)


def test_submit__refuses_predictions_on_another_scale(files, tmp_path):
    effects = pl.read_parquet(files / "effects.parquet")
    effects.write_parquet(tmp_path / "predicted.parquet", metadata={"effect_kind": "log2_fold_change"})
    arguments = ["-o", tmp_path / "p.vcc", "--genes", files / "genes.csv"]
    result, _ = run("submit", tmp_path / "predicted.parquet", files / "measured.h5ad", *arguments)
    assert result.exception.got == "log2_fold_change"
    assert "natural logarithm" in result.exception.expected
    assert not (tmp_path / "p.vcc").exists()


def test_submit__reads_the_scale_of_a_long_table_and_tells_falls_below_nothing(files, tmp_path):
    wide = pl.read_parquet(files / "effects.parquet")
    long = wide.unpivot(index=wide.columns[0], variable_name="gene", value_name="effect")
    long = long.rename({wide.columns[0]: "perturbation"}).with_columns(effect_kind=pl.lit("delta_log1p"))
    submit = ["submit", tmp_path / "long.parquet", files / "measured.h5ad", "-o", tmp_path / "p.vcc"]
    submit += ["--genes", files / "genes.csv"]
    long.write_parquet(tmp_path / "long.parquet")
    assert "Note" not in run(*submit)[0].stderr
    long.with_columns(pl.col("effect") - 20.0).write_parquet(tmp_path / "long.parquet")
    assert f"{long.height:,} of {long.height:,} effects are falls below nothing" in run(*submit)[0].stderr
    long.with_columns(effect_kind=pl.lit("log2_fold_change")).write_parquet(tmp_path / "long.parquet")
    assert run(*submit)[0].exception.got == "log2_fold_change"


def test_submit__writes_counts_that_can_be_scored(files, tmp_path):
    arguments = ["--protocol", 2026, "--cells", 30, "--context", "B"]
    path = tmp_path / "b.h5ad"
    result, text = run("submit", files / "effects.csv", files / "measured.h5ad", "-o", path, *arguments)
    assert result.exit_code == 0, result.output
    assert "context B: 8 perturbations of 30 cells; 0 control cells" in text
    assert text.endswith("No submission: that has every context, and is checked with --panel.\n")
    result, text = run("score", path, files / "measured.h5ad", "--protocol", 2026)
    assert result.exit_code == 0, result.output
    assert text.startswith("Context B: 8 perturbations by the protocol of 2026.")
    assert "Score of the challenge of 2026: -0.412, the mean of the six; 0 is the mean response" in text


def test_submit__refuses_a_folder_that_does_not_exist_first(files, tmp_path):
    result, _ = run("submit", files / "effects.csv", files / "measured.h5ad", "-o", tmp_path / "no" / "p.vcc")
    assert result.exception.what == "The folder to write to does not exist."
    assert result.exception.do == f"make the folder first: mkdir -p {tmp_path / 'no'}"


def test_score__reads_a_vcc_and_names_genes_that_cannot_borrow_controls(files, tmp_path):
    path = tmp_path / "p.vcc"
    run("submit", files / "effects.csv", files / "measured.h5ad", "-o", path, "--genes", files / "genes.csv")
    result, text = run("score", path, files / "measured.h5ad")
    assert result.exit_code == 0, result.output
    assert "8 perturbations by the protocol of 2025." in text
    (tmp_path / "few.csv").write_text("\n".join((files / "genes.csv").read_text().split()[1:31]))
    few = ["--genes", tmp_path / "few.csv", "--protocol", 2026, "-o", tmp_path / "few.h5ad"]
    run("submit", files / "effects.csv", files / "measured.h5ad", *few)
    result, _ = run("score", tmp_path / "few.h5ad", files / "measured.h5ad", "--protocol", 2026)
    assert "not the genes of those whose controls" in str(result.exception)


def test_submit__takes_what_evaluate_predicted_by_ids_for_cells_named_by_symbols(world, world_files, tmp_path):
    from featurestore.features.builder import build

    with Warehouse(world) as store:
        matrix = build(store, world_files / "features.toml")
    evaluation = evaluate(matrix, {"elsewhere": SamePerturbationElsewhere()})
    report.write(evaluation, tmp_path, predictions="elsewhere")
    assert pl.read_parquet_metadata(tmp_path / "predicted.parquet")["effect_kind"] == "delta_log1p"
    by_ids, by_symbols = (world_files / "k562_raw_singlecell.h5ad", tmp_path / "cells.h5ad")
    shutil.copy(by_ids, by_symbols)
    with h5py.File(by_symbols, "r+") as file:
        symbols = file["var/__categories/gene_name"][:]
        file["var/gene_id"][...] = symbols[file["var/gene_name"][:]]
    arguments = ["--protocol", 2026, "--cells", 30, "--column", "gene"]
    effects, made, again = (tmp_path / name for name in ("predicted.parquet", "made.h5ad", "again.h5ad"))
    result, text = run("--warehouse", world, "submit", effects, by_symbols, "-o", made, *arguments)
    assert result.exit_code == 0, result.output
    assert "40 perturbations of 30 cells" in text
    run("submit", effects, by_ids, "-o", again, *arguments)
    with h5py.File(made) as one, h5py.File(again) as other:
        np.testing.assert_array_equal(one["X/data"][:], other["X/data"][:])
    result, _ = run("--warehouse", tmp_path, "submit", effects, by_symbols, "-o", made, *arguments)
    assert "none of the controls' genes" in str(result.exception)


def test_submit__names_effects_that_do_not_fit(files, tmp_path):
    other = tmp_path / "effects.csv"
    other.write_text("perturbation,ENSG1\nG00000,0.5\n")
    result, _ = run("submit", other, files / "measured.h5ad", "-o", tmp_path / "x.vcc")
    assert "none of the controls' genes" in str(result.exception)
    other.write_text("perturbation,G00001\nG00000,0.5\nG00000,0.1\n")
    result, _ = run("submit", other, files / "measured.h5ad", "-o", tmp_path / "x.vcc")
    assert "more than once" in str(result.exception)
