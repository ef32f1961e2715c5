"""Features and splits inside scikit-learn."""

import pickle
import subprocess
import sys
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.validation import check_is_fitted, validate_data

import featurestore as fs
from featurestore.errors import FeatureError, LeakageError
from featurestore.features.builder import build
from featurestore.features.remembered import Remembered
from featurestore.features.spec import parse_spec, read_spec

BLOCKS = [{"kind": "signature", "datasets": ["external"], "components": 3}]
NAMES = np.array([f"S{i:03d}" for i in range(5, 17)])
"""Symbols of G4 to G15, which the external dataset knows."""


@pytest.fixture
def pipeline(two_datasets):
    return make_pipeline(fs.SignatureFeatures(two_datasets.path, BLOCKS), SimpleImputer(), Ridge())


def test_signature_features__are_those_of_a_matrix(two_datasets, make_spec):
    matrix = build(two_datasets, make_spec("components = 3"))
    symbols = matrix.rows["target_symbols"].list.first().to_list()
    transformer = fs.SignatureFeatures(two_datasets, BLOCKS)
    np.testing.assert_array_equal(transformer.fit_transform(symbols), matrix.X)
    assert transformer.get_feature_names_out().tolist() == matrix.columns["name"].to_list()


BOTH = "datasets = ['target', 'external']\naverage = 'equal'"
KINDS = {
    "signature": "kind = 'signature'\ndatasets = ['external']",
    "most variable": "kind = 'signature'\ndatasets = ['external']\ngenes = { most_variable = 7 }",
    "components": "kind = 'signature'\ndatasets = ['external']\ncomponents = 3",
    "average": f"kind = 'signature'\n{BOTH}",
    "average by cells": "kind = 'signature'\ndatasets = ['target', 'external']\naverage = 'cells'",
    "components of averages": f"kind = 'signature'\n{BOTH}\ncomponents = 3",
    "response": "kind = 'response'\ndatasets = ['external']",
    "response components": "kind = 'response'\ndatasets = ['external']\ncomponents = 2",
    "embedding": "kind = 'embedding'\nfile = 'vectors.csv'\nkey = 'gene'",
}
SHARED = {name: f"{KINDS[name]}\ngenes = 'shared'" for name in ("signature", "average", "components", "response")}


@pytest.mark.parametrize(
    ("feature", "has_target"),
    [
        *(pytest.param(text, True, id=f"target, {name}") for name, text in KINDS.items()),
        *(pytest.param(text, True, id=f"target, shared, {name}") for name, text in SHARED.items()),
        *(pytest.param(text, False, id=f"no target, {name}") for name, text in KINDS.items()),
    ],
)
def test_signature_features__equal_the_columns_of_a_matrix(two_datasets, tmp_path, feature, has_target):
    (tmp_path / "vectors.csv").write_text("gene,x,y\nS003,1,2\nS007,3,4\n")
    (tmp_path / "spec.toml").write_text(f"[target]\ndataset = 'target'\n[[feature]]\n{feature}\n[split]\nfolds = 3\n")
    spec = read_spec(tmp_path / "spec.toml")
    matrix = build(two_datasets, spec)
    transformer = fs.SignatureFeatures(two_datasets, spec, perturbation_kind="crispri")
    if not has_target:
        features = [spec.feature[0].model_dump(exclude_none=True)]
        transformer.set_params(spec=features, withhold=["target:CVCL_A"])
    values = transformer.fit_transform(matrix.rows["target_symbols"].list.first().to_list())
    names = matrix.columns["name"].to_list()
    at = [names.index(name) for name in transformer.get_feature_names_out()]
    assert np.isfinite(values).any(axis=0).all()
    np.testing.assert_allclose(values, matrix.X[:, at], rtol=1e-4, atol=1e-5)
    assert np.isnan(np.delete(matrix.X, at, axis=1)).all(), "genes that only the target measures"


@pytest.fixture
def both_directions(writer, make_condition):
    """'external' lowers G0 to G5 in B and raises G0 to G2 there; 'raised' raises G0 to G5 in C; and their effects."""
    lowered, raised = np.random.default_rng(3).normal(size=(2, 6, 30))
    conditions = [make_condition(f"G{i}", "B") for i in range(6)]
    conditions += [make_condition(f"G{i}", "B", kind="crispra") for i in range(3)]
    writer.dataset("external", conditions, np.concatenate([lowered, raised[:3]]))
    writer.dataset("raised", [make_condition(f"G{i}", "C", kind="crispra") for i in range(6)], raised)
    with writer.open() as store:
        yield store, lowered, raised


@pytest.mark.parametrize("feature", ["signature", "neighbours"])
def test_signature_features__ask_which_direction_is_meant(both_directions, feature):
    store, lowered, raised = both_directions
    block = [{"kind": feature, "datasets": ["external"]}]
    with pytest.raises(FeatureError, match="both lowers and raises 'S001'") as told:
        fs.SignatureFeatures(store, block).fit(["S001", "S005"])
    assert told.value.got == "crispra, crispri for a perturbation of kind unknown"
    fs.SignatureFeatures(store, block).fit(["S004", "S005", "S006"])
    if feature == "signature":
        for kind, expected in (("crispri", lowered), ("crispr_knockout", lowered), ("crispra", raised)):
            found = fs.SignatureFeatures(store, block, perturbation_kind=kind).fit_transform(["S001", "S003"])
            np.testing.assert_allclose(found, expected[[0, 2]], rtol=1e-6)
        chosen = [block[0] | {"where": "perturbation_kind = 'crispra'"}]
        found = fs.SignatureFeatures(store, chosen).fit_transform(["S002"])
        np.testing.assert_allclose(found, raised[[1]], rtol=1e-6)


def test_signature_features__average_no_sources_of_both_directions(both_directions):
    store, lowered, raised = both_directions
    average = [{"kind": "signature", "datasets": ["external", "raised"], "average": "equal"}]
    with pytest.raises(FeatureError, match="both lowers and raises 'S005'"):
        fs.SignatureFeatures(store, average).fit(["S005"])
    for kind, expected in (("crispri", lowered), ("crispra", raised)):
        found = fs.SignatureFeatures(store, average, perturbation_kind=kind).fit_transform(["S005"])
        np.testing.assert_allclose(found, expected[[4]], rtol=1e-6)


@pytest.fixture
def three_datasets(writer, make_condition, gene_ids):
    """'target' in A and in B, 'copy' of its A, and 'external' in C, of the same 12 genes; and their effects."""
    rng = np.random.default_rng(3)
    effects = rng.normal(size=(36, len(gene_ids)))
    conditions = [make_condition(f"G{i}", context) for context in "ABC" for i in range(12)]
    writer.dataset("target", conditions[:24], effects[:24])
    writer.dataset("copy", conditions[:12], effects[:12] + 1e-3 * rng.normal(size=(12, len(gene_ids))))
    writer.dataset("external", conditions[24:], effects[24:])
    with writer.open() as store:
        yield store, effects.reshape(3, 12, -1)


def spec_of(sources, more=""):
    return parse_spec(
        f"{more}\n[target]\ndataset = 'target'\n[[feature]]\nkind = 'signature'\n{sources}\n[split]\nfolds = 3\n"
    )


def test_signature_features__leave_every_experiment_of_the_target_out_of_averages(three_datasets):
    store, effects = three_datasets
    symbols = [f"S{i + 1:03d}" for i in range(12)]
    for components in (None, 3):
        transformer = fs.SignatureFeatures(store, spec_of(BOTH), components=components)
        alone = fs.SignatureFeatures(store, [{"kind": "signature", "datasets": ["external"]}], components=components)
        np.testing.assert_allclose(transformer.fit_transform(symbols), alone.fit_transform(symbols), atol=1e-6)
    np.testing.assert_allclose(alone.set_params(components=None).fit_transform(symbols), effects[2].astype(np.float32))
    with pytest.raises(FeatureError, match="No source says anything"):
        fs.SignatureFeatures(
            store, spec_of("datasets = ['target']\naverage = 'equal'\nwhere = \"context_label='B'\"")
        ).fit(symbols)


def test_signature_features__refuse_what_a_matrix_is_refused_for(three_datasets, pair_spec):
    store, _ = three_datasets
    with pytest.raises(LeakageError, match="looks like the target under another name"):
        fs.SignatureFeatures(store, spec_of("datasets = ['copy']")).fit(["S001"])
    with pytest.raises(LeakageError, match="looks like the target under another name"):
        fs.SignatureFeatures(store, spec_of("datasets = ['copy', 'external']\naverage = 'equal'")).fit(["S001"])
    forbidden = spec_of("datasets = ['external']", "licence = { forbid = ['licence of external'] }")
    with pytest.raises(FeatureError, match="external: licence of external"):
        fs.SignatureFeatures(store, forbidden).fit(["S001"])
    with pytest.raises(FeatureError, match="need rows that have one"):
        fs.SignatureFeatures(store, pair_spec()).fit(["S001"])
    shared = [{"kind": "signature", "datasets": ["external"], "genes": "shared"}]
    with pytest.raises(FeatureError, match="only be shared with a target"):
        fs.SignatureFeatures(store, shared).fit(["S001"])


def test_signature_features__are_read_from_the_snapshot_of_the_spec_and_of_the_fit(
    three_datasets, writer, make_condition
):
    store, effects = three_datasets
    pinned = spec_of("datasets = ['external']", "snapshot = 1")
    by_path = fs.SignatureFeatures(store.path, spec_of("datasets = ['external']")).fit(["S001"])
    writer.dataset("external", [make_condition("G0", "C")], np.full((1, 30), 7.0), release="r2")
    with writer.open() as latest:
        assert latest.snapshot.number == 2
        for place in (latest, store, store.path):
            found = fs.SignatureFeatures(place, pinned).fit_transform(["S001"])
            np.testing.assert_array_equal(found[0], effects[2, 0].astype(np.float32))
        np.testing.assert_array_equal(by_path.transform(["S001"])[0], effects[2, 0].astype(np.float32))
        assert (fs.SignatureFeatures(latest, [BLOCKS[0] | {"components": None}]).fit_transform(["S001"]) == 7).all()


def test_signature_features__know_genes_by_any_name_and_combinations(two_datasets, gene_ids):
    blocks = [{"kind": "signature", "datasets": ["external"], "combination": "sum"}]
    transformer = fs.SignatureFeatures(two_datasets, blocks).fit(NAMES)
    by_symbol, by_id, both, other, none = transformer.transform(
        [["S006"], [gene_ids[5]], ["S007+S006"], ["S007"], [None]]
    )
    np.testing.assert_array_equal(by_symbol, by_id)
    np.testing.assert_allclose(both, by_symbol + other, rtol=1e-5)
    assert np.isnan(none).all()


def test_signature_features__refuse_the_targets_experiment_and_withhold_what_they_are_told(two_datasets, make_spec):
    with pytest.raises(LeakageError):
        fs.SignatureFeatures(two_datasets, make_spec().model_copy(update={"feature": leaking(make_spec)})).fit(NAMES)
    kept = fs.SignatureFeatures(two_datasets, BLOCKS, withhold=["external:CVCL_B"]).fit(NAMES)
    assert set(kept.blocks_) == {"signature/external/CVCL_C"}
    with pytest.raises(FeatureError, match="No source says anything"):
        fs.SignatureFeatures(two_datasets, BLOCKS).fit(["S001"])
    with pytest.raises(FeatureError, match="need rows that have one"):
        fs.SignatureFeatures(two_datasets, [{"kind": "context"}]).fit(NAMES)


def leaking(make_spec):
    return [make_spec().feature[0].model_copy(update={"datasets": ["target"]})]


def test_signature_features__clone_pickle_and_name_their_columns(two_datasets):
    for store in (two_datasets, str(two_datasets.path)):
        transformer = fs.SignatureFeatures(store, BLOCKS).set_output(transform="pandas")
        frame = clone(transformer).fit_transform(NAMES)
        assert frame.columns[0] == "signature/external/CVCL_B/pc_01"
        fitted = pickle.loads(pickle.dumps(transformer.fit(NAMES)))
        pd.testing.assert_frame_equal(fitted.transform(NAMES), frame)


def test_signature_features__work_in_searches_and_column_transformers(pipeline):
    y = np.random.default_rng(0).normal(size=(len(NAMES), 2))
    splits = fs.PerturbationSplit(n_splits=3)
    assert np.isfinite(cross_val_score(pipeline, NAMES, y, cv=splits, scoring="neg_mean_squared_error")).all()
    grid = {"signaturefeatures__components": [1, 2]}
    search = GridSearchCV(pipeline, grid, cv=splits, scoring="neg_mean_squared_error").fit(NAMES, y)
    assert search.best_estimator_[0].components in {1, 2}
    frame = pd.DataFrame({"gene": NAMES, "dose": np.arange(len(NAMES))})
    columns = ColumnTransformer([("external", pipeline[0], "gene"), ("dose", "passthrough", ["dose"])])
    assert columns.fit_transform(frame).shape == (12, 7)
    as_frame = ColumnTransformer([("external", pipeline[0], ["gene"])]).fit(frame)
    assert as_frame.get_feature_names_out()[0] == "external__signature/external/CVCL_B/pc_01"


def test_signature_features__are_made_once_for_each_perturbation(two_datasets, monkeypatch):
    asked = []
    make = fs.SignatureFeatures._made

    def counted(self, store, spec, names):
        asked.extend(names)
        return make(self, store, spec, names)

    monkeypatch.setattr("featurestore.features.transformer._REMEMBERED", Remembered())
    monkeypatch.setattr(fs.SignatureFeatures, "_made", counted)
    pipeline = make_pipeline(fs.SignatureFeatures(two_datasets.path, BLOCKS), SimpleImputer(), Ridge())
    y = np.random.default_rng(0).normal(size=(12, 2))
    GridSearchCV(pipeline, {"ridge__alpha": [0.1, 1.0]}, cv=3).fit(NAMES, y)
    assert sorted(asked) == sorted(NAMES)
    pipeline.set_params(signaturefeatures__components=2).fit(NAMES[:4], y[:4])
    assert len(asked) == 16, "other options are other features"


def test_signature_features__of_some_perturbations_are_those_of_a_new_process(two_datasets, monkeypatch):
    blocks = [*BLOCKS, {"kind": "signature", "datasets": ["target"], "name": "own"}]
    known = fs.SignatureFeatures(two_datasets, blocks).fit(["S001", *NAMES, "nobody"])
    for some in (["nobody", "S016"], ["S016", "S007", "S016"], ["S001"]):
        found = fs.SignatureFeatures(two_datasets, blocks)
        values = found.fit_transform(some)
        monkeypatch.setattr("featurestore.features.transformer._REMEMBERED", Remembered(most_bytes=0))
        alone = fs.SignatureFeatures(two_datasets, blocks)
        np.testing.assert_array_equal(values, alone.fit_transform(some))
        assert found.feature_names_out_.tolist() == alone.feature_names_out_.tolist()
        monkeypatch.undo()
    assert np.isnan(known.transform(["nobody"])).all()


OF_NUMBERS = """check_fit_score_takes_y check_estimators_overwrite_params check_dont_overwrite_parameters
    check_estimators_fit_returns_self check_readonly_memmap_input check_positive_only_tag_during_fit
    check_estimators_dtypes check_pipeline_consistency check_estimators_pickle check_f_contiguous_array_estimator
    check_transformer_general check_methods_sample_order_invariance check_methods_subset_invariance
    check_fit2d_1sample check_fit2d_1feature check_dict_unchanged check_fit_idempotent check_fit_check_is_fitted"""
"""Checks that feed matrices of random numbers, which are no names of perturbations: refused, as they should be."""


def test_signature_features__pass_the_checks_of_scikit_learn_that_do_not_feed_numbers(two_datasets):
    transformer = fs.SignatureFeatures(two_datasets.path, BLOCKS)
    inapplicable = dict.fromkeys(OF_NUMBERS.split(), "feeds a matrix of numbers")
    results = check_estimator(transformer, expected_failed_checks=inapplicable, on_fail=None, on_skip=None)
    by_status = {}
    for each in results:
        by_status.setdefault(each["status"], set()).add(each["check_name"])
    assert "failed" not in by_status, by_status["failed"]
    assert by_status["xfail"] == set(inapplicable), "a check that passes by now is no exception"
    assert len(by_status["passed"]) > 14
    assert by_status.get("skipped", set()) <= {"check_array_api_input"}, "names are no array of numbers"


class OfNumbers(fs.SignatureFeatures):
    """The same of numbers, each of which stands for a name, so that the other checks have something to feed."""

    def fit(self, X, y=None):
        return super().fit(named(validate_data(self, X)))

    def transform(self, X):
        check_is_fitted(self)
        return super().transform(named(validate_data(self, X, reset=False)))

    def _note_input(self, X):
        """Leave it to scikit-learn."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = tags.input_tags.allow_nan = tags.no_validation = False
        return tags


def named(X):
    return NAMES[np.abs(X[:, 0].astype(float) * 1000).astype(int) % len(NAMES)]


def test_signature_features__pass_every_check_of_scikit_learn_where_numbers_stand_for_names(two_datasets, monkeypatch):
    monkeypatch.setattr(OfNumbers, "_opened", lambda _, snapshot: nullcontext(two_datasets))
    monkeypatch.setattr(OfNumbers, "_state", lambda _, number: two_datasets.snapshot)
    blocks = [{**BLOCKS[0], "where": "context_label = 'B'"}]
    results = check_estimator(OfNumbers("read from a store that is open", blocks), on_fail=None, on_skip=None)
    failed = {each["check_name"]: each["exception"] for each in results if each["status"] == "failed"}
    assert not failed
    assert {each["check_name"] for each in results if each["status"] == "passed"} >= set(OF_NUMBERS.split())


def pairs(*given):
    return np.array(given, dtype=object)


def test_perturbation_split__keeps_combinations_and_forms_of_a_compound_together():
    salt, base = "AAAAAAAAAAAAAA-BBBBBBBBSA-N", "AAAAAAAAAAAAAA-UHFFFAOYSA-N"
    names = ["A+B", "B+A", "A", "C", "D", salt, base, "E", "F"]
    for train, test in fs.PerturbationSplit(n_splits=3).split(names):
        for together in ({0, 1, 2}, {5, 6}):
            assert together <= set(train) or together <= set(test)
        assert sorted([*train, *test]) == list(range(9))


def test_perturbation_split__takes_combinations_of_forms_apart_but_no_name():
    salt, base, other = ("AAAAAAAAAAAAAA-BBBBBBBBSA-N", "AAAAAAAAAAAAAA-UHFFFAOYSA-N", "CCCCCCCCCCCCCC-UHFFFAOYSA-N")
    names = [f"{base}+{other}", salt, "(+)-JQ1", "(+)-X", "(+)-JQ1 + D", "D"]
    groups = fs.PerturbationSplit()._groups(names).to_list()
    assert [groups.index(group) for group in groups] == [0, 0, 2, 3, 2, 2]


def test_perturbation_split__knows_aliases_by_the_store(world):
    names = ["PERK", "EIF2AK3", "TP53", "RPL3", "GATA1", "SPI1"]
    for train, test in fs.PerturbationSplit(n_splits=3, store=world).split(names):
        assert {0, 1} <= set(train) or {0, 1} <= set(test)


def test_perturbation_split__holds_out_contexts_or_both():
    rows = pairs(*[(gene, line) for gene in "PQRS" for line in "XYZ"])
    for train, test in fs.PerturbationSplit(unseen="context").split(rows):
        assert set(rows[train, 1]).isdisjoint(rows[test, 1])
        assert set(rows[test, 0]) == set("PQRS")
    both = fs.PerturbationSplit(2, unseen="both")
    splits = list(both.split(rows))
    assert len(splits) == both.get_n_splits(rows) == 6
    for train, test in splits:
        assert set(rows[train, 0]).isdisjoint(rows[test, 0])
        assert set(rows[train, 1]).isdisjoint(rows[test, 1])
    with pytest.raises(ValueError, match="shape"):
        next(both.split(rows[:, 0]))
    with pytest.raises(ValueError, match="unseen is"):
        fs.PerturbationSplit(unseen="gene")


@pytest.mark.parametrize(
    "X",
    [
        np.arange(8.0)[:, None],
        np.arange(8),
        np.arange(8.0).tolist(),
        pd.DataFrame({"gene": list("AABBCCDD"), "dose": range(8)}),
        sparse.csr_array(np.eye(8)),
    ],
)
@pytest.mark.parametrize("unseen", ["perturbation", "context"])
def test_perturbation_split__refuses_features_for_perturbations(X, unseen):
    splitter = fs.PerturbationSplit(2, unseen=unseen)
    with pytest.raises(FeatureError, match=r"split\(X, groups=labels\)"):
        next(splitter.split(X))
    labels = np.array(list("AABBCCDD"))
    splits = list(splitter.split(X, groups=labels))
    assert [sorted(set(labels[train]) & set(labels[test])) for train, test in splits] == [[]] * len(splits)
    assert sum(len(test) for _, test in splits) == 8


def test_perturbation_split__takes_groups_by_metadata_routing():
    seen = []

    class Spy(fs.PerturbationSplit):
        def split(self, X, y=None, groups=None):
            seen.append(groups)
            return super().split(X, y, groups)

    X, y = np.zeros((6, 1)), np.zeros(6)
    groups = list("AABBCC")
    with sklearn.config_context(enable_metadata_routing=True):
        cross_val_score(
            Pipeline([("ridge", Ridge())]),
            X,
            y,
            cv=Spy(n_splits=3),
            params={"groups": groups},
            scoring="neg_mean_squared_error",
        )
    assert seen == [groups]


def test_import__needs_no_scikit_learn():
    code = "import sys, featurestore; sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
