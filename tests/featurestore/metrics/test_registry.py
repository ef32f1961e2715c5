"""The registry tells the truth about its metrics, and computes them without letting one change another."""

import numpy as np
import pytest

from featurestore.metrics import METRICS, Inputs, compute, describe, get_metric


def inputs(n=8, genes=30, seed=0, **more):
    rng = np.random.default_rng(seed)
    measured = rng.normal(size=(n, genes))
    return Inputs(
        predicted=measured + rng.normal(size=measured.shape),
        measured=measured,
        train_mean=measured.mean(axis=0),
        significant=np.abs(measured) > 1,
        **more,
    )


def test_registry__says_of_every_metric_what_it_is_and_how_it_is_fooled():
    listed = describe()
    assert [m["name"] for m in listed] == list(METRICS)
    for m in listed:
        assert m["definition"].endswith("."), m["name"]
        assert len(m["loophole"]) > 30, m["name"]
        assert m["source"], m["name"]
        assert ":func:" not in m["loophole"]
        assert m["best"] in {0.0, 1.0}, m["name"]
    assert len({m["title"] for m in listed}) == len(listed)


def test_get_metric__suggests_the_nearest_name():
    assert get_metric("mae").more_is_better is False
    with pytest.raises(KeyError, match="did you mean 'pearson_delta'"):
        get_metric("pearson_dlta")


def test_compute__is_the_same_for_each_metric_alone_and_leaves_inputs_as_they_were():
    given = inputs()
    before = {name: value.copy() for name, value in given.given().items()}
    together = compute(given)
    assert {"mae", "overlap_at_n", "pds", "spearman_effect_size", "centred_pearson"} <= set(together)
    for name, scores in together.items():
        np.testing.assert_array_equal(compute(given, [name])[name], scores, err_msg=name)
    for name, value in given.given().items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)


def test_compute__leaves_out_what_it_lacks_and_names_it_when_asked():
    assert "ap_by_p" not in compute(inputs())
    with pytest.raises(ValueError, match="metric 'ap_by_p' needs predicted_q"):
        compute(inputs(), ["ap_by_p"])


def test_compute__of_a_perfect_prediction_is_the_best_value():
    measured = inputs().measured
    perfect = Inputs(predicted=measured, measured=measured, significant=np.abs(measured) > 0.5)
    for name, scores in compute(perfect).items():
        np.testing.assert_allclose(scores, METRICS[name].best, atol=1e-12, err_msg=name)
