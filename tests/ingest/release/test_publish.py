from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import duckdb
import polars as pl
import pytest
from blake3 import blake3

from featurestore.contract import RELEASE
from featurestore.errors import WarehouseError
from featurestore.query.warehouse import Warehouse
from featurestore.storage.snapshot import read_manifest, read_snapshot, release_path, snapshot_numbers
from ingest.release.publish import content_hash, name_release, publish
from ingest.release.staging import staging
from ingest.release.tables import write_table


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    folder = tmp_path / "reference"
    folder.mkdir()
    columns = ("gene_id", "gene_symbol", "entrez_id", "hgnc_id", "biotype", "chromosome")
    pl.DataFrame([("ENSG1", "ONE", "1", "HGNC:1", "protein_coding", "1")], schema=columns, orient="row").write_parquet(
        folder / "gene.parquet"
    )
    return folder


def put(root: Path, reference: Path, dataset_id: str = "a", release_id: str = "r1", symbol: str = "ONE"):
    with staging(root) as workspace:
        folder = workspace / "release"
        folder.mkdir()
        gene = pl.DataFrame({"gene_index": [0], "gene_id": ["ENSG1"], "gene_symbol": [symbol]})
        write_table(folder, "gene", gene)
        manifest = {"dataset_id": dataset_id, "release_id": release_id, "gene_reference": "ref"}
        return publish(root, folder, manifest, reference)


def contents(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def test_publish__makes_a_release_and_names_it(tmp_path, reference):
    root = tmp_path / "warehouse"
    snapshot = put(root, reference)
    assert snapshot.number == 1
    assert read_snapshot(root).datasets == {"a": "r1"}
    (file,) = read_manifest(root, "a", "r1")["files"]
    path = release_path(root, "a", "r1") / file["path"]
    assert (file["table"], file["rows"]) == ("gene", 1)
    assert file["blake3"] == blake3(path.read_bytes()).hexdigest()
    assert not (root / "staging").exists()


def test_publish__keeps_older_snapshots(tmp_path, reference):
    root = tmp_path / "warehouse"
    put(root, reference)
    put(root, reference, release_id="r2", symbol="TWO")
    put(root, reference, dataset_id="b")
    assert [read_snapshot(root, n).datasets for n in snapshot_numbers(root)] == [
        {"a": "r1"},
        {"a": "r2"},
        {"a": "r2", "b": "r1"},
    ]
    with Warehouse(root, snapshot=1) as store:
        assert store.connection.sql("select gene_symbol from release.gene").fetchall() == [("ONE",)]


def test_publish__the_same_release_again_changes_no_byte(tmp_path, reference):
    root = tmp_path / "warehouse"
    put(root, reference)
    before = contents(root)
    assert put(root, reference).number == 1
    assert contents(root) == before


def test_name_release__returns_to_an_older_release(tmp_path, reference):
    root = tmp_path / "warehouse"
    put(root, reference)
    put(root, reference, release_id="r2")
    assert name_release(root, "a", "r1").number == 3
    assert read_snapshot(root).datasets == {"a": "r1"}


def test_publish__refuses_a_table_that_breaks_the_contract(tmp_path, reference):
    root = tmp_path / "warehouse"
    put(root, reference)
    before = contents(root)
    with pytest.raises(WarehouseError, match="contract"), staging(root) as workspace:
        (workspace / "release").mkdir()
        pl.DataFrame({"gene_id": ["x"]}).write_parquet(workspace / "release" / "gene.parquet")
        publish(root, workspace / "release", {"dataset_id": "b", "release_id": "x", "gene_reference": "ref"}, reference)
    assert contents(root) == before


def test_staging__leaves_no_folder_behind_a_failure(tmp_path):
    root = tmp_path / "deep" / "warehouse"
    with pytest.raises(KeyError), staging(root) as folder:
        (folder / "half.parquet").write_bytes(b"x")
        raise KeyError
    assert not (tmp_path / "deep").exists()


def _publish_many(arguments: tuple[str, str, int]) -> None:
    root, reference, worker = arguments
    for turn in range(5):
        put(Path(root), Path(reference), dataset_id=f"d{worker}", release_id=f"w{worker}t{turn}")


def test_publish__concurrent_writers_lose_nothing(tmp_path, reference):
    root = tmp_path / "warehouse"
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        pool.map(_publish_many, [(str(root), str(reference), worker) for worker in range(4)])
    assert len(snapshot_numbers(root)) == 20
    assert read_snapshot(root).datasets == {f"d{w}": f"w{w}t4" for w in range(4)}


def test_write_database__any_client_can_read_the_views(tmp_path, reference):
    root = tmp_path / "warehouse"
    put(root, reference)
    with duckdb.connect(str(root / "featurestore.duckdb"), read_only=True) as connection:
        assert connection.sql("select gene_symbol from gene").fetchall() == [("ONE",)]


def test_read_snapshot__a_newer_contract_is_refused(tmp_path, reference):
    root = tmp_path / "warehouse"
    put(root, reference)
    path = root / "snapshots" / "00000001.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"contract_version": 99}))
    with pytest.raises(WarehouseError, match="newer featurestore"):
        read_snapshot(root)


def test_content_hash__ignores_the_order_of_keys():
    assert content_hash({"a": 1, "b": [1, 2]}) == content_hash({"b": [1, 2], "a": 1})
    assert content_hash({"a": 1}) != content_hash({"a": 2})


def test_contract__every_table_key_is_among_its_columns():
    for table in RELEASE.values():
        assert set(table.key) <= set(table.columns)
