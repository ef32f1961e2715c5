"""The ceiling from halves of the cells: against planted truth, and against the warehouse's own effects."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from featurestore.errors import LeakageError
from featurestore.evaluation import Evidence, evaluate, read_evidence
from featurestore.evaluation.noise_ceiling import alarms, noise_ceiling
from featurestore.evaluation.splits import parts
from featurestore.features.effects.halves import Halves
from featurestore.features.perturbations import own_targets
from featurestore.metrics import mae, pearson_delta
from featurestore.models import RidgeOnSignatures, SamePerturbationElsewhere, TrainMean
from featurestore.store import Store

NOISE = 0.5


@pytest.fixture(scope="module")
def measured_twice(plant):
    """A matrix whose effects are planted truth and noise, and the halves that the noise is the mean of."""
    matrix, rng = plant(), np.random.default_rng(5)
    truth = matrix.Y.astype(np.float64)
    first, second = (truth + NOISE * np.sqrt(2) * rng.normal(size=truth.shape) for _ in range(2))
    halves = Halves(first, second, (first + second) / 2, np.full((len(truth), 2), 20.0))
    return replace(matrix, Y=halves.whole.astype(np.float32)), halves, truth


def test_ceiling__is_what_the_truth_scores(measured_twice):
    matrix, halves, truth = measured_twice
    own = np.zeros(truth.shape, dtype=bool)
    found = noise_ceiling(matrix, halves, parts(matrix.rows), own)
    assert found.noise_free["pearson_delta"] == pytest.approx(pearson_delta(truth, halves.whole).mean(), abs=0.03)
    assert found.noise_free["mae"] == pytest.approx(mae(truth, halves.whole).mean(), rel=0.03)
    again = truth + NOISE * np.random.default_rng(6).normal(size=truth.shape)
    assert found.replicate["pearson_delta"] == pytest.approx(pearson_delta(again, halves.whole).mean(), abs=0.05)


@pytest.mark.parametrize("unseen", ["perturbation", "context"])
def test_ceiling__lets_models_learn_what_is_wrong_with_the_control_of_a_context(plant, unseen):
    matrix, rng = plant(), np.random.default_rng(8)
    truth = matrix.Y.astype(np.float64)
    context = np.arange(len(truth)) % 3
    own_control = NOISE * rng.normal(size=(2, 3, truth.shape[1]))
    control = own_control.mean(axis=0)
    cells = truth + NOISE * rng.normal(size=(2, *truth.shape))
    first, second = cells - own_control[:, context]
    halves = Halves(
        first, second, (first + second) / 2, np.full((len(truth), 2), 20.0), tuple(cells - control[context])
    )
    rows = matrix.rows.with_columns(context_id=pl.Series(context).cast(pl.String()))
    matrix = replace(matrix, rows=rows, Y=halves.whole.astype(np.float32))
    split, best, scores = parts(rows, unseen), truth - control[context], []
    for train, test in split:
        mean = halves.whole[train].mean(axis=0)
        scores += pearson_delta(best[test] - mean, halves.whole[test] - mean).tolist()
    found = noise_ceiling(matrix, halves, split, np.zeros(truth.shape, dtype=bool))
    assert found.noise_free["centred_pearson"] == pytest.approx(np.mean(scores), abs=0.02)
    assert found.noise_free["mae"] == pytest.approx(mae(best, halves.whole).mean(), rel=0.03)


def test_ceiling__of_halves_that_do_not_agree_is_unknown(measured_twice):
    matrix, halves, truth = measured_twice
    rng = np.random.default_rng(7)
    first, second = rng.normal(size=(2, *truth.shape))
    noise = Halves(first, second, (first + second) / 2, halves.cells)
    found = noise_ceiling(matrix, noise, parts(matrix.rows), np.zeros(truth.shape, dtype=bool))
    assert found.noise_free["centred_pearson"] is None
    assert alarms({"ridge": np.full(len(truth), 0.9)}, found, matrix.rows["perturbation_id"].to_numpy()) == {}


def test_alarm__rings_for_a_feature_that_holds_the_answer_and_for_nothing_else(measured_twice):
    matrix, halves, _ = measured_twice
    models = {"train_mean": TrainMean(), "ridge": RidgeOnSignatures(matrix.columns["block"].to_numpy())}
    honest = evaluate(matrix, models, evidence=Evidence(halves))
    assert honest.alarms == {}
    honest.check()
    answers = replace(matrix, elsewhere=matrix.Y)
    leaky = evaluate(answers, models | {"elsewhere": SamePerturbationElsewhere()}, evidence=Evidence(halves))
    assert leaky.alarms.keys() == {"elsewhere"}
    with pytest.raises(LeakageError, match="same perturbation elsewhere 1"):
        leaky.check()


def strong_and_weak(measured_twice, factor=0.02):
    """The same, but that the effects of every second perturbation are weak, and which those are."""
    matrix, halves, truth = measured_twice
    is_weak = matrix.rows["perturbation_id"].rank("dense").to_numpy() % 2 == 0
    less = np.where(is_weak[:, None], (1 - factor) * truth, 0.0)
    parts_of = (halves.first - less, halves.second - less, halves.whole - less)
    halves = Halves(*parts_of, halves.cells)
    return replace(matrix, Y=halves.whole.astype(np.float32)), halves, is_weak


def test_alarm__compares_over_the_perturbations_that_a_model_says_something_of(measured_twice):
    matrix, halves, is_weak = strong_and_weak(measured_twice)
    model = {"elsewhere": SamePerturbationElsewhere()}
    another = measured_twice[2] + 0.4 * np.random.default_rng(9).normal(size=matrix.Y.shape)
    for told, of in ((another, ~is_weak), (matrix.Y, is_weak)):
        answers = np.where(of[:, None], told, np.nan).astype(np.float32)
        found = evaluate(replace(matrix, elsewhere=answers), model, evidence=Evidence(halves))
        if told is another:
            assert found.score("elsewhere", "centred_pearson") > found.ceiling.noise_free["centred_pearson"]
            assert found.alarms == {}
        else:
            assert found.alarms["elsewhere"] == pytest.approx((1.0, found.ceiling.truth[is_weak].mean()), abs=0.05)


def test_ceiling__takes_each_perturbation_once_however_many_conditions_it_has(measured_twice):
    matrix, halves, is_weak = strong_and_weak(measured_twice)
    own = np.zeros(halves.whole.shape, dtype=bool)
    once = noise_ceiling(matrix, halves, parts(matrix.rows), own)
    again = np.concatenate([np.arange(len(is_weak)), *[np.flatnonzero(is_weak)] * 7])
    sides = (getattr(halves, name)[again] for name in ("first", "second", "whole", "cells"))
    rows = matrix.rows[again.tolist()]
    many = noise_ceiling(replace(matrix, rows=rows), Halves(*sides), parts(rows), own[again])
    assert many.split_half["pearson_delta"] == pytest.approx(once.split_half["pearson_delta"], abs=1e-9)
    assert many.noise_free["mae"] == pytest.approx(once.noise_free["mae"], rel=0.02)


def test_read_halves__of_all_cells_are_the_effects_of_the_release(world, world_files):
    with Store(world) as store:
        matrix = store.build(world_files / "features.toml")
        evidence = read_evidence(store, matrix)
    np.testing.assert_allclose(evidence.halves.whole, matrix.Y, rtol=2e-5, atol=1e-6)
    cells = evidence.halves.cells
    assert cells.sum(axis=1).tolist() == matrix.rows["n_cells"].to_list()
    assert (cells > 0).all()
    assert np.abs(evidence.halves.first - evidence.halves.second).mean() > 0.1
    with Store(world) as store:
        tested = store.frame("select condition_id, gene_id, q_value from signature where q_value is not null")
    rows, genes = (list(each) for each in (matrix.rows["condition_id"], matrix.genes["gene_id"]))
    found = {(rows[i], genes[j]) for i, j in zip(*np.nonzero(evidence.calls.tested), strict=True)}
    assert found == {(c, g) for c, g, _ in tested.iter_rows() if c in rows and g in genes}
    responds = {(rows[i], genes[j]) for i, j in zip(*np.nonzero(evidence.calls.significant), strict=True)}
    assert responds == {(c, g) for c, g, q in tested.iter_rows() if c in rows and g in genes and q < 0.05}
    assert evidence.data_points["n_conditions"].sum() == 160


def test_read_halves__agree_as_the_release_says(world, world_files):
    with Store(world) as store:
        matrix = store.build(world_files / "features.toml")
        halves = read_evidence(store, matrix).halves
        quality = store.frame("select condition_id, replicate_correlation as r from quality")
    own = own_targets(matrix.rows, matrix.genes)
    first, second = (np.where(own, 0.0, side) for side in (halves.first, halves.second))
    expected = matrix.rows.join(quality, on="condition_id", how="left", maintain_order="left")["r"]
    np.testing.assert_allclose(pearson_delta(first, second), expected, atol=1e-6)
