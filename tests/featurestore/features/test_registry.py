"""Saved specs, kept matrices, and other forms of a matrix or dataset."""

import json

import anndata
import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from featurestore.commands.feature_specs import features
from featurestore.commands.trust import rebuilt_faults, verify
from featurestore.errors import FeatureError
from featurestore.features import registry
from featurestore.features.builder import build
from featurestore.store import Store
from featurestore.upkeep.examine import Report

SPEC = """
name = "near"
[target]
dataset = "target"
[[feature]]
kind = "signature"
datasets = ["external"]
components = {k}
[[feature]]
kind = "embedding"
file = "vectors.csv"
[split]
folds = 3
"""


@pytest.fixture
def spec_file(tmp_path):
    def write(k=3, value=1.0):
        pl.DataFrame({"gene": ["S003", "S007"], "v": [value, 2.0]}).write_csv(tmp_path / "vectors.csv")
        (tmp_path / "features.toml").write_text(SPEC.format(k=k))
        return tmp_path / "features.toml"

    return write


def test_save__makes_versions_that_stay_as_they_were(two_datasets, spec_file):
    first = registry.save(two_datasets, spec_file())
    assert registry.save(two_datasets, spec_file()).label == first.label == "near@1"
    second = registry.save(two_datasets, spec_file(k=2, value=5.0))
    assert second.label == "near@2"
    changed = registry.difference(first, second).splitlines()
    assert "-components = 3" in changed
    assert any(line.startswith("+# vectors.csv") for line in changed)
    old, new = (registry.saved_spec(two_datasets, saved) for saved in (first, second))
    old_x, new_x = build(two_datasets, old).X, build(two_datasets, new).X
    assert (old_x.shape[1], new_x.shape[1]) == (7, 5)
    assert np.nanmin(old_x[:, -1]) == 1.0
    assert np.nanmax(new_x[:, -1]) == 5.0
    registry.retire(two_datasets, "near@2", "too few components")
    assert registry.find(two_datasets, "near").label == "near@1"
    assert registry.find(two_datasets, "near@2").retired == "too few components"
    with pytest.raises(FeatureError, match="did you mean 'near'"):
        registry.find(two_datasets, "neer")


def test_rebuild__proves_a_matrix_even_after_a_new_ingest(writer, two_datasets, spec_file, tmp_path, make_condition):
    path = spec_file()
    registry.save(two_datasets, path)
    folder = tmp_path / "matrix"
    build(two_datasets, path).write(folder)
    again = [make_condition(f"G{i}", "B") for i in range(12)]
    writer.dataset("external", again, np.random.default_rng(1).normal(size=(12, 30)), release="r2")
    spec_file(value=9.0)
    with writer.open() as newer:
        assert registry.rebuild(newer, folder) == []
        rows = pl.read_parquet(folder / "X.parquet")
        rows.with_columns(pl.col(rows.columns[1]) + 1).write_parquet(folder / "X.parquet")
        assert registry.rebuild(newer, folder) == ["X.parquet"]


def test_verify__proves_a_written_matrix(two_datasets, spec_file, tmp_path, monkeypatch):
    build(two_datasets, spec_file()).write(tmp_path / "m")
    registry.save(two_datasets, spec_file())

    def rebuilt():
        return list(rebuilt_faults(two_datasets.path, tmp_path / "m"))

    assert rebuilt() == []
    monkeypatch.setattr("featurestore.commands.trust.verify_warehouse", lambda *_, **__: Report())
    matrix = ["--matrix", str(tmp_path / "m")]
    for arguments, said in (([], ""), (matrix, ", 1 matrix built again"), (matrix * 2, ", 2 matrices built again")):
        output = CliRunner().invoke(verify, arguments, obj=two_datasets.path).output
        assert output == f"0 snapshots, 0 releases, 0 files, 0.0 MB read{said}: all as published.\n"
    (tmp_path / "m" / "rows.parquet").write_bytes((tmp_path / "m" / "genes.parquet").read_bytes())
    (fault,) = rebuilt()
    assert "other bytes in rows.parquet" in fault.got


def test_commands__save_list_show_diff_retire_and_rebuild(two_datasets, spec_file, tmp_path):
    def run(*words):
        return CliRunner().invoke(features, list(words), obj=two_datasets.path)

    path = spec_file()
    assert run("save", str(path)).output == "near@1, pinned to snapshot 1\n"
    assert json.loads(run("list", "--format", "json").output)[0]["name"] == "near"
    assert "near@1" in run("list").output
    assert run("show", "near").output.strip() == path.read_text().strip()
    assert run("diff", "near@1", "near@1").output == "no difference\n"
    build(two_datasets, path).write(tmp_path / "m")
    assert run("rebuild", str(tmp_path / "m")).output == "identical\n"
    (tmp_path / "m" / "rows.parquet").write_bytes((tmp_path / "m" / "genes.parquet").read_bytes())
    assert run("rebuild", str(tmp_path / "m")).exit_code == 1
    assert run("retire", "near", "--reason", "old").output == "retired near@1\n"
    again = run("retire", "near", "--reason", "old").exception
    assert again.what == "Every version of the spec 'near' is retired."
    assert again.got == "near@1"


def test_build__is_done_once(two_datasets, make_spec):
    taken = "built before from these very releases: taken from the warehouse"
    said, said_again, said_at_last = [], [], []
    first = build(two_datasets, make_spec("components = 3"), report=said.append)
    assert any(line.startswith("reading ") for line in said)
    assert taken not in said
    second = build(two_datasets, make_spec("components = 3"), report=said_again.append)
    assert said_again == [taken], "nothing is read again"
    np.testing.assert_array_equal(second.X, first.X)
    assert second.manifest == first.manifest
    (kept,) = (two_datasets.path / "matrices").iterdir()
    (kept / "manifest.json").unlink()
    build(two_datasets, make_spec("components = 3"), report=said_at_last.append)
    assert said_at_last == said, "what is not whole is built again"


def test_to_torch__needs_torch(two_datasets, make_spec, monkeypatch):
    matrix = build(two_datasets, make_spec("components = 3"))
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(FeatureError, match="PyTorch is not installed"):
        matrix.to_torch()


def test_to_torch__gives_tensors(two_datasets, make_spec):
    pytest.importorskip("torch")
    matrix = build(two_datasets, make_spec("components = 3"))
    X, mask, Y = matrix.to_torch()
    np.testing.assert_array_equal(X.numpy(), matrix.X)
    np.testing.assert_array_equal(mask.numpy(), matrix.mask)
    np.testing.assert_array_equal(Y.numpy(), matrix.Y)


def test_to_anndata__of_a_dataset_has_the_names_that_scanpy_and_pertpy_expect(world, tmp_path):
    with Store(world) as store:
        data = store.to_anndata("replogle_demo_k562")
        wanted = store.frame(
            "select condition_id, gene_id, effect from signature where dataset_id = 'replogle_demo_k562' limit 50"
        )
        signatures = store.to_anndata("lincs_demo")
    assert (data.obs["perturbation"] == "control").sum() == data.obs["is_control"].sum() == 1
    assert {"perturbation", "nperts", "cell_line", "ncells", "is_responder"} <= set(data.obs)
    assert data.var.index.str.startswith("ENSG").all()
    effect = data.to_df(layer="effect")
    for condition, gene, value in wanted.iter_rows():
        assert effect.loc[condition, gene] == pytest.approx(value)
    np.testing.assert_array_equal(data.X, data.layers["mean_log1p"])
    assert data.layers["counts"].min() >= 0
    data.write_h5ad(tmp_path / "data.h5ad")
    assert anndata.read_h5ad(tmp_path / "data.h5ad").shape == data.shape
    assert signatures.uns["effect_kind"] == ["moderated_z"]
    np.testing.assert_array_equal(signatures.X, signatures.layers["effect"])


def test_to_anndata__does_not_let_out_what_its_licence_forbids(writer, make_condition):
    conditions = [make_condition("G1"), make_condition("G2")]
    writer.dataset("target", conditions, np.ones((2, 30)))
    writer.dataset("unknown", conditions, np.ones((2, 30)), dataset=pl.DataFrame({"dataset_id": ["unknown"]}))
    with writer.open() as store:
        assert store.to_anndata("target", forbid=["non-commercial"]).shape == (2, 30)
        with pytest.raises(FeatureError, match="target: licence of target"):
            store.to_anndata("target", forbid=["Licence of target"])
        with pytest.raises(FeatureError, match="unknown: unknown"):
            store.to_anndata("unknown", forbid=["non-commercial"])
        assert store.to_anndata("unknown").shape == (2, 30)
