"""Evaluation on planted worlds: no leak, honest baselines, and gains where they were planted."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from featurestore.evaluation import cell_weights, evaluate
from featurestore.evaluation.cross_validation import standard_models
from featurestore.models import RidgeOnSignatures, TrainMean


def ridge_and_mean(matrix):
    return {"train_mean": TrainMean(), "ridge": RidgeOnSignatures(matrix.columns["block"].to_numpy())}


@pytest.fixture(scope="module")
def evaluation(plant):
    return evaluate(plant())


def test_evaluate__holds_every_row_out_once(evaluation):
    table = evaluation.per_perturbation
    n_models = len(evaluation.predicted)
    assert table.height == n_models * 150
    assert table.group_by("model").agg(pl.col("condition_id").n_unique())["condition_id"].to_list() == [150] * n_models
    for predicted in evaluation.predicted.values():
        assert np.isfinite(predicted).all()


def test_evaluate__predictions_do_not_depend_on_the_effects_of_the_fold(plant):
    matrix = plant(n=60)
    before = evaluate(matrix, ridge_and_mean(matrix)).predicted
    fold = matrix.rows["fold"].to_numpy() == 2
    matrix.Y[fold] = 1000.0
    after = evaluate(matrix, ridge_and_mean(matrix)).predicted
    for name in before:
        np.testing.assert_array_equal(before[name][fold], after[name][fold])
        assert (before[name][~fold] != after[name][~fold]).any()


def test_evaluate__of_a_blend_beside_its_parts_and_alone_is_the_same(plant):
    matrix = plant(n=60, coverage=(0.3, 0.2))
    models = standard_models(matrix)
    beside, alone = (evaluate(matrix, some).predicted["blend"] for some in (models, {"blend": models["blend"]}))
    np.testing.assert_array_equal(beside, alone)


@pytest.mark.parametrize("world", ["plant", "informed", "known"])
def test_evaluate__no_model_reads_the_answers_of_the_fold(world, request):
    matrix = request.getfixturevalue(world)(n=60, coverage=(0.3, 0.2))
    matrix = replace(matrix, rows=matrix.rows.with_columns(pl.col("fold") % 2))
    before = evaluate(matrix)
    assert ("of_genes" in before.predicted) == (world == "known")
    fold = matrix.rows["fold"].to_numpy() == 1
    matrix.Y[fold] = np.where(np.arange(200) % 2, 1000.0, np.nan)
    after = evaluate(matrix)
    for name, predicted in before.predicted.items():
        np.testing.assert_array_equal(predicted[fold], after.predicted[name][fold], err_msg=name)
    assert before.weights["blend"][1] == after.weights["blend"][1]
    assert before.weights["blend"][0] != after.weights["blend"][0]
    if world != "plant":
        assert before.weights_uncovered["blend"][1] == after.weights_uncovered["blend"][1]


@pytest.mark.parametrize("dealt", [False, True])
def test_of_genes__gains_on_rows_that_no_source_covers_by_what_is_known_of_measured_genes(known, dealt):
    matrix = known(n=60, coverage=(0.2,), shared=(0.8,), dealt=dealt, noise=0.3)
    models = standard_models(matrix)
    assert "of_genes" in models["blend"].parts
    found = evaluate(matrix, {name: models[name] for name in ("train_mean", "of_genes")})
    (gain,) = (each for each in found.uncovered if (each.model, each.metric) == ("of_genes", "pearson_delta"))
    assert gain.n > 40
    if dealt:
        assert abs(gain.gain) < 0.02, "vectors of other genes tell nothing"
    else:
        assert gain.low > 0.1


def test_blend__is_at_or_above_its_best_part(evaluation):
    assert [found.metric for found in evaluation.best_part] == [metric.name for metric in evaluation.metrics]
    worse = {found.metric for found in evaluation.best_part if found.outcome == "worse"}
    assert worse <= {"pds_cosine"}, "which no part is fitted to"
    weights = evaluation.mean_weights("blend")
    assert sum(weight for part, weight in weights.items() if part != "magnitude") == pytest.approx(1)
    told = evaluation.to_dict()["models"]["blend"]
    assert told["weights"] == weights
    assert len(told["weights_by_fold"]) == 5
    outcome = next(found.outcome for found in evaluation.best_part if found.metric == "pearson_delta")
    words = {"better": "beats", "no clear difference": "is not clearly above or below"}[outcome]
    (said,) = (sentence for sentence in evaluation.verdict if f"{words} its best part in" in sentence)
    assert "Pearson delta (" in said


@pytest.mark.parametrize("seed", [0, 1])
def test_ridge__on_signatures_beats_the_train_mean_where_sources_share_the_effect(plant, seed):
    matrix = plant(seed=seed)
    scored = evaluate(matrix, ridge_and_mean(matrix))
    assert scored.score("ridge", "pearson_delta") > scored.score("train_mean", "pearson_delta") + 0.05
    assert scored.score("ridge", "centred_pearson") > 0.2
    assert scored.score("ridge", "mae") < scored.score("train_mean", "mae") - 0.01
    assert scored.score("ridge", "pds") > scored.score("train_mean", "pds") + 0.2


def test_ridge__on_shuffled_signatures_is_the_train_mean(plant):
    matrix = plant(shuffled=True)
    scored = evaluate(matrix, ridge_and_mean(matrix))
    for metric in ("pearson_delta", "mae"):
        assert scored.score("ridge", metric) == pytest.approx(scored.score("train_mean", metric), abs=0.02)
    assert scored.score("ridge", "pds") == pytest.approx(0.5, abs=0.06)


def test_ridge__gains_with_what_the_sources_share_and_cover(plant):
    def centred(**world):
        matrix = plant(**world)
        models = {"ridge": RidgeOnSignatures(matrix.columns["block"].to_numpy())}
        return evaluate(matrix, models).score("ridge", "centred_pearson")

    by_shared = [centred(shared=(r,), coverage=(1.0,)) for r in (0.0, 0.5, 0.95)]
    by_coverage = [centred(shared=(0.9,), coverage=(c,)) for c in (0.2, 0.6, 1.0)]
    assert by_shared == sorted(by_shared)
    assert by_coverage == sorted(by_coverage)


def test_evaluate__baselines_score_as_they_must(evaluation):
    assert evaluation.score("no_change", "pearson_delta") is None
    assert evaluation.score("train_mean", "centred_pearson") is None
    assert evaluation.score("train_mean", "pds") == pytest.approx(0.5, abs=0.02)
    assert evaluation.score("no_change", "pds_cosine") == pytest.approx(0.5)
    assert evaluation.score("elsewhere", "pds") > 0.8
    best = max(
        evaluation.score(m, "pearson_delta") for m in ("train_mean", "elsewhere", "ridge", "forest", "neighbours")
    )
    assert best == evaluation.score("ridge", "pearson_delta")
    assert best < 0.99, "better than the noise allows would be a leak"


def test_evaluate__tells_covered_from_uncovered_rows(evaluation):
    counts = evaluation.counts()
    assert counts["n_rows_covered"] + counts["n_rows_uncovered"] == 150
    assert counts["n_rows_uncovered"] > 0
    table = evaluation.per_perturbation.filter(model="ridge")
    assert (table["is_fallback"] == ~table["is_covered"]).all()
    mean = evaluation.per_perturbation.filter(model="train_mean").select("condition_id", mean="pearson_delta")
    fallen = table.filter("is_fallback").join(mean, on="condition_id")
    np.testing.assert_allclose(fallen["pearson_delta"], fallen["mean"], atol=1e-6)
    assert evaluation.score("ridge", "pearson_delta", "covered") > evaluation.score(
        "ridge", "pearson_delta", "uncovered"
    )


def test_evaluate__does_not_score_own_targets(plant):
    matrix = plant(n=40)
    before = evaluate(matrix, {"train_mean": TrainMean()}).per_perturbation
    assert evaluate(matrix, {"train_mean": TrainMean()}).own.sum() == 40
    for row in range(40):
        matrix.Y[row, row] = -50.0
    hidden = evaluate(matrix, {"train_mean": TrainMean()})
    predicted = np.where(hidden.own, hidden.predicted["train_mean"], 0)
    assert np.abs(predicted).max() < 3, "the mean of the others, who are not silenced there"
    assert before["mae"].max() < hidden.per_perturbation["mae"].max() < 5


def test_evaluate__records_the_penalty_of_each_fold(evaluation):
    assert list(evaluation.penalties) == ["ridge", "kernel_ridge"]
    assert len(evaluation.penalties["ridge"]) == 5


def test_standard_models__are_baselines_and_regressions_of_their_own_kinds(plant):
    models = standard_models(plant(n=20))
    assert list(models)[:5] == ["no_change", "train_mean", "crispr_mean", "elsewhere", "rescaled"]
    assert list(models)[5:] == ["neighbours", "bilinear", "ridge", "kernel_ridge", "forest", "blend"]
    matrix = plant(n=20)
    bare = replace(matrix, rows=matrix.rows.with_columns(target_gene_ids=pl.lit([], pl.List(pl.String()))))
    assert "crispr_mean" not in standard_models(bare), "nobody's target is measured"


def test_cell_weights__grow_with_cells_and_level_off():
    weights = cell_weights(pl.Series([10, 30, 3000]))
    np.testing.assert_allclose(weights / weights[1], [0.5, 1.0, 2 * 3000 / 3030])
    assert weights.mean() == pytest.approx(1.0)


def test_cell_weights__of_unknown_numbers_are_even():
    np.testing.assert_allclose(cell_weights(pl.Series([None, None], dtype=pl.Int64)), [1.0, 1.0])
    weights = cell_weights(pl.Series([10, None, 1000]))
    assert weights[0] < weights[1] < weights[2]
