"""Rows that no source covers: what prior knowledge adds to the train mean there, by plain NumPy."""

import numpy as np
import polars as pl
import pytest

from featurestore.evaluation import evaluate
from featurestore.evaluation.cross_validation import standard_models
from featurestore.evaluation.scoring import METRICS
from featurestore.evaluation.uncovered import on_uncovered_rows

NAMES = ("train_mean", "ridge", "blend")


def some_models(matrix):
    standard = standard_models(matrix)
    return {name: standard[name] for name in NAMES}


@pytest.fixture(scope="module")
def evaluation(informed):
    matrix = informed(n=120, coverage=(0.3, 0.2))
    return evaluate(matrix, some_models(matrix))


def test_covered__is_what_a_source_did_and_not_what_is_known_of_the_gene(evaluation):
    matrix = evaluation.matrix
    signatures = np.isfinite(matrix.X[:, :20]).any(axis=1)
    np.testing.assert_array_equal(matrix.covered, signatures)
    assert evaluation.counts()["n_rows_uncovered"] == (~signatures).sum() > 40
    known = np.isfinite(matrix.X[:, -1])
    fell_back = evaluation.per_perturbation.filter(model="ridge")["is_fallback"].to_numpy()
    np.testing.assert_array_equal(fell_back, ~signatures & ~known)


def test_uncovered__gains_are_the_mean_differences_to_the_train_mean_there(evaluation):
    is_uncovered = ~evaluation.matrix.covered
    for name in ("ridge", "blend"):
        ours, mean = (
            evaluation.per_perturbation.filter(model=model)["pearson_delta"].to_numpy()[is_uncovered]
            for model in (name, "train_mean")
        )
        (found,) = (c for c in evaluation.uncovered if (c.model, c.metric) == (name, "pearson_delta"))
        assert found.gain == pytest.approx((ours - mean).mean())
        assert found.n == is_uncovered.sum()
        spread = 1.96 * (ours - mean).std() / np.sqrt(len(ours))
        assert (found.gain - found.low, found.high - found.gain) == pytest.approx((spread, spread), rel=0.2)
        assert found.outcome == "better"
        assert found.gain > 0.1
    assert {c.metric for c in evaluation.uncovered} == {metric.name for metric in METRICS}


def test_verdict__says_what_is_gained_on_rows_that_no_source_covers(evaluation):
    (said,) = (s for s in evaluation.verdict if s.startswith("On ") and "blend of models" in s)
    (found,) = (c for c in evaluation.uncovered if (c.model, c.metric) == ("blend", "pearson_delta"))
    n = evaluation.counts()["n_rows_uncovered"]
    assert said.startswith(f"On {n} perturbations that no source covers, blend of models against train mean: ")
    assert f"better in Pearson delta by {found.gain:+.3f} ({found.low:+.3f} to {found.high:+.3f})" in said
    told = evaluation.to_dict()
    assert [each["gain"] for each in told["uncovered"]] == [each.gain for each in evaluation.uncovered]
    weights = told["models"]["blend"]["weights_uncovered"]
    assert sum(weight for part, weight in weights.items() if part != "magnitude") == pytest.approx(1)


def test_verdict__says_that_nothing_is_known_without_knowledge(plant):
    matrix = plant(n=60, coverage=(0.5, 0.2))
    found = evaluate(matrix, some_models(matrix))
    (said,) = (sentence for sentence in found.verdict if "no source covers" in sentence)
    n = found.counts()["n_rows_uncovered"]
    assert said == f"Of {n} perturbations that no source covers nothing is known: models predict the train mean."


def test_uncovered__of_no_row_or_without_the_mean_is_nothing():
    table = pl.DataFrame({"model": ["ridge"], "perturbation_id": ["a"], "is_covered": [True], "mae": [1.0]})
    assert on_uncovered_rows(table, METRICS) == []
    assert on_uncovered_rows(table.with_columns(is_covered=pl.lit(value=False)), METRICS) == []
