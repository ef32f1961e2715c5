"""From scores of conditions to means over perturbations."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from featurestore.evaluation import Evidence, evaluate
from featurestore.evaluation.scoring import SCORED, score_rows, summarise
from featurestore.features.effects.significant import Calls
from featurestore.models import TrainMean


def table(**scores):
    base = {name: [0.0] * 4 for name in SCORED} | scores
    return pl.DataFrame(
        {"model": ["m"] * 4, "perturbation_id": ["a", "a", "b", "c"], "is_covered": [True, True, True, False]} | base
    )


def mean(summary, metric, stratum="all"):
    return summary.filter(metric=metric, stratum=stratum).row(0, named=True)


def test_summarise__counts_each_perturbation_once():
    summary = summarise(table(mae=[1.0, 3.0, 5.0, 8.0]))
    assert mean(summary, "mae")["mean"] == pytest.approx(5.0)
    assert mean(summary, "mae")["n_perturbations"] == 3
    assert mean(summary, "mae", "covered")["mean"] == pytest.approx(3.5)
    assert mean(summary, "mae", "uncovered")["mean"] == 8.0


def test_summarise__counts_what_is_undefined_and_leaves_it_out():
    summary = summarise(table(pds=[None, 1.0, None, 0.5]))
    assert mean(summary, "pds") == {
        "model": "m",
        "stratum": "all",
        "metric": "pds",
        "mean": 0.75,
        "n_perturbations": 3,
        "n_undefined": 1,
    }
    assert mean(summarise(table(pds=[None] * 4)), "pds")["mean"] is None


def test_score_rows__looks_for_responders_among_genes_that_were_tested(plant):
    matrix = plant(n=20)
    rng = np.random.default_rng(0)
    tested = rng.random(matrix.Y.shape) < 0.7
    calls = Calls(tested & (rng.random(tested.shape) < 0.2), tested)
    predicted = (matrix.Y + rng.normal(size=matrix.Y.shape)).astype(np.float32)
    own = np.eye(*matrix.Y.shape, dtype=bool)
    names = ("mae", "overlap_at_n", "ap_by_lfc")
    rows, mean = np.arange(20), matrix.Y.mean(axis=0)
    found = score_rows(matrix, rows, predicted, mean, own, calls, names)
    for row in range(20):
        genes = np.flatnonzero(tested[row] & ~own[row])
        size, truth, is_one = np.abs(predicted[row, genes]), np.abs(matrix.Y[row, genes]), calls.significant[row, genes]
        n = is_one.sum()
        first, best = np.argsort(-size)[:n], np.flatnonzero(is_one)[np.argsort(-truth[is_one])]
        assert found["overlap_at_n"][row] == pytest.approx(len(set(first) & set(best)) / n)
        hits = is_one[np.argsort(-size)]
        precision = np.cumsum(hits) / np.arange(1, len(genes) + 1)
        assert found["ap_by_lfc"][row] == pytest.approx(precision[hits].mean())
        assert found["mae"][row] == pytest.approx(np.abs(predicted[row] - matrix.Y[row])[~own[row]].mean(), rel=1e-5)


def test_evaluate__says_how_many_effects_were_not_tested(plant):
    matrix = plant(n=20)
    gaps = np.where(np.arange(200) < 3, np.nan, matrix.Y).astype(np.float32)
    tested = np.ones(gaps.shape, dtype=bool)
    tested[:, :13] = False
    calls = Calls(tested & (np.abs(matrix.Y) > 1), tested)
    found = evaluate(replace(matrix, Y=gaps), {"train_mean": TrainMean()}, evidence=Evidence(calls=calls)).to_dict()
    assert (found["n_effects_untested"], found["n_effects"]) == (20 * 10, 20 * 197)
    assert evaluate(matrix, {"train_mean": TrainMean()}).to_dict()["n_effects_untested"] is None
