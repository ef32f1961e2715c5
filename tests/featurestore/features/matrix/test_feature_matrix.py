"""The feature matrix on disk and as an AnnData."""

import json

import anndata
import numpy as np
import polars as pl
import pytest
from feature_specs import external, spec_of

from featurestore.errors import FeatureError
from featurestore.features.builder import build
from featurestore.features.matrix.feature_matrix import FeatureMatrix

PARTS = ("X", "mask", "Y", "elsewhere")


@pytest.fixture
def matrix(two_datasets, make_spec):
    return build(two_datasets, make_spec("components = 3"))


def test_write_and_read__give_the_same_matrix(matrix, tmp_path):
    matrix.write(tmp_path / "out")
    again = FeatureMatrix.read(tmp_path / "out")
    for name in PARTS:
        np.testing.assert_array_equal(getattr(again, name), getattr(matrix, name))
        assert getattr(again, name).dtype == getattr(matrix, name).dtype
    for name in ("rows", "columns", "genes"):
        assert getattr(again, name).equals(getattr(matrix, name))
    assert again.manifest == matrix.manifest


def test_write__the_same_spec_and_snapshot_give_the_same_bytes(two_datasets, make_spec, tmp_path):
    for name in ("one", "two"):
        build(two_datasets, make_spec("components = 3")).write(tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == sorted(
        [*(f"{n}.parquet" for n in (*PARTS, "rows", "columns", "genes", "coverage")), "manifest.json"]
    )
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes(), file


def test_write__names_columns_and_has_null_where_nothing_is_known(matrix, tmp_path):
    matrix.write(tmp_path)
    features = pl.read_parquet(tmp_path / "X.parquet")
    assert features.columns == ["condition_id", *matrix.columns["name"]]
    assert features["condition_id"].equals(matrix.rows["condition_id"])
    uncovered = features.filter(~pl.Series(matrix.covered)).drop("condition_id")
    assert uncovered.null_count().sum_horizontal()[0] == uncovered.height * uncovered.width
    assert pl.read_parquet(tmp_path / "Y.parquet").columns == ["condition_id", *matrix.genes["gene_id"]]
    assert json.loads((tmp_path / "manifest.json").read_text())["recipe"] == matrix.manifest["recipe"]


def test_write__replaces_an_earlier_matrix(matrix, tmp_path):
    matrix.write(tmp_path)
    matrix.write(tmp_path)
    assert FeatureMatrix.read(tmp_path).X.shape == matrix.X.shape


def test_read__refuses_a_folder_without_a_whole_matrix(matrix, tmp_path):
    with pytest.raises(FeatureError, match="no complete feature matrix"):
        FeatureMatrix.read(tmp_path)
    matrix.write(tmp_path)
    (tmp_path / "Y.parquet").write_bytes(b"PAR1")
    with pytest.raises(FeatureError, match="no complete feature matrix"):
        FeatureMatrix.read(tmp_path)


def test_write__says_where_it_cannot_write(matrix, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FeatureError, match="cannot be written"):
        matrix.write(tmp_path / "file")


def test_to_numpy__gives_features_and_effects(matrix):
    features, effects = matrix.to_numpy()
    assert features is matrix.X
    assert effects is matrix.Y


def test_to_polars__names_columns_and_has_null_where_nothing_is_known(matrix):
    features, effects = matrix.to_polars()
    assert features.columns == ["condition_id", *matrix.columns["name"]]
    assert effects.columns == ["condition_id", *matrix.genes["gene_id"]]
    np.testing.assert_array_equal(features.drop("condition_id").null_count().to_numpy()[0], (~matrix.mask).sum(axis=0))
    assert features["condition_id"].to_list() == matrix.rows["condition_id"].to_list()


def test_write__keeps_forbidden_licences_in_the_warehouse(matrix, tmp_path):
    with pytest.raises(FeatureError, match="external: licence of external"):
        matrix.write(tmp_path / "matrix", forbid=["licence of external"])
    assert not (tmp_path / "matrix").exists()
    matrix.write(tmp_path / "matrix", forbid=["non-commercial"])


def test_write__leaves_files_of_others_alone(matrix, tmp_path):
    for name in ("X.parquet", "manifest.json", "coverage.parquet"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).write_text("{}")
        with pytest.raises(FeatureError, match="A file is in the way that no build wrote") as caught:
            matrix.write(folder)
        assert caught.value.where == str(folder / name)
        assert [path.name for path in folder.iterdir()] == [name]
        assert (folder / name).read_text() == "{}"


def test_write__goes_over_a_matrix_and_over_what_is_left_of_one(matrix, tmp_path, monkeypatch):
    folder = tmp_path / "matrix"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    matrix.write(folder)
    with monkeypatch.context() as patch:
        patch.setattr(type(matrix), "_wide", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            matrix.write(folder)
    assert FeatureMatrix.read(folder).manifest == matrix.manifest, "the matrix that is there stays"
    (folder / "manifest.json").replace(folder / "manifest.json.part")  # as a process leaves it that is killed
    with pytest.raises(FeatureError, match="no complete feature matrix"):
        FeatureMatrix.read(folder)
    matrix.write(folder)
    names = sorted(path.name for path in folder.iterdir())
    parts = ["X", "Y", "columns", "coverage", "elsewhere", "genes", "mask", "rows"]
    assert names == sorted(["manifest.json", "notes.txt", *(f"{part}.parquet" for part in parts)])
    assert FeatureMatrix.read(folder).manifest == matrix.manifest


@pytest.mark.filterwarnings("ignore:The 'future.infer_string' option")  # anndata asks pandas 3 for it
def test_to_anndata__survives_an_h5ad_file(matrix, tmp_path):
    matrix.to_anndata().write_h5ad(tmp_path / "matrix.h5ad")
    table = anndata.read_h5ad(tmp_path / "matrix.h5ad")
    np.testing.assert_array_equal(table.X, matrix.X)
    np.testing.assert_array_equal(table.layers["mask"], matrix.mask)
    np.testing.assert_array_equal(table.obsm["Y"].to_numpy(), matrix.Y)
    assert table.obsm["elsewhere"].columns.tolist() == matrix.genes["gene_id"].to_list()
    assert table.obs_names.tolist() == matrix.rows["condition_id"].to_list()
    assert table.var_names.tolist() == matrix.columns["name"].to_list()
    assert table.obs["target_gene_ids"].iloc[0] == matrix.rows["target_gene_ids"][0][0]
    assert json.loads(table.uns["manifest"]) == matrix.manifest


def test_coverage__says_for_each_row_and_block_what_there_is(two_datasets):
    matrix = build(two_datasets, spec_of(external("signature")))
    assert matrix.coverage.height == 24
    first = matrix.coverage.filter(condition_id="G5/A/crispri").row(0, named=True)
    assert (first["is_covered"], first["share_observed"], first["n_conditions"]) == (True, 1.0, 1)
    assert not matrix.coverage.filter(condition_id="G1/A/crispri")["is_covered"].any()


def test_coverage__names_every_rule_that_a_sum_of_parts_met(writer, make_condition):
    writer.dataset(
        "target", [make_condition("G1+G2"), *(make_condition(f"G{i}") for i in (1, 2, 5, 6, 7))], np.ones((6, 30))
    )
    parts = [
        make_condition("G1", "B"),
        make_condition("G2", "B", kind="crispra"),
        make_condition("G2", "B", kind="shrna"),
    ]
    writer.dataset("external", parts, np.ones((3, 30)))
    with writer.open() as store:
        coverage = build(store, spec_of(external("signature", 'combination = "sum"'))).coverage
    assert coverage.filter(condition_id="G1+G2/A/crispri").row(0, named=True) == {
        "condition_id": "G1+G2/A/crispri",
        "block": "signature/external/CVCL_B",
        "is_covered": True,
        "share_observed": 1.0,
        "n_conditions": 2,
        "rule": "same kind, sum of parts; same direction, sum of parts",
    }
