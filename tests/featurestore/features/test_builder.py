"""Building a feature matrix: values, lineage, and that no answer gets in."""

from itertools import permutations

import numpy as np
import polars as pl
import pytest
from sklearn.decomposition import PCA

from featurestore.errors import FeatureError, LeakageError
from featurestore.features.builder import build
from featurestore.features.effects.signature_matrix import signature_matrix
from featurestore.features.spec import parse_spec
from featurestore.query.warehouse import Warehouse

SEARCH = """
[target]
dataset = "target"
[[feature]]
kind = "signature"
where = "{}"
[split]
folds = 3
"""
B, C = "signature/external/CVCL_B", "signature/external/CVCL_C"


def effects(store, dataset, context):
    query = "select condition_id from condition where dataset_id = $d and context_label = $c order by all"
    ids = store.frame(query, {"d": dataset, "c": context})["condition_id"]
    return ids.to_list(), signature_matrix(store, dataset, ids, "delta_log1p")


def test_build__rows_are_the_targets_conditions_and_y_their_effects(two_datasets, make_spec):
    matrix = build(two_datasets, make_spec())
    ids, measured = effects(two_datasets, "target", "A")
    assert matrix.rows["condition_id"].to_list() == ids
    np.testing.assert_array_equal(matrix.Y, measured.values)
    assert matrix.genes.equals(measured.genes)


def test_build__genes_of_the_same_perturbation_elsewhere_are_features(two_datasets, make_spec, gene_ids):
    matrix = build(two_datasets, make_spec())
    assert matrix.X.shape == (12, 50)
    assert matrix.columns["name"][0] == f"{B}/{gene_ids[5]}"
    ids, outside = effects(two_datasets, "external", "B")
    for row in matrix.rows.with_row_index().iter_rows(named=True):
        label = row["perturbation_label"]
        values = matrix.X[row["index"], :25]
        if f"{label}/B/crispri" in ids:
            np.testing.assert_array_equal(values, outside.values[ids.index(f"{label}/B/crispri")])
        else:
            assert np.isnan(values).all()
    np.testing.assert_array_equal(matrix.mask, np.isfinite(matrix.X))
    assert matrix.covered.sum() == 8


def test_build__components_are_those_of_the_whole_source(two_datasets, make_spec):
    matrix = build(two_datasets, make_spec("components = 4"))
    assert matrix.columns["name"].to_list() == [f"{block}/pc_0{i}" for block in (B, C) for i in (1, 2, 3, 4)]
    ids, outside = effects(two_datasets, "external", "C")
    pca = PCA(4, svd_solver="full").fit(outside.values.astype(np.float64))
    labels = matrix.rows["perturbation_label"].to_list()
    scores = pca.transform(outside.values[ids.index("G7/C/crispri")][None].astype(np.float64))[0]
    np.testing.assert_allclose(matrix.X[labels.index("G7"), 4:], scores, atol=1e-5)
    np.testing.assert_allclose(matrix.columns["explained_variance"][4:], pca.explained_variance_ratio_)


def test_build__elsewhere_is_the_mean_over_sources_on_the_targets_genes(two_datasets, make_spec):
    matrix = build(two_datasets, make_spec("components = 2"))
    labels = matrix.rows["perturbation_label"].to_list()
    both = []
    for context in "BC":
        ids, outside = effects(two_datasets, "external", context)
        both.append(outside.values[ids.index(f"G6/{context}/crispri")])
    expected = np.concatenate([np.full(5, np.nan), np.mean(both, axis=0)])
    np.testing.assert_allclose(matrix.elsewhere[labels.index("G6")], expected, rtol=1e-6)
    assert np.isnan(matrix.elsewhere[labels.index("G0")]).all()


def test_build__features_do_not_depend_on_the_target_effects(writer, make_condition, make_spec):
    rng = np.random.default_rng(0)
    outside = [make_condition(f"G{i}", "B") for i in range(8)]
    writer.dataset("external", outside, rng.normal(size=(8, 30)))
    inside = [make_condition(f"G{i}") for i in range(6)]
    writer.dataset("target", inside, rng.normal(size=(6, 30)))
    with writer.open() as store:
        first = build(store, make_spec("components = 3"))
    writer.dataset("target", inside, 100 + rng.normal(size=(6, 30)), release="r2")
    with writer.open() as store:
        second = build(store, make_spec("components = 3"))
    assert (first.Y != second.Y).all()
    np.testing.assert_array_equal(first.X, second.X)
    np.testing.assert_array_equal(first.elsewhere, second.elsewhere)
    assert first.manifest["recipe"] != second.manifest["recipe"]


def test_build__several_conditions_of_a_perturbation_are_averaged_and_counted(writer, make_condition, make_spec):
    writer.dataset("target", [make_condition(f"G{i}") for i in range(3)], np.ones((3, 30)))
    doses = [make_condition("G0", "B") | {"condition_id": f"G0 dose {i}"} for i in range(2)]
    outside = [*doses, make_condition("G0", "B", kind="crispra"), make_condition("G1", "B", kind="crispra")]
    writer.dataset("external", outside, np.array([[1.0], [3.0], [-50.0], [-7.0]]) * np.ones((4, 30)))
    with writer.open() as store:
        matrix = build(store, make_spec())
    assert matrix.X[:2, 0].tolist() == [2.0, -7.0]
    assert matrix.rows[f"n_conditions/{B}"].to_list() == [2, 1, 0]
    assert matrix.rows[f"rule/{B}"].to_list() == ["same kind, mean of 2", "other kind", None]
    assert matrix.elsewhere[0, 0] == 2.0
    assert np.isnan(matrix.elsewhere[1]).all(), "an activation is not the same perturbation as a silencing"


def test_build__works_within_one_dataset_of_several_lines(writer, make_condition):
    rng = np.random.default_rng(2)
    lines = [make_condition(f"G{i}", context) for context in "ABC" for i in range(6)]
    writer.dataset("lines", lines, rng.normal(size=(18, 30)))
    text = """
    [target]
    dataset = "lines"
    where = "context_label = 'A'"
    [[feature]]
    kind = "signature"
    datasets = ["lines"]
    {}
    components = 3
    [split]
    folds = 3
    """
    with writer.open() as store:
        matrix = build(store, parse_spec(text.format("where = \"context_label <> 'A'\"")))
        assert matrix.columns["context_id"].unique().sort().to_list() == ["CVCL_B", "CVCL_C"]
        assert matrix.manifest["guard"]["experiments"]["target_experiments"] == ["lines:CVCL_A"]
        with pytest.raises(LeakageError, match="signature/lines/CVCL_A: 6 of 6 conditions"):
            build(store, parse_spec(text.format("")))


def test_build__kinds_of_effect_mix_only_when_asked(writer, make_condition, make_spec):
    writer.dataset("target", [make_condition(f"G{i}") for i in range(3)], np.ones((3, 30)))
    writer.dataset("external", [make_condition(f"G{i}", "B") for i in range(3)], np.ones((3, 30)), kind="moderated_z")
    with writer.open() as store:
        with pytest.raises(FeatureError, match="have no delta_log1p"):
            build(store, make_spec())
        matrix = build(store, make_spec('effect_kind = "moderated_z"'))
    assert matrix.columns["effect_kind"].unique().to_list() == ["moderated_z"]
    assert matrix.mask.all()
    assert np.isnan(matrix.elsewhere).all(), "another kind of effect is on another scale"


def test_build__an_open_search_skips_datasets_without_that_kind(writer, make_condition, make_spec):
    writer.dataset("target", [make_condition(f"G{i}") for i in range(3)], np.ones((3, 30)))
    writer.dataset("external", [make_condition(f"G{i}", "B") for i in range(3)], np.ones((3, 30)))
    writer.dataset("zscores", [make_condition(f"G{i}", "C") for i in range(3)], np.ones((3, 30)), kind="moderated_z")
    text = SEARCH.format("dataset_id <> 'target'")
    with writer.open() as store:
        manifest = build(store, parse_spec(text)).manifest
    skipped = {source["dataset_id"]: source.get("skipped") for source in manifest["sources"]}
    assert skipped == {"external": None, "zscores": "The selected conditions of 'zscores' have no delta_log1p."}


def test_build__an_open_search_that_finds_the_target_itself_is_refused(two_datasets):
    with pytest.raises(LeakageError, match="signature/target/CVCL_A: 12 of 12 conditions"):
        build(two_datasets, parse_spec(SEARCH.format("assay = 'perturb_seq'")))


def test_build__skips_sources_that_say_nothing_and_tells_why(writer, make_condition, make_spec):
    writer.dataset("target", [make_condition(f"G{i}") for i in range(3)], np.ones((3, 30)))
    outside = [make_condition("G9", "B"), *(make_condition(f"G{i}", "C") for i in range(4)), make_condition("G0", "D")]
    writer.dataset("external", outside, np.random.default_rng(0).normal(size=(6, 30)))
    with writer.open() as store:
        matrix = build(store, make_spec("components = 2"))
        facts = {source["context_label"]: source.get("skipped") for source in matrix.manifest["sources"]}
        assert facts["B"] == "no perturbation in common with the rows"
        assert facts["C"] is None
        assert facts["D"] == "too few conditions, or none that differ, for components"
        with pytest.raises(FeatureError, match="No source says anything") as caught:
            build(store, make_spec("where = \"context_label = 'B'\""))
        assert "no perturbation in common" in caught.value.got


def test_build__takes_named_genes(two_datasets, make_spec, gene_ids):
    matrix = build(two_datasets, make_spec(f'genes = ["{gene_ids[7]}", "S010"]'))
    assert matrix.columns["gene_id"].to_list() == [gene_ids[7], gene_ids[9]] * 2
    with pytest.raises(FeatureError, match="none of the named genes is measured"):
        build(two_datasets, make_spec('genes = ["S001"]'))


def test_build__leaves_out_conditions_and_genes_without_any_effect(writer, make_condition, make_spec):
    values = np.ones((4, 30))
    values[1], values[:, 3] = np.nan, np.nan
    writer.dataset("target", [make_condition(f"G{i}") for i in range(4)], values)
    writer.dataset("external", [make_condition(f"G{i}", "B") for i in range(4)], np.ones((4, 30)))
    with writer.open() as store:
        matrix = build(store, make_spec())
    assert matrix.rows["perturbation_label"].to_list() == ["G0", "G2", "G3"]
    assert matrix.Y.shape == (3, 29)
    assert matrix.manifest["n_conditions_without_effect"] == 1


def test_build__groups_combinations_with_their_parts_and_deals_folds(writer, make_condition, make_spec):
    labels = ["G0", "G1", "G0+G1", "G2", "G3", "G2+G4"]
    writer.dataset("target", [make_condition(label) for label in labels], np.ones((6, 30)))
    writer.dataset("external", [make_condition(label, "B") for label in labels], np.ones((6, 30)))
    with writer.open() as store:
        rows = build(store, make_spec()).rows
        groups = dict(rows.select("perturbation_label", "group").iter_rows())
        assert groups["G0"] == groups["G1"] == groups["G0+G1"]
        assert groups["G2"] == groups["G2+G4"] != groups["G3"]
        assert rows.group_by("group").agg(pl.col("fold").n_unique())["fold"].to_list() == [1, 1, 1]
        with pytest.raises(LeakageError, match="Groups of the split share"):
            build(store, make_spec(split='by = "condition_id"'))
        with pytest.raises(FeatureError, match="1 group cannot be dealt to 3 folds"):
            build(store, make_spec(split='by = "context_id"'))


def test_build__matches_compounds_across_names(writer, make_condition, make_spec):
    def drug(context, compound):
        return make_condition(f"{compound} in {context}", context, kind="compound", genes=[], compound=compound)

    writer.dataset("target", [drug("A", f"KEY{i}") for i in range(3)], np.ones((3, 30)))
    writer.dataset(
        "external", [drug("B", f"KEY{i}") for i in (2, 0, 5)], np.array([[2.0], [0.0], [5.0]]) * np.ones((3, 30))
    )
    with writer.open() as store:
        matrix = build(store, make_spec())
    assert matrix.X[:, 0].tolist()[::2] == [0.0, 2.0]
    assert np.isnan(matrix.X[1]).all()


def test_build__pinned_to_a_snapshot_gives_the_old_matrix_from_a_newer_warehouse(writer, make_condition, make_spec):
    inside, outside = ([make_condition(f"G{i}", context) for i in range(4)] for context in "AB")
    writer.dataset("target", inside, np.ones((4, 30)))
    writer.dataset("external", outside, np.ones((4, 30)))
    spec = make_spec()
    with writer.open() as store:
        before = build(store, spec)
    writer.dataset("external", outside, np.full((4, 30), 2.0), release="r2")
    with writer.open() as store:
        assert build(store, spec).X[0, 0] == 2.0
        pinned = build(store, spec.model_copy(update={"snapshot": 1}))
    np.testing.assert_array_equal(pinned.X, before.X)
    assert pinned.manifest["snapshot"] == 1
    assert pinned.manifest["recipe"] == before.manifest["recipe"]


def test_build__manifest_says_where_everything_is_from(two_datasets, make_spec):
    manifest = build(two_datasets, make_spec("components = 2")).manifest
    assert manifest["releases"] == {"external": "r1", "target": "r1"}
    assert manifest["licences"] == {"external": "licence of external", "target": "licence of target"}
    assert (manifest["n_rows"], manifest["n_features"], manifest["n_genes"]) == (12, 4, 30)
    assert manifest["spec"]["feature"][0]["datasets"] == ["external"]
    source = manifest["sources"][0]
    assert (source["source"], source["n_conditions"], source["n_rows_covered"], source["n_genes"]) == (B, 12, 8, 25)
    assert source["share_observed"] == 1.0
    assert set(manifest["versions"]) > {"contract", "recipe", "numpy", "scikit-learn"}


def test_build__columns_carry_release_and_licence(two_datasets, make_spec):
    columns = build(two_datasets, make_spec("components = 2")).columns
    assert columns["name"].n_unique() == columns.height
    first = columns.row(0, named=True)
    assert (first["dataset_id"], first["release_id"], first["context_id"]) == ("external", "r1", "CVCL_B")
    assert (first["block"], first["kind"], first["component"], first["gene_id"]) == (B, "signature", 1, None)
    assert first["licence"] == "licence of external"


def test_build__tells_what_it_is_doing(two_datasets, make_spec):
    said = []
    build(two_datasets, make_spec(), report=said.append)
    assert said[0] == "selecting conditions"
    assert "reading 12 conditions of external/CVCL_B" in said


def test_build__reads_a_spec_from_a_path_on_an_ingested_world(world, world_files):
    with Warehouse(world) as store:
        matrix = build(store, world_files / "features.toml")
    assert matrix.covered.all()
    assert matrix.columns.group_by("block", maintain_order=True).len()["len"].to_list() == [8, 8, 8]
    assert np.isfinite(matrix.Y).all()
    assert matrix.rows["fold"].n_unique() == 5
    own = (matrix.rows["context_id"].unique().to_list(), matrix.columns["context_id"].unique().to_list())
    assert set(own[0]).isdisjoint(own[1])


TWO_LOOKS = """
[target]
dataset = "target"
{features}
[split]
folds = 2
"""


def looks(*features):
    """A spec of several features that look in 'external', by their further lines."""
    parts = [
        f'[[feature]]\nkind = "signature"\nname = "look{i}"\ndatasets = ["external"]\n{more}\n'
        for i, more in enumerate(features)
    ]
    return [parse_spec(TWO_LOOKS.format(features="".join(order))) for order in permutations(parts)]


def test_build__elsewhere_is_of_all_that_several_features_find_in_one_source(writer, make_condition):
    times = [make_condition(f"G{i}", "B") | {"time_h": 24.0 if i < 6 else 48.0} for i in range(12)]
    writer.dataset("target", [make_condition(f"G{i}") for i in range(12)], np.ones((12, 30)))
    writer.dataset("external", times, np.arange(12.0)[:, None] * np.ones((12, 30)))
    with writer.open() as store:
        for spec in looks('where = "time_h = 24"', 'where = "time_h = 48"\nshrinkage = 10', 'where = "time_h > 24"'):
            matrix = build(store, spec, cache=False)
            of_row = dict(zip(matrix.rows["perturbation_label"], matrix.elsewhere[:, 0].tolist(), strict=True))
            assert of_row == {f"G{i}": i for i in range(12)}


def test_build__elsewhere_counts_a_condition_once_however_many_features_find_it(writer, make_condition):
    cells = {"early": (24.0, 1.0, 300), "late": (48.0, 3.0, 100), "latest": (72.0, 8.0, 100)}
    outside = [
        make_condition("G0", "B", cells=n) | {"condition_id": name, "time_h": time}
        for name, (time, _, n) in cells.items()
    ]
    writer.dataset("target", [make_condition(f"G{i}") for i in range(2)], np.ones((2, 30)))
    effects = np.array([[effect] for _, effect, _ in cells.values()]) * np.ones((3, 30))
    writer.dataset("external", outside, effects)
    writer.dataset("other", [make_condition("G0", "C")], np.full((1, 30), 10.0))
    with writer.open() as store:
        for spec in looks('where = "time_h < 72"', 'where = "time_h > 24"'):
            matrix = build(store, spec, cache=False)
            np.testing.assert_allclose(matrix.elsewhere[0], np.full(30, 4.0))
            assert np.isnan(matrix.elsewhere[1]).all()
        weighted = looks('where = "time_h < 72"\nreduce = "weighted"', 'where = "time_h = 72"')
        for spec in weighted:
            matrix = build(store, spec, cache=False)
            np.testing.assert_allclose(matrix.elsewhere[0], np.full(30, (1.5 * 1 + 0.5 * 3 + 1 * 8) / 3), rtol=1e-6)


def test_build__elsewhere_takes_a_combination_by_its_parts_only_where_no_feature_has_it_whole(writer, make_condition):
    outside = [make_condition(label, "B") for label in ("G0", "G1", "G0+G1", "G2", "G3")]
    writer.dataset("target", [make_condition(label) for label in ("G0+G1", "G2+G3")], np.ones((2, 30)))
    writer.dataset("external", outside, np.array([[1.0], [2.0], [7.0], [4.0], [5.0]]) * np.ones((5, 30)))
    whole = "where = \"perturbation_label = 'G0+G1'\""
    parts = 'where = "perturbation_label <> \'G0+G1\'"\ncombination = "sum"'
    with writer.open() as store:
        for spec in looks(whole, parts):
            matrix = build(store, spec, cache=False)
            of_row = dict(zip(matrix.rows["perturbation_label"], matrix.elsewhere[:, 0].tolist(), strict=True))
            assert of_row == {"G0+G1": 7.0, "G2+G3": 9.0}


def test_build__elsewhere_does_not_depend_on_the_order_of_features(two_datasets):
    wheres = ("hash(condition_id) % 3 > 0", "hash(condition_id) % 3 < 2", "context_label = 'B'")
    built = [build(two_datasets, spec, cache=False) for spec in looks(*(f'where = "{where}"' for where in wheres))]
    alone = build(two_datasets, looks("")[0], cache=False)
    for matrix in built:
        np.testing.assert_array_equal(matrix.elsewhere, alone.elsewhere)
