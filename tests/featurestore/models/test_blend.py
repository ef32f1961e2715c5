"""The blend: weights and magnitude against their definitions, and what it promises of rows and of answers held out."""

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.base import clone

from featurestore.models import (
    Blend,
    KernelRidgeOnSignatures,
    NeighboursOnSignatures,
    RidgeOnSignatures,
    SamePerturbationElsewhere,
    TrainMean,
)
from featurestore.models.blend import as_chosen
from featurestore.models.inputs import RowInputs
from featurestore.models.stacking import blend_magnitude, blend_weights, weights_by_coverage


@pytest.fixture
def parts():
    """Return four deviations of 60 rows and 30 genes, the last of no use, and what they should add up to."""
    rng = np.random.default_rng(0)
    truth = rng.gamma(1.0, size=(60, 1)) * rng.normal(size=(60, 30))
    found = [truth * 0.9 + spread * rng.normal(size=truth.shape) for spread in (0.5, 0.8, 2.0)]
    return [*found, rng.normal(size=truth.shape)], truth


def weighted_error(weights, deviations, measured, trust):
    length = np.sqrt(np.nanmean(measured**2, axis=1))
    weight = trust / np.maximum(length, 0.1 * np.median(length))
    residual = measured - np.tensordot(weights, deviations, 1)
    shrunk = weights**2 @ [np.nansum(weight[:, None] * (d**2) * np.isfinite(measured)) for d in deviations]
    return np.nansum(weight[:, None] * residual**2) + shrunk * len(deviations) / len(measured)


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_blend_weights__are_the_constrained_least_squares(parts, scale):
    deviations, measured = parts[0], scale * parts[1]
    measured[3, 4] = np.nan
    trust = np.linspace(0.5, 1.5, 60)
    found = blend_weights(deviations, measured, trust)
    best = minimize(
        weighted_error,
        np.full(4, 0.2),
        (np.stack(deviations), measured, trust),
        bounds=[(0, None)] * 4,
        constraints={"type": "ineq", "fun": lambda w: 1 - w.sum()},
        tol=1e-12,
    )
    np.testing.assert_allclose(found, best.x, atol=2e-4)
    assert (found >= 0).all()
    assert found.sum() <= 1 + 1e-12


def test_blend_weights__of_parts_that_say_nothing_are_0(parts):
    np.testing.assert_array_equal(blend_weights([np.zeros((60, 30))] * 2, parts[1], np.ones(60)), [0, 0])


def test_weights_by_coverage__are_those_of_covered_rows_and_of_the_others(parts):
    deviations, measured = [part.copy() for part in parts[0]], parts[1]
    has = np.arange(60) % 3 > 0
    deviations[0][~has] = 0.0  # the effect elsewhere, which these rows do not have
    trust = np.linspace(0.5, 1.5, 60)
    found = weights_by_coverage(deviations, measured, trust, has)
    for place, rows in enumerate((~has, has)):
        expected = blend_weights([part[rows] for part in deviations], measured[rows], trust[rows])
        np.testing.assert_array_equal(found[place], expected)
    assert found[0][0] == pytest.approx(0, abs=1e-9)
    few = np.arange(60) >= 19
    everyone = blend_weights(deviations, measured, trust)
    np.testing.assert_array_equal(weights_by_coverage(deviations, measured, trust, few)[0], everyone)


def magnitude(blended, others, truth, n=60):
    nothing = np.zeros_like(truth)
    return blend_magnitude(
        blended[:n], {"part": others[:n]}, nothing[:n], truth[:n], np.zeros(truth[:n].shape, bool), np.arange(n)
    )


def test_blend_magnitude__undoes_shrinkage_and_stops_where_the_error_grows(parts):
    truth = parts[1]
    rough = truth + 0.3 * np.random.default_rng(1).normal(size=truth.shape)
    assert magnitude(truth, rough, truth) == 1.0
    assert magnitude(truth / 1.45, truth, truth) == pytest.approx(1.45)
    assert magnitude(1.25 * truth, truth, truth) == pytest.approx(0.8)
    assert magnitude(truth / 1.45, truth, truth, n=10) == 1.0, "ten rows tell nothing of a magnitude"


@pytest.fixture
def rows():
    """Features of 90 rows, the same elsewhere, and effects; two rows have no source."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(90, 4))
    effects = features @ rng.normal(size=(4, 25)) + 0.3 * rng.normal(size=(90, 25)) + 1.0
    elsewhere = 0.8 * effects + rng.normal(size=effects.shape)
    features[[3, 80]], elsewhere[[3, 80]] = np.nan, np.nan
    own = np.zeros(effects.shape, bool)
    own[np.arange(25), np.arange(25)] = True
    return RowInputs(features, elsewhere, own), effects


def test_blend__gives_the_train_mean_exactly_to_rows_without_source(rows):
    given, effects = rows
    fitted = Blend().fit(given[np.arange(60)], effects[:60])
    held_out = given[np.arange(60, 90)]
    covered = fitted.covered(held_out)
    np.testing.assert_array_equal(np.flatnonzero(~covered), [20])
    np.testing.assert_allclose(fitted.predict(held_out)[20], effects[:60].mean(axis=0), rtol=1e-12)
    assert sum(fitted.weights_.values()) == pytest.approx(1)
    assert fitted.weights_["ridge"] + fitted.weights_["kernel_ridge"] > 0.5


def test_blend__weighs_rows_without_an_effect_elsewhere_apart(rows):
    given, effects = rows
    is_bare = np.arange(90) % 3 == 0
    bare = RowInputs(given.X, np.where(is_bare[:, None], np.nan, given.elsewhere), given.own)
    fitted = Blend().fit(bare, effects)
    assert fitted.weights_["elsewhere"] > 0
    assert fitted.weights_uncovered_["elsewhere"] == pytest.approx(0, abs=1e-9)
    expected = np.tile(fitted.mean_, (90, 1))
    for name, part in fitted.parts_.items():
        weight = np.where(is_bare, fitted.weights_uncovered_[name], fitted.weights_[name])[:, None]
        expected += weight * (part.predict(bare.of(part)) - fitted.mean_)
    magnitude = np.where(is_bare, fitted.magnitude_uncovered_, fitted.magnitude_)[:, None]
    expected *= np.where(fitted.covered(bare)[:, None], magnitude, 1.0)
    np.testing.assert_allclose(fitted.predict(bare), expected, rtol=1e-9)


def test_blend__is_not_weighed_by_own_targets(rows):
    given, effects = rows
    silenced = np.where(given.own, -50.0, effects)
    known = np.where(given.own, -50.0, np.random.default_rng(1).normal(size=effects.shape))
    told, untold = (RowInputs(given.X, known, own) for own in (given.own, np.zeros_like(given.own)))
    parts = {"elsewhere": SamePerturbationElsewhere()}
    assert Blend(parts=parts).fit(told, silenced).weights_["elsewhere"] < 0.2
    assert Blend(parts=parts).fit(untold, silenced).weights_["elsewhere"] > 0.6


def test_blend__fits_no_part_again_that_was_fitted_with_the_same_options(rows):
    given, effects = rows
    blocks = np.array(["a", "a", "b", "b"])
    parts = {"ridge": RidgeOnSignatures(blocks), "other": RidgeOnSignatures(blocks[::-1]), "mean": TrainMean()}
    ridge, mean = RidgeOnSignatures(blocks.copy()).fit(given.X, effects), TrainMean().fit(given.X, effects)
    fitted = Blend(parts=parts).fit(given, effects, fitted=[mean, ridge])
    assert fitted.parts_["ridge"] is ridge
    assert fitted.parts_["mean"] is mean
    assert fitted.parts_["other"] is not ridge
    again = Blend(parts={"ridge": parts["ridge"], "other": parts["other"]})
    plain, shared = again.fit(given, effects), clone(again).fit(given, effects, fitted=[ridge])
    np.testing.assert_array_equal(shared.predict(given), plain.predict(given))


def test_blend__of_a_single_group_weighs_all_parts_alike(rows):
    given, effects = rows
    parts = {"ridge": RidgeOnSignatures(), "mean": TrainMean()}
    fitted = Blend(parts=parts).fit(given, effects, groups=np.array(["a"] * 90))
    assert fitted.weights_ == {"ridge": 0.5, "mean": 0.5, "train_mean": 0.0}


@pytest.mark.parametrize("model", [RidgeOnSignatures, KernelRidgeOnSignatures, NeighboursOnSignatures])
def test_as_chosen__predicts_as_the_model_that_chose(model, rows):
    given, effects = rows
    blocks = np.array(["a", "a", "b", "b"])
    fitted = model(blocks).fit(given.X[:60], effects[:60])
    again = as_chosen(fitted).fit(given.X[:60], effects[:60])
    np.testing.assert_allclose(again.predict(given.X), fitted.predict(given.X))
    assert all(len(options) == 1 for options in fitted.chosen.values())
