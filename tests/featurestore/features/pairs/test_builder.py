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
    found = column(matrix, "signature/b_de/CVCL_B/call")
    perturbation = matrix.rows["perturbation_label"].str.slice(1).cast(int).to_numpy()
    gene = matrix.rows["gene_id"].str.slice(4).cast(int).to_numpy() - 1
    there = called["b_de"][perturbation, gene]
    np.testing.assert_array_equal(np.isfinite(found), np.isfinite(there))
    n = np.isfinite(called["b_de"]).sum(axis=0)
    overall = np.nanmean(called["b_de"])
    mean = (np.nansum(called["b_de"], axis=0) + 5 * overall) / (n + 5)
    np.testing.assert_allclose(found, (there - mean[gene]).astype(np.float32), atol=1e-6)


def test_build__columns_say_where_they_are_from_and_what_looks_at_labels(matrix):
    lines = {row["name"]: row for row in matrix.columns.iter_rows(named=True)}
    assert lines["neighbour/response"]["dataset_ids"] == ["b_de", "b_dir", "c_de", "c_dir"]
    assert lines["strength/c_dir/CVCL_C/log_n_changed"]["licences"] == ["licence of c_dir"]
    fitted = [name for name, line in lines.items() if line["is_fitted"]]
    assert fitted == ["reconstruction/call", "neighbour/response", "neighbour/strength", "base_rate/log_odds"]


def test_build__manifest_holds_spec_releases_and_verdict(matrix):
    manifest = matrix.manifest
    assert manifest["releases"] == dict.fromkeys(["a_de", "b_de", "b_dir", "c_de", "c_dir"], "r1")
    assert manifest["guard"]["experiments"]["target_experiments"] == ["screen:A"]
    assert manifest["guard"]["split"]["split_by"] == "published_split"
    assert manifest["spec"]["target"]["question"] == "changed"
    assert (manifest["n_rows"], manifest["n_features"]) == matrix.X.shape[1:]


def test_build__is_dispatched_by_the_unit(pair_store, pair_spec, matrix):
    again = build(pair_store, pair_spec())
    assert isinstance(again, PairMatrix)
    np.testing.assert_array_equal(again.X, matrix.X)


def test_build__refuses_the_target_lines_other_table(pair_store, pair_text):
    leaky = pair_text().replace('datasets = ["b_de", "c_dir"]', 'datasets = ["a_dir"]')
    with pytest.raises(LeakageError, match=r"strength/a_dir/CVCL_A: \d+ of \d+ conditions"):
        build_pairs(pair_store, parse_spec(leaky))


def test_build__refuses_the_same_calls_under_another_name(writer, write_lines, called, pair_spec):
    write_lines(writer, called | {"b_de": called["a_de"]})
    with writer.open() as store:
        with pytest.raises(LeakageError, match="b_de/CVCL_B looks like the target"):
            build_pairs(store, pair_spec())
        allow = '\n[[allow]]\ntarget = "screen:A"\nsource = "screen:B"\nreason = "a test"'
        verdicts = build_pairs(store, pair_spec("de", f'column = "published_split"{allow}')).manifest["guard"]
    assert verdicts["lookalikes"][0]["correlation"] > 0.99
    assert verdicts["experiments"]["allowed"][0]["reason"] == "a test"


def test_build__knows_no_perturbation_by_the_opposite_one(writer, write_lines, called, pair_spec, make_condition):
    write_lines(writer, {name: calls for name, calls in called.items() if name != "b_de"})
    genes = [f"ENSG{i:011d}" for i in range(1, called["b_de"].shape[1] + 1)]
    conditions = [
        make_condition(f"P{i}", "B", kind="crispra", genes=[f"ENSG9{i:010d}"], experiment="screen:B")
        for i in range(len(called["b_de"]))
    ]
    writer.dataset("b_de", conditions, called["b_de"], genes=genes, kind="de_call")
    with writer.open() as store:
        matrix = build_pairs(store, pair_spec())
    assert np.isnan(column(matrix, "signature/b_de/CVCL_B/call")).all()
    assert np.isfinite(column(matrix, "signature/c_de/CVCL_C/call")).any()


def test_build__refuses_sources_without_a_perturbation_in_common(
    writer, write_lines, called, pair_spec, make_condition
):
    write_lines(writer, {name: calls for name, calls in called.items() if name[0] == "a"})
    for name in ("b_de", "b_dir", "c_de", "c_dir"):
        conditions = [make_condition(f"Q{i}", name[0].upper(), genes=[f"ENSG8{i}"], experiment=name) for i in range(4)]
        writer.dataset(name, conditions, called[name][:4, :30], kind="de_call")
    with writer.open() as store, pytest.raises(FeatureError, match="No source says anything"):
        build_pairs(store, pair_spec())


def test_build__refuses_features_that_look_nowhere(pair_store, pair_text):
    head, rest = pair_text().split("[[feature]]", 1)
    only = f'{head}[[feature]]\nkind = "base_rate"\n[split]{rest.split("[split]")[1]}'
    with pytest.raises(FeatureError, match="No feature looks in another experiment"):
        build_pairs(pair_store, parse_spec(only))


def test_build__refuses_licences(pair_store, pair_spec):
    with pytest.raises(FeatureError, match="licences"):
        build_pairs(pair_store, pair_spec("de", 'column = "published_split"\n[licence]\nforbid = ["licence of c_de"]'))


def test_shuffle__deals_perturbations_anew_and_leaves_the_target_alone(pair_store, pair_spec, matrix):
    task = read_pairs(pair_store, pair_spec())
    shuffled = task.build(shuffle=0)
    assert shuffled.rows.equals(matrix.rows)
    np.testing.assert_array_equal(column(shuffled, "base_rate/log_odds"), column(matrix, "base_rate/log_odds"))
    before, after = (column(m, "signature/b_de/CVCL_B/call") for m in (matrix, shuffled))
    assert np.mean(np.isfinite(before) & np.isfinite(after)) < 0.2, "a third of a third of the pairs"
    again, other = task.build(shuffle=0), task.build(shuffle=1)
    np.testing.assert_array_equal(again.X, shuffled.X)
    assert not np.array_equal(other.X, shuffled.X, equal_nan=True)
    assert shuffled.manifest["shuffled_sources"] == 0


def test_write__round_trip_and_proof(pair_store, pair_spec, tmp_path):
    matrix = build_pairs(pair_store, pair_spec("de", "folds = 3"))
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
    write_lines(writer, {"b_de": 1 - called["b_de"]}, release="r2")
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
        (('kind = "strength"', 'kind = "response"'), "feature 4, kind: for pairs, one of signature, reconstruction"),
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
