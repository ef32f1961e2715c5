"""Evaluation of pairs: the planted signal is found, the null is chance, and held-out labels have no influence."""

import json
from html import unescape

import numpy as np
import polars as pl
import pytest

from featurestore.errors import FeatureError
from featurestore.evaluation import pair_report
from featurestore.evaluation.pair_evaluation import PairEvaluation, evaluate_pairs
from featurestore.evaluation.pair_scoring import held_out_scores, mean_auroc, pair_models, per_gene, standard_error
from featurestore.evaluation.reliability import reliability
from featurestore.features.pairs.builder import build_pairs, read_pairs


@pytest.fixture(scope="module")
def evaluation(pair_store, pair_spec):
    return evaluate_pairs(read_pairs(pair_store, pair_spec("direction")), shuffles=4)


@pytest.fixture(scope="module")
def thorough(pair_store, pair_spec):
    return evaluate_pairs(read_pairs(pair_store, pair_spec("direction")), shuffles=1, thorough=True)


@pytest.mark.parametrize("question", ["changed", "direction"])
def test_evaluate__finds_what_the_lines_share(pair_store, pair_spec, question):
    evaluation = evaluate_pairs(read_pairs(pair_store, pair_spec(question)), shuffles=0)
    assert evaluation.areas["logistic"] > 0.75
    assert evaluation.areas["logistic"] > evaluation.areas["elsewhere"] + 0.1 > 0.6
    assert evaluation.null == []
    assert evaluation.shuffled("logistic") is None


def test_evaluate__falls_to_chance_where_the_sources_are_shuffled(evaluation):
    assert evaluation.shuffled("logistic") == pytest.approx(0.5, abs=0.1)
    assert evaluation.areas["logistic"] > max(each["logistic"] for each in evaluation.null) + 0.15


def test_evaluate__predictions_do_not_depend_on_held_out_labels(writer, write_lines, called, pair_store, pair_spec):
    is_test = (np.arange(len(called["line_a"])) % 4 == 0)[:, None]
    scrambled = np.where(is_test, -called["line_a"], called["line_a"])
    write_lines(writer, called | {"line_a": scrambled})
    with writer.open() as store:
        other = build_pairs(store, pair_spec("direction"))
    matrix = build_pairs(pair_store, pair_spec("direction"))
    held_out = matrix.inner_fold[0] < 0
    assert (matrix.y[held_out] != other.y[held_out]).all()
    np.testing.assert_array_equal(matrix.X, other.X)
    ours, theirs = (held_out_scores(m, pair_models(m)).scores for m in (matrix, other))
    for model, score in ours.items():
        np.testing.assert_array_equal(score, theirs[model])


def test_evaluate__holds_every_fold_out_once(pair_store, pair_spec):
    matrix = build_pairs(pair_store, pair_spec("direction", "folds = 3"))
    scores, weights, _ = held_out_scores(matrix, pair_models(matrix))
    assert all(np.isfinite(score).all() for score in scores.values())
    assert weights["logistic"].shape == (matrix.columns.height,)
    table = per_gene(matrix, scores)
    assert table["held_out"].unique().sort().to_list() == ["fold 1", "fold 2", "fold 3"]
    assert mean_auroc(table)["logistic"] > 0.75


def test_per_gene__means_weigh_every_gene_once(evaluation):
    table = evaluation.per_gene.filter(model="ridge")
    assert table["gene_id"].is_unique().all()
    assert evaluation.areas["ridge"] == pytest.approx(table["auroc"].mean())


def test_standard_error__is_near_the_spread_over_new_perturbations():
    rng = np.random.default_rng(0)
    found, errors = [], []
    for _ in range(40):
        matrix, score = random_matrix(rng)
        found.append(mean_auroc(per_gene(matrix, {"m": score}))["m"])
        errors.append(standard_error(matrix, score))
    assert np.mean(errors) == pytest.approx(np.std(found), rel=0.35)


def random_matrix(rng, n=60, genes=10):
    """Perturbations whose pairs share an offset, so that pairs are no independent evidence."""
    from featurestore.features.pairs.pair_matrix import PairMatrix

    perturbation = np.repeat(np.arange(n), genes)
    truth = rng.normal(size=n)[perturbation] + rng.normal(size=n * genes) > 0
    score = rng.normal(size=n)[perturbation] + truth
    rows = pl.DataFrame({"group": perturbation, "gene_id": np.tile(np.arange(genes), n)}).cast(pl.String())
    inner = np.full((1, n * genes), -1)
    matrix = PairMatrix(np.empty((1, n * genes, 0)), truth, ["test"], inner, rows, pl.DataFrame({"name": []}), {})
    return matrix, score


def test_write__is_a_report_folder(evaluation, tmp_path):
    pair_report.write(evaluation, tmp_path)
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores == evaluation.to_dict()
    assert scores["models"]["logistic"]["auroc"] == evaluation.areas["logistic"]
    assert scores["n_shuffles"] == 4
    assert set(scores["models"]["ridge"]["weights"]) == set(evaluation.matrix.columns["name"])
    assert scores["features_alone"]["base_rate/log_odds"] == 0.5
    assert (tmp_path / "auroc.png").stat().st_size > 10_000
    assert not (tmp_path / "sources.png").exists()
    assert (tmp_path / "reliability.png").stat().st_size > 10_000
    assert not (tmp_path / "predicted.parquet").exists()
    assert (tmp_path / "per_gene.csv").read_text().startswith("model,held_out,gene_id,auroc,gene_symbol")


def test_write__tells_where_it_cannot(evaluation, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FeatureError, match="cannot be written"):
        pair_report.write(evaluation, tmp_path / "file" / "report")


def test_evaluation__without_a_gene_that_has_both_answers_is_undefined(pair_store, pair_spec, tmp_path):
    matrix = build_pairs(pair_store, pair_spec("direction"))
    matrix.y[matrix.inner_fold[0] < 0] = True
    evaluation = PairEvaluation(matrix, *held_out_scores(matrix, pair_models(matrix))[:2], [])
    assert evaluation.areas == {}
    assert evaluation.errors["logistic"] is None
    pair_report.write(evaluation, tmp_path)
    assert json.loads((tmp_path / "scores.json").read_text())["models"]["logistic"]["auroc"] is None


def test_reliability__is_the_distance_of_probabilities_from_shares():
    truth = np.array([True, False, False, False, True, True])
    found = reliability(truth, np.array([0.31, 0.33, 0.35, 0.37, 1.0, 0.8]), bins=5)
    said = [(one["n"], round(one["predicted"], 6), one["observed"]) for one in found["bins"]]
    assert said == [(4, 0.34, 0.25), (2, 0.9, 1.0)]
    assert found["calibration_error"] == pytest.approx((4 * 0.09 + 2 * 0.1) / 6)
    assert found["brier_base_rate"] == pytest.approx(0.25)


def test_evaluate__says_how_honest_probabilities_are(evaluation):
    assert set(evaluation.reliability) == {"logistic", "blend"}
    for found in evaluation.reliability.values():
        assert found["brier"] < found["brier_base_rate"]
        assert sum(one["n"] for one in found["bins"]) == evaluation.counts()["n_pairs"]


def test_predictions__are_of_every_pair_held_out(evaluation, tmp_path):
    said = evaluation.predictions("blend")
    assert said.height == evaluation.counts()["n_pairs"]
    assert said["probability"].is_between(0, 1).all()
    pair_report.write(evaluation, tmp_path, predictions="blend")
    assert pl.read_parquet(tmp_path / "predicted.parquet").equals(said)
    assert evaluation.predictions("ridge")["probability"].null_count() == said.height
    with pytest.raises(FeatureError, match="No model 'lasso' is evaluated"):
        evaluation.predictions("lasso")


def test_page__says_at_a_glance_who_tells_how_often_and_what_a_source_is_worth(thorough, tmp_path):
    pair_report.write(thorough, tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "http" not in page
    assert "<script" not in page
    assert page.count("data:image/png;base64,") == len(list(tmp_path.glob("*.png"))) == 3
    area, error = thorough.areas["blend"], thorough.errors["blend"]
    assert page.index("At a glance") < page.index(f"<td>{area:.3f}<br>") < page.index("What one more dataset is worth")
    assert "one raises a gene and the other lowers it" in thorough.verdict[0]
    assert f"tells which in {100 * area:.0f} % of cases" in thorough.verdict[0]
    assert f"({100 * (area - 2 * error):.0f} % to " in thorough.verdict[0]
    for sentence in thorough.verdict:
        assert sentence in unescape(page)
    (best,) = [name for name, alone in thorough.alone.items() if alone == max(thorough.alone.values())]
    assert f"best single feature<br><small>{best}</small>" in page


def test_source_curve__is_of_every_set_of_sources(thorough):
    curve = thorough.curve
    assert curve["sources"].to_list() == ["", "line_b/CVCL_B", "line_c/CVCL_C", "line_b/CVCL_B + line_c/CVCL_C"]
    assert curve["data_points"].to_list() == [0, 90, 90, 180]
    assert curve["auroc"][0] == 0.5, "of a perturbation that nobody did nothing is known"
    assert curve["auroc"][3] == thorough.areas["logistic"]
    assert curve["auroc"][1:].min() > 0.6
    assert thorough.to_dict()["sources"] == curve.to_dicts()


def test_of_sources__leaves_the_features_that_look_nowhere(pair_store, pair_spec):
    task = read_pairs(pair_store, pair_spec("direction"))
    assert [each.kind for each in task.of_sources(()).spec.feature] == ["base_rate"]
    one = task.of_sources(("line_c/CVCL_C",))
    assert [each.kind for each in one.spec.feature] == ["signature", "reconstruction", "neighbour", "base_rate"]
    assert {each.source.name for each in one.sources} == {"line_c/CVCL_C"}
    assert {name.split("/")[1] for name in one.build().columns["name"] if "signature" in name} == {"line_c"}
    assert len(task.sources) > len(one.sources), "the task itself stays as it was"
