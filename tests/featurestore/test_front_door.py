"""What ``import featurestore as fs`` offers, and what ``help(fs)`` shows of it."""

from __future__ import annotations

import inspect
import tomllib

import numpy as np
import pytest

import featurestore as fs
from featurestore.errors import FeatureError, SpecError
from featurestore.features.spec import read_spec


def test_package__shows_what_it_offers_and_loads_it_when_asked():
    assert set(fs.__all__) <= set(dir(fs))
    assert {name for name, _ in inspect.getmembers(fs, inspect.isclass)} >= {"Store", "SignatureFeatures"}
    assert inspect.isfunction(fs.evaluate)
    for name in fs.__all__:
        assert inspect.getdoc(getattr(fs, name))


def test_build__takes_a_path_a_dictionary_and_a_spec_alike(world, world_files):
    path = world_files / "features.toml"
    with fs.open(world) as store:
        matrices = [store.build(spec) for spec in (path, tomllib.loads(path.read_text()), read_spec(path))]
        for matrix in matrices[1:]:
            np.testing.assert_array_equal(matrix.X, matrices[0].X)
            assert matrix.manifest["recipe"] == matrices[0].manifest["recipe"]
        with pytest.raises(SpecError, match="feature spec has a fault") as caught:
            store.build({"target": {"dataset": "replogle_demo_k562"}})
        assert caught.value.where == "the dictionary"
        rows, features = matrices[0].X.shape
        shown = f"snapshot 3: {rows:,} rows x {features:,} features -&gt; {matrices[0].Y.shape[1]:,} genes"
        assert shown in matrices[0]._repr_html_()
        assert "replogle_demo_rpe1" in matrices[0]._repr_html_()
        assert "3 datasets" in repr(store)
        assert "lincs_demo" in store._repr_html_()


def test_build__gives_pairs_only_where_they_are_asked_for(pair_store, pair_text, tmp_path):
    path = tmp_path / "pairs.toml"
    path.write_text(pair_text())
    matrix = pair_store.build(path, unit="pair")
    assert repr(matrix).startswith(f"PairMatrix pairs, snapshot 1: {len(matrix.y):,} pairs x ")
    with pytest.raises(FeatureError, match="A row of 'pairs' is a pair") as caught:
        pair_store.build(path)
    assert caught.value.do == 'build(spec, unit="pair")'
