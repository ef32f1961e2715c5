"""Effects read from a release into a matrix."""

import numpy as np
import pytest

from featurestore.errors import FeatureError, UnknownDatasetError
from featurestore.features.effects.signature_matrix import signature_matrix


@pytest.fixture
def effects():
    values = np.random.default_rng(1).normal(size=(6, 30)).astype(np.float32)
    values[2, 4:9] = np.nan
    values[:, 11] = np.nan
    return values


@pytest.fixture
def store(writer, make_condition, effects):
    writer.dataset("one", [make_condition(f"G{i}") for i in range(6)], effects)
    writer.dataset("two", [make_condition("G0")], np.ones((1, 30)), kind="moderated_z")
    with writer.open() as warehouse:
        yield warehouse


def test_signature_matrix__is_what_was_written_with_nan_for_absent_pairs(store, effects, gene_ids):
    ids = store.frame("select condition_id from condition where dataset_id = 'one' order by all")["condition_id"]
    matrix = signature_matrix(store, "one", ids, "delta_log1p")
    assert matrix.values.dtype == np.float32
    np.testing.assert_array_equal(matrix.values, effects)
    assert matrix.genes["gene_id"].to_list() == gene_ids
    assert matrix.genes["gene_symbol"][0] == "S001"


def test_signature_matrix__keeps_the_order_asked_for(store, effects):
    wanted = ["G5/A/crispri", "G0/A/crispri", "G3/A/crispri"]
    matrix = signature_matrix(store, "one", wanted, "delta_log1p")
    assert matrix.conditions["condition_id"].to_list() == wanted
    np.testing.assert_array_equal(matrix.values, effects[[5, 0, 3]])


def test_signature_matrix__equals_the_signature_view(store):
    matrix = signature_matrix(store, "one", ["G2/A/crispri"], "delta_log1p")
    view = store.frame(
        "select gene_id, effect from signature where dataset_id = 'one' and condition_id = 'G2/A/crispri'"
    )
    shown = dict(view.iter_rows())
    assert len(shown) == 24
    for gene, value in zip(matrix.genes["gene_id"], matrix.values[0], strict=True):
        assert (gene in shown) == np.isfinite(value)
        assert shown.get(gene, 0.0) == pytest.approx(np.nan_to_num(value))


def test_signature_matrix__of_no_conditions_is_empty(store):
    assert signature_matrix(store, "one", [], "delta_log1p").values.shape == (0, 30)


def test_signature_matrix__says_which_effect_kinds_there_are(store):
    with pytest.raises(FeatureError, match="moderated_z") as caught:
        signature_matrix(store, "two", ["G0/A/crispri"], "delta_log1p")
    assert "have no delta_log1p" in caught.value.what


def test_signature_matrix__refuses_unknown_conditions_and_datasets(store):
    with pytest.raises(FeatureError, match="no condition 'nowhere'"):
        signature_matrix(store, "one", ["G0/A/crispri", "nowhere"], "delta_log1p")
    with pytest.raises(UnknownDatasetError, match="did you mean 'one'"):
        signature_matrix(store, "onee", ["G0/A/crispri"], "delta_log1p")
