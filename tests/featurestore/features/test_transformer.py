"""Features and splits inside scikit-learn."""

import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import sklearn
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
    monkeypatch.setattr(OfNumbers, "_blocks", lambda self, names: self._blocks_from(two_datasets, names))
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


def test_perturbation_split__knows_aliases_by_the_store(world):
    names = ["PERK", "EIF2AK3", "TP53", "RPL3", "GATA1", "SPI1"]
    for train, test in fs.PerturbationSplit(n_splits=3, store=world).split(names):
        assert {0, 1} <= set(train) or {0, 1} <= set(test)


def test_perturbation_split__holds_out_contexts_or_both():
    rows = pairs(*[(gene, line) for gene in "PQRS" for line in "XYZ"])
    for train, test in fs.PerturbationSplit("context").split(rows):
        assert set(rows[train, 1]).isdisjoint(rows[test, 1])
        assert set(rows[test, 0]) == set("PQRS")
    both = fs.PerturbationSplit("both", n_splits=2)
    splits = list(both.split(rows))
    assert len(splits) == both.get_n_splits(rows) == 6
    for train, test in splits:
        assert set(rows[train, 0]).isdisjoint(rows[test, 0])
        assert set(rows[train, 1]).isdisjoint(rows[test, 1])
    with pytest.raises(ValueError, match="shape"):
        next(both.split(rows[:, 0]))
    with pytest.raises(ValueError, match="unseen is"):
        fs.PerturbationSplit("gene")


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
