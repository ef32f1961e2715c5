"""What is exported is what SQL answers, whole, in blocks, and missing where it is missing."""

from __future__ import annotations

import re

import anndata
import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from featurestore.commands.export import export
from featurestore.errors import QueryError, UnknownDatasetError
from featurestore.lookup import exported
from featurestore.lookup.exported import export_dataset
from featurestore.store import Store

SCREEN = "replogle_demo_k562"


@pytest.fixture(scope="module")
def store(world):
    with Store(world) as opened:
        yield opened


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(exported, "_AT_ONCE", 5_000)
    monkeypatch.setattr(exported, "_ROWS", 1_000)


def wide(store, query, value):
    """Answer as a matrix, conditions x genes, in the order of both names."""
    found = store.frame(query).pivot("gene_id", index="condition_id", values=value, sort_columns=True)
    return found.sort("condition_id")


def test_h5ad__has_effects_and_tests_of_every_condition(store, tmp_path):
    told = []
    n = export_dataset(store, SCREEN, tmp_path / "a.h5ad", report=told.append)
    found = anndata.read_h5ad(tmp_path / "a.h5ad")
    assert len(told) > 3
    assert (
        n
        == found.n_obs
        == store.frame(f"select n_conditions + n_controls from dataset where dataset_id = '{SCREEN}'").item()
    )
    for layer in ("effect", "z", "p_value", "log2fc"):
        expected = wide(store, f"select * from signature where dataset_id = '{SCREEN}'", layer)
        part = found[expected["condition_id"].to_list(), expected.columns[1:]]
        values = part.X if layer == "effect" else part.layers[layer]
        np.testing.assert_allclose(values, expected.drop("condition_id").to_numpy(), rtol=1e-6)
    assert np.isnan(found[found.obs["is_control"]].X).all()
    assert 0 < found.layers["p_value"][found.layers["p_value"] > 0].min() < 1e-38
    assert found.uns["effect_kind"] == "delta_log1p"
    assert found.obs["knockdown_ratio"].notna().any()


def test_a_perturbation_that_is_named__is_had_by_sql(store, tmp_path):
    name = store.frame("select perturbation from condition where not is_control order by all limit 1").item()
    with pytest.raises(UnknownDatasetError, match=f"'{name}' is a perturbation, not a dataset") as caught:
        CliRunner().invoke(export, [name, "-o", str(tmp_path / "a.csv")], obj=store.path, catch_exceptions=False)
    (query,) = re.findall('"(.*)"', caught.value.do)
    assert store.frame(query)["perturbation"].unique().to_list() == [name]


def test_h5ad__of_sums_has_means_counts_and_shares(store, tmp_path):
    export_dataset(store, SCREEN, tmp_path / "s.h5ad", "sums")
    found = anndata.read_h5ad(tmp_path / "s.h5ad")
    joined = (
        "select condition_id, gene_id, sum_log1p / n_cells as mean, n_expressing / n_cells as share, sum_counts "
        f"from statistics join condition using (dataset_id, condition_id) where dataset_id = '{SCREEN}'"
    )
    for name, values in (("mean", found.X), ("sum_counts", found.layers["counts"])):
        expected = wide(store, joined, name)
        at = found.obs_names.get_indexer(expected["condition_id"]), found.var_names.get_indexer(expected.columns[1:])
        np.testing.assert_allclose(values[np.ix_(*at)], expected.drop("condition_id").to_numpy(), rtol=1e-6)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_tables__are_views_and_matrices(store, tmp_path, form):
    read = {"csv": pl.read_csv, "parquet": pl.read_parquet}[form]
    keys = ["condition_id", "gene_id"]
    n = export_dataset(store, "lincs_demo", tmp_path / f"long.{form}")
    found, expected = (
        read(tmp_path / f"long.{form}"),
        store.frame("select * from effects where dataset_id = 'lincs_demo'"),
    )
    assert n == found.height
    assert found.columns == expected.columns
    found, expected = (frame.sort(keys) for frame in (found, expected))
    np.testing.assert_allclose(found["effect"].cast(pl.Float32), expected["effect"], rtol=1e-6)
    assert found["perturbation"].equals(expected["perturbation"])

    export_dataset(store, "lincs_demo", tmp_path / f"wide.{form}", "matrix")
    found = read(tmp_path / f"wide.{form}")
    answer = wide(store, "select * from signature where dataset_id = 'lincs_demo'", "effect")
    found = found.filter(pl.col("condition_id").is_in(answer["condition_id"].implode())).sort("condition_id")
    np.testing.assert_allclose(
        found.select(answer.columns[1:]).to_numpy(), answer.drop("condition_id").to_numpy(), rtol=1e-6
    )
    n = export_dataset(store, SCREEN, tmp_path / f"sums.{form}", "sums")
    sums = read(tmp_path / f"sums.{form}")
    assert sums.height == n
    assert (
        sums["sum_counts"].sum()
        == store.frame(f"select sum(sum_counts)::bigint from statistics where dataset_id = '{SCREEN}'").item()
    )


def test_what_cannot_be_exported__leaves_no_file(store, world, tmp_path):
    for name, what, said in (
        ("a.xls", "signatures", "does not say the format"),
        ("a.h5ad", "sums", "has no sums"),
        ("a.csv", "sums", "has no sums"),
    ):
        with pytest.raises(QueryError, match=said):
            export_dataset(store, "lincs_demo", tmp_path / name, what)
    with pytest.raises(QueryError, match="has no zscore") as caught:
        export_dataset(store, "lincs_demo", tmp_path / "a.csv", "matrix", effect_kind="zscore")
    assert caught.value.got == "moderated_z"
    assert list(tmp_path.iterdir()) == []
    forbidden = CliRunner().invoke(
        export, ["lincs_demo", "-o", str(tmp_path / "a.csv"), "--forbid", "CC0-1.0"], obj=world
    )
    assert "CC0-1.0" in str(forbidden.exception)
    assert list(tmp_path.iterdir()) == []


def test_command__exports_a_built_matrix_too(store, world, world_files, tmp_path):
    matrix = store.build(world_files / "features.toml")
    matrix.write(tmp_path / "matrix")
    for name in ("m.h5ad", "m.csv", "m.parquet"):
        ran = CliRunner().invoke(export, [str(tmp_path / "matrix"), "-o", str(tmp_path / name)], obj=world)
        assert ran.exit_code == 0, ran.exception
    np.testing.assert_array_equal(anndata.read_h5ad(tmp_path / "m.h5ad").X, matrix.X)
    assert pl.read_parquet(tmp_path / "m.parquet").shape == (matrix.X.shape[0], matrix.X.shape[1] + 1)
