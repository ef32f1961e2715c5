"""``featurestore build`` and ``evaluate`` on an ingested world."""

import json

import pytest
from click.testing import CliRunner

from featurestore.commands.features import build, evaluate
from featurestore.errors import LeakageError, SpecError
from featurestore.features.feature_matrix import FeatureMatrix

FEW = "not is_control and hash(condition_id) % 2 = 0"


@pytest.fixture
def run(world):
    def run(command, *arguments):
        result = CliRunner().invoke(command, [str(a) for a in arguments], obj=world, catch_exceptions=True)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


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


def test_evaluate__as_json_is_what_it_writes(run, world_files, tmp_path):
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
