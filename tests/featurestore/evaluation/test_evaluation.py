"""The report folder: scores, tables, pictures."""

import dataclasses
import json
import re

import numpy as np
import polars as pl
import pytest
from matplotlib.image import imread

from featurestore.commands.score_sheet import score_sheet
from featurestore.errors import FeatureError
from featurestore.evaluation import evaluate, report
from featurestore.evaluation.cross_validation import standard_models
from featurestore.evaluation.noise_ceiling import NoiseCeiling


@pytest.fixture(scope="module")
def evaluation(plant):
    return evaluate(plant(n=60))


@pytest.fixture(scope="module")
def folder(evaluation, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    report.write(evaluation, folder)
    return folder


def test_write__makes_a_page_a_picture_of_each_model_and_two_tables(folder, plant):
    pictures = {*standard_models(plant(n=60)), "gains", "per_perturbation", "sources", "magnitude"}
    expected = {"report.html", "scores.json", "per_perturbation.parquet", "per_perturbation.csv", "SHA256SUMS"}
    expected |= {f"{name}.png" for name in pictures}
    assert {path.name for path in folder.iterdir()} == expected


def test_page__opens_without_network_and_describes_its_pictures(folder):
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page.index("At a glance") < page.index(">Models<"), "what matters comes first"
    assert "http://" not in page
    assert "https://" not in page
    assert "<script" not in page
    pictures = re.findall(r'<img src="(.{30})[^"]*" alt="([^"]*)"', page)
    assert len(pictures) == len(list(folder.glob("*.png")))
    assert all(source.startswith("data:image/png;base64,") and len(text) > 20 for source, text in pictures)


def test_scores__are_the_summary_with_null_for_undefined(folder, evaluation):
    scores = json.loads((folder / "scores.json").read_text())
    assert scores["models"]["ridge"]["all"]["mae"]["mean"] == pytest.approx(evaluation.score("ridge", "mae"))
    assert scores["models"]["train_mean"]["all"]["centred_pearson"] == {
        "mean": None,
        "n_perturbations": 60,
        "n_undefined": 60,
    }
    assert scores["n_rows"] == 60
    assert scores["models"]["elsewhere"]["n_rows_fallback"] == scores["n_rows_uncovered"]
    assert len(scores["models"]["ridge"]["penalties"]) == 5
    assert scores["verdict"] == evaluation.verdict
    assert {c["baseline"] for c in scores["comparisons"]} == {"train_mean", "elsewhere"}


def test_per_perturbation__holds_every_score_in_both_files(folder, evaluation):
    table = pl.read_parquet(folder / "per_perturbation.parquet")
    assert table.equals(evaluation.per_perturbation)
    text = pl.read_csv(folder / "per_perturbation.csv")
    assert text.columns == table.columns
    np.testing.assert_allclose(text["mae"], table["mae"], atol=1e-6)
    assert table.filter(model="no_change")["pearson_delta"].null_count() == 60


def test_pictures__are_drawn_alike_and_show_points(folder):
    ridge, nothing = (imread(folder / f"{name}.png") for name in ("ridge", "no_change"))
    assert ridge.shape == nothing.shape
    coloured = [(np.ptp(picture[..., :3], axis=2) > 0.1).mean() for picture in (ridge, nothing)]
    assert coloured[0] > coloured[1] + 0.02, "a cloud against a line"


def test_doubts__are_on_the_page_in_the_scores_and_on_the_terminal(evaluation, tmp_path):
    doubted = dataclasses.replace(evaluation, doubts=("near: tests do not hold at 16 cells",))
    report.write(doubted, tmp_path / "report")
    said = "Doubt: near: tests do not hold at 16 cells."
    assert said in (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "report" / "scores.json").read_text())["doubts"] == list(doubted.doubts)
    assert said in score_sheet(doubted).splitlines()
    assert "Doubt: " not in score_sheet(evaluation)


def test_score_sheet__says_why_a_model_can_pass_the_truth_itself(evaluation):
    ridge = evaluation.score("ridge", "pearson_delta")
    limits = {"pearson_delta": ridge - 0.002, "mae": 0.0, "centred_pearson": 0.9999}
    truth = np.full(evaluation.matrix.rows.height, 0.9999)
    passed = dataclasses.replace(evaluation, ceiling=NoiseCeiling({}, truth, {}, {}, {}, limits))
    (said,) = [line for line in score_sheet(passed).splitlines() if line.startswith("Past the truth")]
    assert "ridge on signatures" in said.partition(". That can be honest")[0]
    assert "in MAE" not in said
    far = dataclasses.replace(
        passed, ceiling=NoiseCeiling({}, truth, {}, {}, {}, {"pearson_delta": 0.9999, "mae": 0.0})
    )
    assert "Past the truth" not in score_sheet(far)


def test_write__says_where_it_cannot_write(evaluation, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FeatureError, match="cannot be written"):
        report.write(evaluation, tmp_path / "file")


def test_predictions__are_the_held_out_ones_and_only_of_models_that_were_evaluated(evaluation):
    found = evaluation.predictions("ridge")
    assert found.columns[:2] == ["perturbation", "g000"]
    np.testing.assert_array_equal(found.drop("perturbation").to_numpy(), evaluation.predicted["ridge"])
    with pytest.raises(FeatureError, match="No model 'rigde' is evaluated"):
        evaluation.predictions("rigde")
