"""What sources are worth, what magnitude buys, learning curves, and a single readout."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from featurestore.evaluation import evaluate, report
from featurestore.evaluation.readout import correlation_across
from featurestore.models import RidgeOnSignatures, TrainMean


def models(matrix):
    return {"train_mean": TrainMean(), "ridge": RidgeOnSignatures(matrix.columns["block"].to_numpy())}


@pytest.fixture(scope="module")
def scored(plant):
    matrix = plant(shared=(0.9, 0.0), coverage=(1.0, 0.8), n=100)
    return evaluate(matrix, models(matrix), thorough=True)


def test_sources__that_know_are_worth_more_than_those_that_do_not(scored):
    good, noise = scored.source_values.filter(metric="pearson_delta").sort("value", descending=True).to_dicts()
    assert (good["source"], noise["source"]) == ("signature/s0", "signature/s1")
    assert good["low"] > 0.05
    assert noise["low"] < 0.02
    assert good["alone"] == pytest.approx(scored.score("ridge", "pearson_delta"), abs=0.05)
    errors = scored.source_values.filter(metric="mae")["value"]
    assert errors.max() > 0.01, "gains are turned so that more is better"


def test_magnitude__buys_pds_and_not_direction(scored):
    table = scored.rescaled.filter(model="ridge")
    np.testing.assert_allclose(table["pearson_delta"], table["pearson_delta"][0], atol=1e-5)
    np.testing.assert_allclose(table["pds_cosine"], table["pds_cosine"][0], atol=0.01)
    pds = dict(table.select("factor", "pds").iter_rows())
    assert pds[2.0] > pds[1.0] > pds[0.25]
    assert table["mae"].arg_min() not in {0, table.height - 1}
    assert table.filter(factor=1.0)["pds"][0] == pytest.approx(scored.score("ridge", "pds"))


def test_curves__rise_with_perturbations_and_end_at_the_whole(scored):
    by_n = scored.curves.filter(axis="perturbations", model="ridge").group_by("n").agg(pl.col("pearson_delta").mean())
    values = by_n.sort("n")["pearson_delta"]
    assert values[0] < values[-1] - 0.1
    assert values[-1] == pytest.approx(scored.score("ridge", "pearson_delta"))
    sources = scored.curves.filter(axis="sources")
    assert sources["n"].to_list() == [0.0, 1.0, 1.0, 2.0]
    assert sources["pearson_delta"][0] == pytest.approx(scored.score("train_mean", "pearson_delta"))
    assert sources["pearson_delta"][3] == pytest.approx(scored.score("ridge", "pearson_delta"))


def test_curves__count_a_row_as_often_as_sources_cover_it(scored):
    blocks = scored.matrix.columns["block"].to_numpy()
    covers = [int(np.isfinite(scored.matrix.X[:, blocks == name]).any(axis=1).sum()) for name in np.unique(blocks)]
    points = scored.curves.filter(axis="sources")["data_points"].to_list()
    assert points[0] == 0
    assert sorted(points[1:3]) == sorted(covers)
    assert points[3] == sum(covers)
    assert scored.curves.filter(axis="perturbations")["data_points"].is_null().all()


def test_readout__is_scored_across_perturbations(plant, tmp_path):
    matrix = plant()
    value = matrix.Y[:, 150:151]
    readout = replace(
        matrix,
        Y=value,
        elsewhere=matrix.elsewhere[:, 150:151],
        genes=pl.DataFrame({"gene_id": ["viability"], "gene_symbol": ["viability"]}),
    )
    scored = evaluate(readout, models(readout))
    assert [m.name for m in scored.metrics] == ["mae"]
    assert scored.across["train_mean"]["r"] is None
    found = scored.across["ridge"]
    assert found["low"] > 0
    assert found["low"] < found["r"] < found["high"]
    report.write(scored, tmp_path)
    assert "r across perturbations" in (tmp_path / "report.html").read_text()


def test_correlation_across__is_numpys_within_one_part_and_blind_to_part_means():
    rng = np.random.default_rng(0)
    a = rng.normal(size=90)
    b = a + rng.normal(size=90)
    part = np.repeat([0, 1, 2], 30)
    assert correlation_across(a, b, np.zeros(90))["r"] == pytest.approx(np.corrcoef(a, b)[0, 1])
    shifted = correlation_across(a + 10 * part, b - 10 * part, part)["r"]
    assert shifted == pytest.approx(correlation_across(a, b, part)["r"])
