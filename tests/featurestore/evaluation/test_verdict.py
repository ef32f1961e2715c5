"""The verdict says what the numbers say, and no more."""

import numpy as np
import polars as pl
import pytest

from featurestore.evaluation import verdict
from featurestore.evaluation.scoring import METRICS
from featurestore.evaluation.verdict import comparisons, sentences

PEARSON, MAE = METRICS[0], METRICS[2]


def compare(table, model, baseline, metric):
    (only,) = verdict.compare(table, [model], baseline, metric)
    return only


def table(**models):
    """Scores of 20 perturbations; each model gives (pearson, mae, pds) offsets on a common base."""
    rng = np.random.default_rng(0)
    base = rng.normal(0.4, 0.2, 20)
    parts = []
    for model, (pearson, mae, pds) in models.items():
        jitter = rng.normal(0, 0.01, 20)
        parts.append(
            pl.DataFrame(
                {
                    "model": model,
                    "perturbation_id": [f"p{i}" for i in range(20)],
                    "is_covered": True,
                    "pearson_delta": base + pearson + jitter,
                    "centred_pearson": base,
                    "mae": 1 + mae + jitter,
                    "pds": base + pds + jitter,
                    "pds_cosine": base,
                }
            )
        )
    return pl.concat(parts)


def test_compare__is_paired_and_turns_errors_round():
    scores = table(ridge=(0.1, -0.2, 0.0), train_mean=(0.0, 0.0, 0.0))
    pearson, mae = (compare(scores, "ridge", "train_mean", metric) for metric in (PEARSON, MAE))
    assert pearson.gain == pytest.approx(0.1, abs=0.01)
    assert mae.gain == pytest.approx(0.2, abs=0.01)
    assert (pearson.outcome, mae.outcome, pearson.n) == ("better", "better", 20)
    difference = scores.filter(model="ridge")["mae"] - scores.filter(model="train_mean")["mae"]
    assert mae.high - mae.low == pytest.approx(2 * 1.96 * difference.std() / np.sqrt(20), rel=0.15)
    assert mae.low < mae.gain < mae.high


def test_compare__within_the_interval_is_no_clear_difference():
    scores = table(ridge=(0.001, 0.0, 0.0), train_mean=(0.0, 0.0, 0.0))
    assert compare(scores, "ridge", "train_mean", PEARSON).outcome == "no clear difference"
    assert compare(scores, "train_mean", "ridge", PEARSON).outcome == "no clear difference"


def test_compare__calls_nothing_better_that_reads_the_same():
    scores = table(ridge=(0.0, 0.0, 0.0), train_mean=(0.0, 0.0, 0.0)).with_columns(mae=pl.lit(1.0))
    a_little = pl.when(pl.col("model") == "ridge").then(0.9996).otherwise(1.0)
    more = pl.when(pl.col("model") == "ridge").then(0.9994).otherwise(1.0)
    same, other = (compare(scores.with_columns(mae=each), "ridge", "train_mean", MAE) for each in (a_little, more))
    assert same.low > 0
    assert (same.outcome, other.outcome) == ("no clear difference", "better")
    said = sentences([same])[0]
    assert "no clear difference in MAE (1.000 against 1.000)" in said


def test_compare__uses_perturbations_that_both_define():
    scores = table(ridge=(0.1, 0.0, 0.0), train_mean=(0.0, 0.0, 0.0))
    gaps = scores.with_columns(
        pearson_delta=pl.when(model="train_mean").then(None).otherwise("pearson_delta"),
        mae=pl.when(perturbation_id="p3").then(None).otherwise("mae"),
    )
    assert compare(gaps, "ridge", "train_mean", PEARSON).n == 0
    assert compare(gaps, "ridge", "train_mean", PEARSON).gain is None
    assert compare(gaps, "ridge", "train_mean", MAE).n == 19


def test_sentences__praise_a_model_only_for_what_it_wins():
    scores = table(ridge=(0.1, -0.1, 0.1), train_mean=(0.0, 0.0, 0.0), elsewhere=(0.0, 0.0, 0.3))
    first, second = sentences(comparisons(scores))
    assert first.startswith("Ridge on signatures beats train mean: better in Pearson delta")
    assert second.startswith("Ridge on signatures beats same perturbation elsewhere in part:")
    assert "worse in PDS" in second


def test_sentences__say_so_when_nothing_is_gained():
    scores = table(ridge=(0.0, 0.0, 0.0), train_mean=(0.0, 0.0, 0.0))
    (only,) = sentences(comparisons(scores))
    assert only.startswith(
        "Ridge on signatures does not clearly beat train mean: no clear difference in Pearson delta ("
    )


def test_comparisons__set_every_model_against_the_train_mean_and_the_judged_one_against_elsewhere():
    scores = table(ridge=(0.1, 0, 0), forest=(0.2, 0, 0), train_mean=(0, 0, 0), elsewhere=(0, 0, 0))
    pairs = {(c.model, c.baseline) for c in comparisons(scores)}
    with_mean = {(model, "train_mean") for model in ("ridge", "forest", "elsewhere")}
    assert pairs == with_mean | {("ridge", "elsewhere")}
    assert all(sentence.startswith("Ridge") for sentence in sentences(comparisons(scores)))
    assert sentences(comparisons(scores.filter(pl.col("model") != "ridge"))) == []
