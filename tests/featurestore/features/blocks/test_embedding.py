"""Vectors and gene sets from files, keyed by any name."""

import numpy as np
import pytest
from feature_specs import SPLIT, TARGET, spec_of, write_embedding

from featurestore.errors import FeatureError
from featurestore.features.builder import build
from featurestore.features.spec import read_spec


@pytest.mark.parametrize("form", ["parquet", "csv", "npz"])
def test_embedding__is_keyed_by_any_name_and_says_what_did_not_map(two_datasets, tmp_path, gene_ids, form):
    vectors = np.arange(10, dtype=np.float32).reshape(5, 2)
    keys = [gene_ids[2], f"{gene_ids[3]}.7", "S005", "s006", "NOSUCH"]
    write_embedding(tmp_path, form, keys, vectors)
    (tmp_path / "features.toml").write_text(
        f'{TARGET}[[feature]]\nkind = "embedding"\nfile = "vectors.{form}"\nlicence = "MIT"\n{SPLIT}'
    )
    matrix = build(two_datasets, read_spec(tmp_path / "features.toml"))
    labels = matrix.rows["perturbation_label"].to_list()
    found = {label: x for label, x in zip(labels, matrix.X.tolist(), strict=True) if np.isfinite(x).all()}
    assert found == {"G2": [0, 1], "G3": [2, 3], "G4": [4, 5], "G5": [6, 7]}
    facts = matrix.manifest["sources"][0]
    assert facts["keys"]["not_mapped"] == {"NOSUCH": "unmapped"}
    assert facts["keys"]["by_method"] == {"approved symbol": 2, "gene id": 2}
    assert matrix.manifest["licences"][f"file:vectors.{form}"] == "MIT"
    assert not matrix.covered.any(), "a vector is no experiment"
    assert str(tmp_path) not in str(matrix.manifest)


def test_embedding__of_gene_sets_says_which_a_gene_is_in(two_datasets, tmp_path, gene_ids):
    sets = {"A": ["S003", gene_ids[2], "S005"], "B/C": ["S005", "s006"], "alone": ["S002"], "again": ["S006", "S006"]}
    lines = ["\t".join([name, "what it is", *members]) for name, members in sets.items()]
    (tmp_path / "sets.gmt").write_text("\n".join(lines))
    (tmp_path / "features.toml").write_text(f'{TARGET}[[feature]]\nkind = "embedding"\nfile = "sets.gmt"\n{SPLIT}')
    matrix = build(two_datasets, read_spec(tmp_path / "features.toml"))
    assert matrix.columns["name"].to_list() == ["embedding/A", "embedding/B/C"]
    labels = matrix.rows["perturbation_label"].to_list()
    found = {label: x for label, x in zip(labels, matrix.X.tolist(), strict=True) if np.isfinite(x).any()}
    assert found == {"G2": [1, 0], "G4": [1, 1], "G5": [0, 1]}
    assert matrix.manifest["sources"][0]["keys"]["n_merged"] == 1


def test_embedding__of_one_gene_under_two_names_is_in_the_sets_of_either(two_datasets, tmp_path, gene_ids):
    (tmp_path / "sets.gmt").write_text(f"A\t\tS003\tS005\nB\t\t{gene_ids[2]}\tS006\n")
    matrix = build(two_datasets, spec_of(f'kind = "embedding"\nfile = "{tmp_path}/sets.gmt"'))
    row = matrix.rows["perturbation_label"].to_list().index("G2")
    assert matrix.X[row].tolist() == [1, 1]


def test_embedding__of_sets_of_one_gene_each_is_refused(two_datasets, tmp_path):
    (tmp_path / "sets.gmt").write_text("A\t\tS003\nB\t\tS005\tS005\n")
    with pytest.raises(FeatureError, match="no set of two members or more"):
        build(two_datasets, spec_of(f'kind = "embedding"\nfile = "{tmp_path}/sets.gmt"'))


def test_embedding__of_a_combination_is_the_sum_of_its_parts(writer, make_condition, tmp_path):
    writer.dataset("target", [make_condition(x) for x in ("G1", "G2", "G1+G2", "G3")], np.ones((4, 30)))
    write_embedding(tmp_path, "csv", ["S002", "S003"], np.array([[1.0, 5.0], [2.0, 7.0]]))
    feature = f'kind = "embedding"\nfile = "{tmp_path}/vectors.csv"'
    with writer.open() as store:
        summed = build(store, spec_of(feature, more="\n[split]\nfolds = 2\n"))
        exact = build(store, spec_of(f'{feature}\ncombination = "exact"', more="\n[split]\nfolds = 2\n"))
    rows = summed.rows["perturbation_label"].to_list()
    assert summed.X[rows.index("G1+G2")].tolist() == [3.0, 12.0]
    assert np.isnan(exact.X[rows.index("G1+G2")]).all()


def test_embedding__with_pickles_or_without_vectors_is_refused(two_datasets, tmp_path):
    path = tmp_path / "vectors.npz"
    feature = spec_of(f'kind = "embedding"\nfile = "{path}"')
    np.savez(path, ids=np.array(["S003", {"a": 1}], dtype=object), vectors=np.ones((2, 2)))
    with pytest.raises(FeatureError, match="allow_pickle"):
        build(two_datasets, feature)
    np.savez(path, ids=np.array(["nothing"]), vectors=np.ones((1, 2)))
    with pytest.raises(FeatureError, match="No key of the embedding maps"):
        build(two_datasets, feature)
    path.unlink()
    with pytest.raises(FeatureError, match="The embedding cannot be used"):
        build(two_datasets, feature)
