"""``featurestore build`` and ``evaluate`` on an ingested world."""

import json
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

import featurestore.evaluation as evaluate_package
from featurestore.commands.features import build, evaluate
from featurestore.commands.terminal import progress
from featurestore.errors import FeatureError, LeakageError, SpecError
from featurestore.evaluation import cross_validation
from featurestore.features.matrix.feature_matrix import FeatureMatrix
from ingest.commands.ingest import find_spec
from ingest.pipeline import ingest_dataset

FEW = "not is_control and hash(condition_id) % 2 = 0"


@pytest.fixture
def run(world):
    def run(command, *arguments):
        result = CliRunner().invoke(command, [str(a) for a in arguments], obj=world, catch_exceptions=True)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def few_models(monkeypatch):
    """Compare the ridge with the train mean only, where the models are not what is tested."""
    every = cross_validation.standard_models

    def few(matrix):
        return {name: model for name, model in every(matrix).items() if name in ("train_mean", "ridge")}

    monkeypatch.setattr(cross_validation, "standard_models", few)


def test_build__writes_a_matrix_and_describes_it(run, world_files, tmp_path):
    spec = tmp_path / "features.toml"
    spec.write_text((world_files / "features.toml").read_text().replace("seed = 0", "seed = 31"))
    result = run(build, spec, "-o", tmp_path / "matrix")
    assert result.exit_code == 0
    assert "40 rows x 24 features -> 120 genes" in result.stdout
    assert "signature/replogle_demo_rpe1/" in result.stdout
    assert "Guard: no source shares an experiment" in result.stdout
    assert "CC0-1.0" in result.stdout
    assert "reading 40 target conditions" in result.stderr
    assert FeatureMatrix.read(tmp_path / "matrix").X.shape == (40, 24)
    again = run(build, spec, "-o", tmp_path / "again")
    assert "built before" in again.stderr
    assert again.stdout == result.stdout


def test_build__refuses_to_forbid_what_is_no_licence(run, world_files, tmp_path):
    with pytest.raises(FeatureError, match="No licence is called so") as caught:
        run(build, world_files / "features.toml", "-o", tmp_path / "matrix", "--forbid", "CC-BY-4", "--forbid", "MIT")
    assert caught.value.got == "'CC-BY-4'"
    assert "did you mean 'CC-BY-4.0'" in caught.value.do
    assert not (tmp_path / "matrix").exists()


def test_build__as_json_is_the_manifest(run, world_files, tmp_path):
    result = run(build, world_files / "features.toml", "-o", tmp_path, "--format", "json")
    assert json.loads(result.stdout) == FeatureMatrix.read(tmp_path).manifest


def test_evaluate__prints_a_score_sheet_and_writes_a_report(run, world_files, tmp_path):
    result = run(evaluate, world_files / "features.toml", "-o", tmp_path)
    assert "40 perturbations (40 conditions), each held out once in 5 folds" in result.stdout
    for model in (
        "no change",
        "train mean",
        "same perturbation elsewhere",
        "ridge on signatures",
        "forest on signatures",
    ):
        assert f"\n  {model} " in result.stdout
    assert "Pearson delta of no change (40)" in result.stdout
    assert "on signatures beats train mean" in result.stdout
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["models"]["ridge"]["all"]["pearson_delta"]["mean"] > 0.4
    assert all(sentence in result.stdout for sentence in scores["verdict"])


def test_evaluate__as_json_is_what_it_writes(few_models, run, world_files, tmp_path):
    few = (world_files / "features.toml").read_text().replace("folds = 5", "folds = 2").replace("not is_control", FEW)
    (tmp_path / "few.toml").write_text(few)
    result = run(evaluate, tmp_path / "few.toml", "-o", tmp_path, "--format", "json")
    assert json.loads(result.stdout) == json.loads((tmp_path / "scores.json").read_text())


def test_build__leaves_nothing_behind_when_it_refuses(run, world_files, tmp_path):
    leaky = (world_files / "features.toml").read_text().replace('["replogle_demo_rpe1"]', '["replogle_demo_k562"]')
    (tmp_path / "leaky.toml").write_text(leaky)
    with pytest.raises(LeakageError, match="replogle_demo_k562"):
        run(build, tmp_path / "leaky.toml", "-o", tmp_path / "matrix")
    assert not (tmp_path / "matrix").exists()
    with pytest.raises(SpecError):
        run(evaluate, tmp_path / "absent.toml", "-o", tmp_path / "report")
    assert not (tmp_path / "report").exists()


TWO_LINES = """
[target]
dataset = "lincs_demo"
effect_kind = "moderated_z"

[[feature]]
kind = "signature"
datasets = ["replogle_demo_k562"]
effect_kind = "delta_log1p"
components = 4

[split]
folds = 2
"""


@pytest.mark.parametrize(("unseen", "n_folds"), [("context", 2), ("both", 4)])
def test_evaluate__holds_out_contexts(few_models, run, tmp_path, unseen, n_folds):
    (tmp_path / "spec.toml").write_text(TWO_LINES)
    result = run(evaluate, tmp_path / "spec.toml", "-o", tmp_path / "report", "--unseen", unseen)
    assert f"40 perturbations (80 conditions), each held out once in {n_folds} folds" in result.stdout
    scores = json.loads((tmp_path / "report" / "scores.json").read_text())
    assert scores["unseen"] == unseen
    assert scores["models"]["ridge"]["all"]["pearson_delta"]["n_undefined"] == 0
    words = {"context": "contexts that no training row has", "both": "neither of which any training row has"}
    assert words[unseen] in (tmp_path / "report" / "report.html").read_text()


def test_evaluate__refuses_an_unknown_model_before_any_is_fitted(run, world_files, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate_package, "evaluate", lambda *_, **__: pytest.fail("fitted"))
    with pytest.raises(FeatureError, match="No model 'lasso' is evaluated") as caught:
        run(evaluate, world_files / "features.toml", "-o", tmp_path / "report", "--predictions", "lasso")
    assert str(caught.value).count("kernel_ridge") == 1
    assert not (tmp_path / "report").exists()


def test_evaluate__of_a_shipped_spec_says_once_what_to_ingest(run, tmp_path):
    with pytest.raises(SpecError) as caught:
        run(evaluate, "perturbqa_k562_de", "-o", tmp_path / "report")
    assert len(caught.value.got.splitlines()) == 3
    features = ", ".join(f"feature {number}" for number in range(1, 8))
    assert f"{features}: no dataset 'perturbqa_rpe1'" in caught.value.got
    names = "perturbqa_k562 perturbqa_rpe1 perturbqa_jurkat"
    assert caught.value.do == f"correct the names, or ingest these first: featurestore ingest {names}"


def test_build__of_no_file_names_the_nearest(run, world_files, tmp_path):
    with pytest.raises(SpecError) as caught:
        run(build, world_files / "featurs.toml", "-o", tmp_path / "matrix")
    assert caught.value.do == "did you mean 'features.toml'?"
    with pytest.raises(SpecError, match="known: 'perturbqa_jurkat_de'"):
        run(build, tmp_path / "nofile.toml", "-o", tmp_path / "matrix")


def test_progress__shows_the_last_count_alone_off_a_terminal(capsys):
    with progress() as report:
        for text in ("reading", "1 of 1,200 made", "2 of 1,200 made", "writing", "3 of 4 sent", "4 of 4 sent"):
            report(text)
    assert capsys.readouterr().err.split("\n") == ["  reading", "  2 of 1,200 made", "  writing", "  4 of 4 sent", ""]


def test_evaluate__thoroughly_draws_learning_curves(few_models, run, world_files, tmp_path):
    spec = tmp_path / "spec.toml"
    spec.write_text((world_files / "features.toml").read_text().replace("folds = 5", "folds = 2"))
    result = run(evaluate, spec, "-o", tmp_path / "report", "--thorough")
    curves = json.loads((tmp_path / "report" / "scores.json").read_text())["learning_curves"]
    n = {
        axis: sorted({point["n"] for point in curves if point["axis"] == axis}) for axis in ("perturbations", "sources")
    }
    assert n == {"perturbations": [4.0, 8.0, 14.0, 20.0], "sources": [0.0, 1.0, 2.0, 3.0]}
    assert "learning from 2 of 3 sources" in result.stderr
    of_two = [point["sources"].split(" + ") for point in curves if point["axis"] == "sources" and point["n"] == 2]
    assert len(of_two) == 3
    assert {len(set(names)) for names in of_two} == {2}
    assert (tmp_path / "report" / "learning.png").is_file()


def test_evaluate__says_how_well_signatures_predict_viability(few_models, real_data, tmp_path):
    for name, folder in (("depmap_chronos_44_lines", "depmap"), ("perturbqa_rpe1", "perturbqa")):
        ingest_dataset(find_spec(Path(name)), tmp_path / "warehouse", real_data / folder)
    spec = tmp_path / "spec.toml"
    spec.write_text(
        '[target]\ndataset = "depmap_chronos_44_lines"\nphenotype = "gene_effect"\n'
        'where = "context_label = \'ACH-000004\'"\n[[feature]]\nkind = "signature"\ndatasets = ["perturbqa_rpe1"]\n'
        'effect_kind = "de_call"\ncomponents = 10\n[split]\nfolds = 3\n'
    )
    arguments = [str(spec), "-o", str(tmp_path / "report"), "--predictions", "ridge"]
    result = CliRunner().invoke(evaluate, arguments, obj=tmp_path / "warehouse", catch_exceptions=False)
    assert "883 perturbations" in result.stdout
    assert "Ridge on signatures beats train mean: better in MAE" in result.stdout
    across = json.loads((tmp_path / "report" / "scores.json").read_text())["models"]["ridge"]["across_perturbations"]
    assert across["low"] > 0.4, "essential genes have strong signatures"
    assert pl.read_parquet(tmp_path / "report" / "predicted.parquet").shape == (883, 2)
