"""From scores of conditions to means over perturbations."""

import polars as pl
import pytest

from featurestore.evaluation.scoring import SCORED, summarise


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
