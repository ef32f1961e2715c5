"""Names of folders that mean something to a library are names: of a warehouse, and of the files that go into it."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

import polars as pl
import pytest

from featurestore.features.builder import build
from featurestore.features.matrix.feature_matrix import FeatureMatrix
from featurestore.features.spec import read_spec
from featurestore.query.warehouse import Warehouse
from featurestore.storage.snapshot import read_snapshot, release_path
from featurestore.store import Store
from featurestore.upkeep.verify import verify
from ingest.pipeline import ingest_dataset

CHECKOUT = Path(__file__).parents[2]
PAIRS = [
    ("w[1]", "w1"),
    ("w*", "w2"),
    ("w?", "w3"),
    ("dataset_id=x [1]", "dataset_id=x 1"),
    ("{a,b}", "a"),
    ("two\nlines", "two"),
]
SUMS = "select dataset_id, count(*) as n, sum(effect) as total from signature group by 1 order by 1"
FEATURES = """
[target]
dataset = "first"
[[feature]]
kind = "embedding"
file = "vectors.parquet"
[split]
folds = 2
"""


@pytest.mark.parametrize(("name", "beside"), PAIRS)
def test_warehouse__is_the_one_that_is_named_and_none_that_its_name_matches(name, beside, published, dataset, tmp_path):
    root, other = tmp_path / name, tmp_path / beside
    shutil.copytree(published, root)
    shutil.copytree(published, other)
    damaged = release_path(other, "first", read_snapshot(other).datasets["first"]) / "signature" / "part-0.parquet"
    table = pl.read_parquet(damaged, glob=False)
    table.with_columns(effect=pl.col("effect") + 1).write_parquet(damaged)
    with Warehouse(published) as expected, Warehouse(root) as store:
        assert store.frame(SUMS).equals(expected.frame(SUMS))
    assert verify(root).faults == []
    ingest_dataset(dataset(root / "files", "third", seed=3), root)
    with Store(root) as store:
        first = store.search(perturbation="TP53", top=0)
        assert first.equals(store.search(perturbation="TP53", top=0))
    assert verify(root).faults == []


@pytest.mark.parametrize("name", ["plate[1]", "plate*", "plate?", "plate [[2]]"])
def test_files__of_an_ingest_are_those_that_are_named(name, dataset, tmp_path):
    """Beside the file that a spec names is one that the name matches as a pattern."""
    for each, seed in (("first", 1), ("other", 2)):
        dataset(tmp_path, each, seed=seed)
    (tmp_path / "first.h5ad").rename(tmp_path / f"{name}.h5ad")
    (tmp_path / "other.h5ad").rename(tmp_path / "plate1.h5ad")
    pl.DataFrame({"index": [f"first_{i}" for i in range(60)], "line": ["K562"] * 60}).write_csv(
        tmp_path / f"{name}.csv"
    )
    spec = tmp_path / "first.toml"
    text = (
        spec.read_text().replace('"first.h5ad"', f'"{name}.h5ad"').replace('{ value = "K562" }', '{ column = "line" }')
    )
    spec.write_text(f'{text}[rows]\ntable = "{name}.csv"\nkey = "index"\n')
    ingest_dataset(spec, tmp_path / "w")
    with Warehouse(tmp_path / "w") as store:
        assert store.frame("select sum(n_cells) as n from condition where context_label = 'K562'")["n"].item() == 60


@pytest.mark.parametrize(("name", "beside"), PAIRS[:3])
def test_files__of_a_build_are_those_that_are_named(name, beside, published, tmp_path):
    for folder, value in ((name, 0.5), (beside, 7.0)):
        (tmp_path / folder).mkdir()
        vectors = pl.DataFrame({"gene": ["TP53", "MYC", "EGFR"], "v0": [value, 2 * value, -value]})
        vectors.write_parquet(tmp_path / folder / "vectors.parquet")
        (tmp_path / folder / "near.toml").write_text(FEATURES, encoding="utf-8")
        with Warehouse(published) as store:
            build(store, read_spec(tmp_path / folder / "near.toml"), cache=False).write(tmp_path / folder / "matrix")
    matrix, other = (FeatureMatrix.read(tmp_path / folder / "matrix") for folder in (name, beside))
    assert matrix.rows.height == other.rows.height == 3
    assert abs(matrix.X[matrix.mask]).max() < 2 < abs(other.X[other.mask]).max()


def test_polars__takes_no_path_for_a_pattern():
    """``read_parquet`` and ``read_csv`` would read each file that matches; no call of ours lets them."""
    reading = {"read_parquet", "scan_parquet", "read_csv", "scan_csv"}
    calls = [
        (f"{path}:{node.lineno}", {each.arg for each in node.keywords})
        for package in ("featurestore", "ingest")
        for path in (CHECKOUT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in reading
        if isinstance(node.func.value, ast.Name) and node.func.value.id == "pl"
    ]
    assert len(calls) > 40
    assert [place for place, given in calls if "glob" not in given] == []
