"""``featurestore build`` and ``evaluate`` where a row is a pair."""

import json

import pytest
from click.testing import CliRunner

from featurestore.challenge.effects import read_effects
from featurestore.commands.features import build, evaluate
from featurestore.errors import FeatureError
from featurestore.features.pairs.pair_matrix import PairMatrix


@pytest.fixture
def run(pair_store, pair_text, tmp_path):
    def run(command, *arguments):
        spec = tmp_path / "pairs.toml"
        spec.write_text(pair_text("direction"))
        result = CliRunner().invoke(
            command, [str(spec), "-o", str(tmp_path / "out"), *arguments], obj=pair_store.path, catch_exceptions=False
        )
        assert result.exit_code == 0
        return result.stdout

    return run


def test_build__describes_pairs(run, tmp_path):
    text = run(build)
    matrix = PairMatrix.read(tmp_path / "out")
    assert f"pairs: {matrix.rows.height:,} pairs of {matrix.manifest['n_perturbations']} perturbations" in text
    assert "line_b/CVCL_B" in text
    assert "signature, reconstruction, neighbour" in text
    assert "Held out: test. Learnt from training labels, anew for each: reconstruction/value" in text
    assert "no source shares an experiment with the rows (screen:A)" in text


def test_evaluate__prints_areas_beside_the_null(run, tmp_path):
    text = run(evaluate, "--shuffles", "1")
    assert "\n  logistic regression on pair features " in text
    assert "sources shuffled" in text
    assert "permuted 1 times" in text
    scores = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert f"{scores['n_pairs']} pairs of {scores['n_perturbations']} perturbations held out" in text
    assert f"{scores['models']['logistic']['auroc']:.3f}" in text
    assert text.endswith("\n".join(scores["verdict"]) + "\n")
    assert "By sources" not in text


def test_evaluate__thorough_says_what_fewer_sources_are_worth(run, tmp_path):
    text = run(evaluate, "--shuffles", "0", "--thorough")
    *_, whole = json.loads((tmp_path / "out" / "scores.json").read_text())["sources"]
    assert "By sources, logistic regression on pair features: 0.500 from none (0 data points); " in text
    assert f"{whole['auroc']:.3f} from line_b/CVCL_B + line_c/CVCL_C (180 data points)." in text


def test_evaluate__as_json_is_what_it_writes(run, tmp_path):
    text = run(evaluate, "--shuffles", "0", "--format", "json")
    assert json.loads(text) == json.loads((tmp_path / "out" / "scores.json").read_text())


def test_evaluate__says_which_tests_do_not_hold(run, tmp_path, monkeypatch):
    def doubts(warehouse, datasets):
        return [f"{name}: tests do not hold" for name in sorted(datasets)]

    monkeypatch.setattr("featurestore.calibration.doubts", doubts)
    text = run(evaluate, "--shuffles", "0")
    sentences = json.loads((tmp_path / "out" / "scores.json").read_text())["doubts"]
    assert sentences == [f"{name}: tests do not hold" for name in ("line_a", "line_b", "line_c")]
    assert "".join(f"Doubt: {sentence}.\n" for sentence in sentences) in text


@pytest.mark.parametrize("words", [["--unseen", "context"], ["--model", "sklearn.linear_model:Ridge"]])
def test_evaluate__refuses_what_is_of_conditions_alone(pair_store, pair_text, tmp_path, words):
    spec = tmp_path / "pairs.toml"
    spec.write_text(pair_text("direction"))
    result = CliRunner().invoke(evaluate, [str(spec), "-o", str(tmp_path / "out"), *words], obj=pair_store.path)
    assert result.exit_code == 2
    assert f"{words[0]} would change nothing: of conditions alone, and a row of this spec is a pair" in result.output
    assert not (tmp_path / "out").exists()


def test_predictions__of_pairs_are_no_effects_to_submit(run, tmp_path):
    run(evaluate, "--shuffles", "0", "--predictions", "blend")
    with pytest.raises(FeatureError, match="probabilities of pairs"):
        read_effects(tmp_path / "out", ("S001",))
