"""Effects shrunk by cells, and by their standard errors."""

import numpy as np
import polars as pl
import pytest

from featurestore.errors import FeatureError, SpecError
from featurestore.features.builder import build
from featurestore.features.effects.shrinkage import LEAST, POOLED, by_cells, empirical_bayes
from featurestore.features.spec import parse_spec, spec_of
from featurestore.features.transformer import SignatureFeatures

N_GENES = 30
SPEC = """
[target]
dataset = "target"
[[feature]]
kind = "signature"
{look}
{more}
[split]
folds = 2
"""


def spec(more="", look='datasets = ["external"]'):
    return parse_spec(SPEC.format(look=look, more=more))


def entries(effects, errors):
    """A signature table with standard errors; NaN is NULL."""
    row, column = np.nonzero(np.isfinite(effects))
    return pl.DataFrame(
        {
            "condition_index": row,
            "gene_index": column,
            "effect": effects[row, column],
            "standard_error": errors[row, column],
            "effect_kind": ["delta_log1p"] * row.size,
        },
        nan_to_null=True,
    )


def planted(seed=0, n=12):
    rng = np.random.default_rng(seed)
    errors = np.repeat(rng.uniform(0.1, 1.5, (n, 1)), N_GENES, axis=1)
    return rng.normal(size=(n, N_GENES)) + errors * rng.normal(size=(n, N_GENES)), errors


@pytest.fixture
def store(writer, make_condition):
    effects, errors = planted()
    labels = [f"G{i}" for i in range(12)]
    writer.dataset("target", [make_condition(name) for name in labels], np.ones((12, N_GENES)))
    outside = [make_condition(name, "B", cells=20) for name in labels]
    writer.dataset("external", outside, effects, signature=entries(effects, errors))
    writer.dataset("unsure", [make_condition(name, "C") for name in labels], effects)
    with writer.open() as opened:
        yield opened


def by_hand(effects, errors):
    """The same in plain NumPy, where every pair has both."""
    excess = effects**2 - errors**2
    overall = max(excess.mean(), np.sqrt((2.0 * errors**4).sum()) / errors.size)
    of_gene = np.maximum((excess.sum(axis=0) + POOLED * overall) / (len(effects) + POOLED), LEAST * overall)
    of_condition = np.maximum(excess.mean(axis=1), LEAST * overall)
    prior = of_condition[:, None] * of_gene / overall
    return effects * prior / (prior + errors**2)


def test_by_cells__halves_an_effect_at_so_many_cells():
    values = np.ones((3, 2), dtype=np.float32)
    np.testing.assert_allclose(by_cells(values, pl.Series([10, 30, None]), 10)[:, 0], [0.5, 0.75, 2 / 3])
    np.testing.assert_array_equal(by_cells(values, pl.Series([None] * 3, dtype=pl.Int64), 10), values)


def test_empirical_bayes__is_the_posterior_mean_of_each_effect(monkeypatch):
    effects, errors = (values.astype(np.float32) for values in planted())
    np.testing.assert_allclose(empirical_bayes(effects, errors), by_hand(effects, errors), rtol=1e-5, atol=1e-7)
    monkeypatch.setattr("featurestore.features.effects.shrinkage._AT_ONCE", 5)
    np.testing.assert_allclose(empirical_bayes(effects, errors), by_hand(effects, errors), rtol=1e-5, atol=1e-7)


def test_empirical_bayes__of_noise_alone_is_next_to_nothing():
    rng = np.random.default_rng(1)
    errors = np.full((40, 200), 0.5, np.float32)
    left = empirical_bayes((errors * rng.normal(size=errors.shape)).astype(np.float32), errors)
    assert (left**2).mean() < 0.1 * 0.25
    assert np.abs(left).min() > 0.0


def test_empirical_bayes__of_certain_effects_is_these():
    effects = planted()[0].astype(np.float32)
    np.testing.assert_allclose(empirical_bayes(effects, np.full_like(effects, 1e-4)), effects, rtol=1e-4)


def test_empirical_bayes__an_effect_of_unknown_error_is_missing_but_none_stays_none():
    effects, errors = (values.astype(np.float32) for values in planted())
    effects[0, 0], errors[0, :2], effects[3, 3] = 0.0, np.nan, np.nan
    left = empirical_bayes(effects, errors)
    assert left[0, 0] == 0.0
    assert np.isnan(left[0, 1])
    assert np.isnan(left[3, 3])
    assert np.isnan(left).sum() == 2


def test_empirical_bayes__is_nearer_to_the_truth_than_by_cells():
    """Conditions of 4 to 300 cells and uneven strength, genes of uneven spread: mean square error over that of none."""
    rng = np.random.default_rng(2)
    shape = (150, 400)
    truth = rng.normal(size=shape) * rng.gamma(0.5, 2.0, (shape[0], 1)) * rng.lognormal(-2.0, 1.0, shape[1])
    n = np.exp(rng.uniform(np.log(4), np.log(300), shape[0])).round()
    errors = rng.lognormal(-0.5, 0.5, shape[1]) / np.sqrt(n)[:, None]
    measured = (truth + errors * rng.normal(size=shape)).astype(np.float32)
    loss = {half: ((by_cells(measured, pl.Series(n), half) - truth) ** 2).mean() for half in (3, 10, 30, 100)}
    ours = ((empirical_bayes(measured, errors.astype(np.float32)) - truth) ** 2).mean()
    assert ours < 0.5 * min(loss.values())
    assert min(loss.values()) < ((measured - truth) ** 2).mean()


def test_signature__is_shrunk_by_its_standard_errors_and_says_so(store):
    matrix = build(store, spec('shrink = "empirical_bayes"'))
    effects, errors = (values.astype(np.float32) for values in planted())
    order = [int(label[1:]) for label in matrix.rows["perturbation_label"]]
    np.testing.assert_allclose(matrix.X, by_hand(effects, errors)[order], rtol=1e-4, atol=1e-6)
    said = matrix.manifest["sources"][0]["shrunk"]
    assert said["n_without_standard_error"] == 0
    assert said["share_of_squares_left"] == pytest.approx((by_hand(effects, errors) ** 2).sum() / (effects**2).sum())
    assert matrix.manifest["spec"]["feature"][0]["shrink"] == "empirical_bayes"
    plain = build(store, spec())
    assert plain.manifest["recipe"] != matrix.manifest["recipe"]
    assert "shrunk" not in plain.manifest["sources"][0]
    np.testing.assert_array_equal(plain.elsewhere, matrix.elsewhere)  # what is measured elsewhere is no feature


def test_signature__genes_that_are_asked_for_do_not_change_how_they_are_shrunk(store):
    every = build(store, spec('shrink = "empirical_bayes"'))
    some = build(store, spec('shrink = "empirical_bayes"\ngenes = ["S003", "S007"]'))
    np.testing.assert_array_equal(some.X, every.X[:, [2, 6]])


def test_response_and_average__are_shrunk_too(store):
    average = build(store, spec('shrink = "empirical_bayes"\naverage = "equal"'))
    block = build(store, spec('shrink = "empirical_bayes"'))
    np.testing.assert_allclose(average.X, block.X, rtol=1e-6)
    assert average.manifest["sources"][0]["shrunk"] == [block.manifest["sources"][0]["shrunk"]]
    text = SPEC.replace('"signature"', '"response"').format(
        look='datasets = ["external"]', more='shrink = "empirical_bayes"'
    )
    response = build(store, parse_spec(text))
    effects, errors = (values.astype(np.float32) for values in planted())
    labels = response.rows["perturbation_label"].to_list()
    order = sorted(range(12), key=lambda i: f"G{i}/B/crispri")  # one column a condition, by its id
    expected = by_hand(effects, errors)[order, 5]
    np.testing.assert_allclose(response.X[labels.index("G5")], expected, rtol=1e-4, atol=1e-6)


def test_transformer__shrinks_on_what_is_not_withheld(writer, make_condition):
    effects, errors = planted()
    conditions = [make_condition(f"G{i}", "BC"[i % 2]) for i in range(12)]
    writer.dataset("external", conditions, effects, signature=entries(effects, errors))
    look = [{"kind": "signature", "datasets": ["external"], "shrink": "empirical_bayes"}]
    with writer.open() as store:
        features = SignatureFeatures(store, look, withhold=["external:CVCL_B"])
        found = features.fit_transform(["S002", "S004"])
    effects, errors = (values.astype(np.float32)[1::2] for values in (effects, errors))
    np.testing.assert_allclose(found, by_hand(effects, errors)[:2], rtol=1e-4, atol=1e-6)


def test_signature__without_standard_errors_is_refused_or_skipped(store):
    with pytest.raises(FeatureError, match="have no standard errors") as caught:
        build(store, spec('shrink = "empirical_bayes"', look='datasets = ["external", "unsure"]'))
    assert "'unsure'" in str(caught.value)
    assert "set shrinkage" in str(caught.value)
    matrix = build(store, spec('shrink = "empirical_bayes"', look="where = \"dataset_id in ('external', 'unsure')\""))
    reasons = {fact["dataset_id"]: fact.get("skipped") for fact in matrix.manifest["sources"]}
    assert reasons["external"] is None
    assert "have no standard errors" in reasons["unsure"]


def test_spec__shrinks_once():
    with pytest.raises(SpecError, match="shrunk once"):
        spec('shrink = "empirical_bayes"\nshrinkage = 10')
    with pytest.raises(SpecError, match="shrink"):
        spec('shrink = "lasso"')
    assert spec_of(spec('shrink = "empirical_bayes"').model_dump(exclude_none=True)).feature[0].shrink
