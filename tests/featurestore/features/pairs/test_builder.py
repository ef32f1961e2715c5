"""A matrix of pairs: values, lineage, the guard, and the null."""

import numpy as np
import pytest

from featurestore.errors import FeatureError, LeakageError, SpecError
from featurestore.features.builder import build
from featurestore.features.pairs.builder import build_pairs, read_pairs
from featurestore.features.pairs.pair_matrix import PairMatrix, read_matrix
from featurestore.features.registry import rebuild
from featurestore.features.spec import parse_spec


@pytest.fixture
def matrix(pair_store, pair_spec):
    return build_pairs(pair_store, pair_spec())


def column(matrix, name):
    return matrix.X[0][:, matrix.columns["name"].to_list().index(name)]


def test_build__the_sources_call_on_that_very_gene_is_a_feature(matrix, called):
    found = column(matrix, "signature/line_b/CVCL_B/changed")
    perturbation = matrix.rows["perturbation_label"].str.slice(1).cast(int).to_numpy()
    gene = matrix.rows["gene_id"].str.slice(4).cast(int).to_numpy() - 1
    changed = np.where(np.isfinite(called["line_b"]), called["line_b"] != 0, np.nan)
    there = changed[perturbation, gene]
    np.testing.assert_array_equal(np.isfinite(found), np.isfinite(there))
    n = np.isfinite(changed).sum(axis=0)
    mean = (np.nansum(changed, axis=0) + 5 * np.nanmean(changed)) / (n + 5)
    np.testing.assert_allclose(found, (there - mean[gene]).astype(np.float32), atol=1e-6)


def test_build__columns_say_where_they_are_from_and_what_looks_at_labels(matrix):
    lines = {row["name"]: row for row in matrix.columns.iter_rows(named=True)}
    assert list(lines) == [
        "signature/line_b/CVCL_B/changed",
        "signature/line_c/CVCL_C/changed",
        "reconstruction/value",
        "neighbour/response",
        "neighbour/strength",
        "strength/line_b/CVCL_B/changed/mean",
        "strength/line_b/CVCL_B/changed/log_n",
        "strength/line_b/CVCL_B/direction/mean",
        "base_rate/log_odds",
    ]
    assert lines["neighbour/response"]["dataset_ids"] == ["line_b", "line_c"]
    assert lines["signature/line_c/CVCL_C/changed"]["licences"] == ["licence of line_c"]
    fitted = [name for name, line in lines.items() if line["is_fitted"]]
    assert fitted == ["reconstruction/value", "neighbour/response", "neighbour/strength", "base_rate/log_odds"]


def test_build__asks_sources_the_targets_question_unless_told(pair_store, pair_text):
    names = build_pairs(pair_store, parse_spec(pair_text("direction"))).columns["name"]
    assert "signature/line_b/CVCL_B/direction" in names
    both = pair_text().replace('kind = "signature"', 'kind = "signature"\nquestions = ["direction", "changed"]')
    names = build_pairs(pair_store, parse_spec(both)).columns["name"]
    assert names[:2].to_list() == ["signature/line_b/CVCL_B/direction", "signature/line_b/CVCL_B/changed"]


@pytest.mark.parametrize("kind", ["analogue", "co_response"])
def test_build__analogues_answer_the_targets_question_alone(pair_store, pair_text, kind):
    more = f'[[feature]]\nkind = "{kind}"\ndatasets = ["line_b"]\nquestions = {{questions}}\ncomponents = 5\n[split]'
    known = []
    for questions in ('["changed", "direction"]', '["direction"]'):
        found = build_pairs(pair_store, parse_spec(pair_text().replace("[split]", more.format(questions=questions))))
        known.append([np.isfinite(column(found, f"{kind}/{name}")).any() for name in ("here", "elsewhere")])
    assert known == [[True, True], [True, False]]


def test_build__takes_effects_of_other_kinds_as_they_are(writer, write_lines, called, pair_text, make_condition):
    write_lines(writer, called)
    effects = np.random.default_rng(0).normal(size=(6, 30))
    conditions = [make_condition(f"P{i}", "D", genes=[f"ENSG9{i:010d}"], experiment="screen:D") for i in range(6)]
    writer.dataset("line_d", conditions, effects)
    more = (
        '[[feature]]\nkind = "signature"\nname = "delta"\ndatasets = ["line_d"]\neffect_kind = "delta_log1p"\n[split]'
    )
    with writer.open() as store:
        matrix = build_pairs(store, parse_spec(pair_text().replace("[split]", more)))
    rows = matrix.rows.with_columns(found=column(matrix, "delta/line_d/CVCL_D/delta_log1p"))
    gene = rows.filter(perturbation_label="P1", gene_id=f"ENSG{2:011d}")["found"]
    mean = (effects[:, 1].sum() + 5 * effects.mean()) / 11
    expected = [] if np.isnan(called["line_a"][1, 1]) else [pytest.approx(effects[1, 1] - mean, abs=1e-6)]
    assert gene.to_list() == expected
    assert np.isfinite(rows.filter(perturbation_label="P2")["found"].to_numpy()).any()
    assert np.isnan(rows.filter(perturbation_label="P7")["found"].to_numpy()).all()


def test_build__manifest_holds_spec_releases_and_verdict(matrix):
    manifest = matrix.manifest
    assert manifest["releases"] == dict.fromkeys(["line_a", "line_b", "line_c"], "r1")
    assert manifest["guard"]["experiments"]["target_experiments"] == ["screen:A"]
    assert manifest["guard"]["split"]["split_by"] == "published_split"
    assert manifest["spec"]["target"]["question"] == "changed"
    assert (manifest["n_rows"], manifest["n_features"]) == matrix.X.shape[1:]


def test_build__is_dispatched_by_the_unit(pair_store, pair_spec, matrix):
    again = build(pair_store, pair_spec())
    assert isinstance(again, PairMatrix)
    np.testing.assert_array_equal(again.X, matrix.X)


def test_build__refuses_another_table_of_the_target_line(writer, write_lines, called, pair_text):
    write_lines(writer, called | {"more_a": called["line_a"]})
    leaky = pair_text().replace('kind = "strength"\ndatasets = ["line_b"]', 'kind = "strength"\ndatasets = ["more_a"]')
    with writer.open() as store, pytest.raises(LeakageError, match="strength/more_a/CVCL_A: 90 of 90 conditions"):
        build_pairs(store, parse_spec(leaky))


@pytest.mark.parametrize("question", ["changed", "direction"])
def test_build__refuses_the_same_calls_under_another_name(writer, write_lines, called, pair_spec, question):
    write_lines(writer, called | {"line_b": called["line_a"]})
    with writer.open() as store:
        with pytest.raises(LeakageError, match="line_b/CVCL_B looks like the target"):
            build_pairs(store, pair_spec(question))
        allow = '\n[[allow]]\ntarget = "screen:A"\nsource = "screen:B"\nreason = "a test"'
        verdicts = build_pairs(store, pair_spec(question, f'column = "published_split"{allow}')).manifest["guard"]
    assert verdicts["lookalikes"][0]["correlation"] == pytest.approx(1.0)
    assert verdicts["experiments"]["allowed"][0]["reason"] == "a test"


PAIRS = """
[target]
dataset = "target"
unit = "pair"
effect_kind = "de_call"
question = "changed"
[[feature]]
kind = "signature"
datasets = ["copy"]
[split]
folds = 3
"""


@pytest.fixture
def called_in(writer, make_condition):
    """Write calls of 40 perturbations and 30 genes in lines, shape (lines, perturbations, genes)."""

    def called_in(dataset, calls):
        conditions = [
            make_condition(f"P{i}", line, genes=[f"ENSG9{i:010d}"])
            for line in "ABC"[: len(calls)]
            for i in range(calls.shape[1])
        ]
        writer.dataset(dataset, conditions, calls.reshape(-1, 30).astype(float), kind="de_call")

    return called_in


@pytest.mark.parametrize("n_lines", [1, 2, 3])
def test_build__refuses_the_same_calls_of_several_lines(writer, called_in, n_lines):
    calls = np.random.default_rng(0).random((n_lines, 40, 30)) < 0.4
    called_in("target", calls)
    called_in("copy", calls)
    with writer.open() as store, pytest.raises(LeakageError, match="copy/CVCL_A looks like the target") as caught:
        build_pairs(store, parse_spec(PAIRS))
    assert caught.value.got == "r = 1.000 over 1,200 pairs that both list"


def test_build__takes_calls_of_the_same_lines_by_others(writer, called_in):
    rng = np.random.default_rng(0)
    calls = rng.random((2, 40, 30)) < 0.4
    called_in("target", calls)
    called_in("copy", np.where(rng.random(calls.shape) < 0.05, ~calls, calls))
    with writer.open() as store:
        verdicts = build_pairs(store, parse_spec(PAIRS)).manifest["guard"]["lookalikes"]
    assert [verdict["n_compared"] for verdict in verdicts] == [1200, 1200]
    assert [round(verdict["correlation"], 2) for verdict in verdicts] == [0.62, 0.64]
    assert [round(verdict["highest"], 2) for verdict in verdicts] == [0.9, 0.91]


def test_build__knows_no_perturbation_by_the_opposite_one(writer, write_lines, called, pair_spec):
    write_lines(writer, {name: calls for name, calls in called.items() if name != "line_b"})
    write_lines(writer, {"line_b": called["line_b"]}, kind=lambda _: "crispra")
    with writer.open() as store:
        matrix = build_pairs(store, pair_spec())
    assert np.isnan(column(matrix, "signature/line_b/CVCL_B/changed")).all()
    assert np.isfinite(column(matrix, "signature/line_c/CVCL_C/changed")).any()


def test_build__refuses_sources_without_a_perturbation_in_common(writer, write_lines, called, pair_spec):
    write_lines(writer, {"line_a": called["line_a"]})
    write_lines(writer, {name: called[name] for name in ("line_b", "line_c")}, genes=lambda i: [f"ENSG8{i:010d}"])
    with writer.open() as store, pytest.raises(FeatureError, match="No source says anything"):
        build_pairs(store, pair_spec())


def test_build__refuses_features_that_look_nowhere(pair_store, pair_text):
    head, rest = pair_text().split("[[feature]]", 1)
    only = f'{head}[[feature]]\nkind = "base_rate"\n[split]{rest.split("[split]")[1]}'
    with pytest.raises(FeatureError, match="No feature looks in another experiment"):
        build_pairs(pair_store, parse_spec(only))


def test_build__refuses_licences(pair_store, pair_spec):
    with pytest.raises(FeatureError, match="licences"):
        build_pairs(
            pair_store, pair_spec("changed", 'column = "published_split"\n[licence]\nforbid = ["licence of line_c"]')
        )


def test_shuffle__deals_perturbations_anew_and_leaves_the_target_alone(pair_store, pair_spec, matrix):
    task = read_pairs(pair_store, pair_spec())
    shuffled = task.build(shuffle=0)
    assert shuffled.rows.equals(matrix.rows)
    np.testing.assert_array_equal(column(shuffled, "base_rate/log_odds"), column(matrix, "base_rate/log_odds"))
    before, after = (column(m, "signature/line_b/CVCL_B/changed") for m in (matrix, shuffled))
    assert np.mean(np.isfinite(before) & np.isfinite(after)) < 0.2, "a third of a third of the pairs"
    again, other = task.build(shuffle=0), task.build(shuffle=1)
    np.testing.assert_array_equal(again.X, shuffled.X)
    assert not np.array_equal(other.X, shuffled.X, equal_nan=True)
    assert shuffled.manifest["shuffled_sources"] == 0


def test_write__round_trip_and_proof(pair_store, pair_spec, tmp_path):
    matrix = build_pairs(pair_store, pair_spec("changed", "folds = 3"))
    matrix.write(tmp_path)
    read = read_matrix(tmp_path)
    assert isinstance(read, PairMatrix)
    np.testing.assert_array_equal(read.X, matrix.X)
    np.testing.assert_array_equal(read.inner_fold, matrix.inner_fold)
    np.testing.assert_array_equal(read.y, matrix.y)
    assert (read.held_out, read.rows.equals(matrix.rows), read.manifest) == (matrix.held_out, True, matrix.manifest)
    assert rebuild(pair_store, tmp_path) == []
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(FeatureError, match="no complete"):
        PairMatrix.read(tmp_path)


def test_build__pinned_to_a_snapshot(writer, write_lines, called, pair_spec):
    write_lines(writer, called)
    with writer.open() as store:
        before = build_pairs(store, pair_spec())
    write_lines(writer, {"line_b": 1 - called["line_b"] ** 2}, release="r2")
    with writer.open() as store:
        now = build_pairs(store, pair_spec())
        pinned = build_pairs(store, pair_spec().model_copy(update={"snapshot": 1}))
    assert not np.array_equal(now.X, before.X, equal_nan=True)
    np.testing.assert_array_equal(pinned.X, before.X)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('question = "changed"\n', ""), "say what is asked of pairs"),
        (('effect_kind = "de_call"\n', ""), "set effect_kind = 'de_call'"),
        (('unit = "pair"\n', ""), "'question' is asked of pairs"),
        (("components = 4", 'components = 4\ngenes = ["TP53"]'), "feature 2: 'genes' has no meaning for pairs"),
        (('kind = "strength"', 'kind = "response"'), "feature 4.kind: for pairs, one of signature, embedding"),
        (("[split]", '[split]\nby = "cluster"'), "either 'column' or 'by'"),
    ],
)
def test_spec__says_what_does_not_suit_pairs(pair_text, change, message):
    with pytest.raises(SpecError) as caught:
        parse_spec(pair_text().replace(*change))
    assert message in caught.value.got


def test_spec__keeps_pair_kinds_from_conditions():
    text = '[target]\ndataset = "a"\n[[feature]]\nkind = "base_rate"\n[split]\ncolumn = "published_split"'
    with pytest.raises(SpecError) as caught:
        parse_spec(text)
    assert "split: 'column' is for pairs" in caught.value.got
    assert "'base_rate' is for pairs" in caught.value.got
