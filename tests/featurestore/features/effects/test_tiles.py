"""What a question reads of a warehouse of tiles: rows and row groups, not time."""

import copy
import json

import numpy as np
import polars as pl
import pytest

from featurestore.contract import TILE_CONDITIONS, TILE_GENES
from featurestore.errors import UnknownDatasetError
from featurestore.features.effects.signature_matrix import signature_matrix
from featurestore.query.warehouse import Warehouse
from ingest.release.tables import TileWriter

N_CONDITIONS, N_GENES = 3 * TILE_CONDITIONS + 20, 2 * TILE_GENES + 30
N_TILES = 4 * 3
IDS = [f"ENSG{i:011d}" for i in range(N_GENES)]
LEFT_OUT = 7
"""A condition without signature, as controls are: its tile has a gap."""


def effects_of(seed):
    values = np.random.default_rng(seed).normal(size=(N_CONDITIONS, N_GENES)).astype(np.float32)
    values[3, 40:60] = np.nan
    values[LEFT_OUT] = np.nan
    return values


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Three datasets in tiles and their snapshot, written as an ingest writes them."""
    root = tmp_path_factory.mktemp("tiles")
    for seed, name in enumerate("abc"):
        folder = root / "releases" / f"dataset_id={name}" / "release_id=r1"
        folder.mkdir(parents=True)
        conditions = pl.DataFrame({"condition_id": [f"condition {i}" for i in range(N_CONDITIONS)]})
        genes = pl.DataFrame({"gene_id": IDS, "gene_symbol": IDS})
        small = {
            "condition": conditions.with_row_index("condition_index"),
            "gene": genes.with_row_index("gene_index"),
            "dataset": pl.DataFrame({"dataset_id": [name], "release_id": ["r1"]}),
        }
        for table, frame in small.items():
            write_small(folder, table, frame)
        values = effects_of(seed)
        with TileWriter(folder, "signature", N_GENES) as writer:
            for first in range(0, N_CONDITIONS, TILE_CONDITIONS):
                numbers = np.arange(first, min(first + TILE_CONDITIONS, N_CONDITIONS), dtype=np.int32)
                numbers = numbers[numbers != LEFT_OUT]
                columns = dict.fromkeys(("standard_error", "z", "p_value", "q_value")) | {"effect": values[numbers]}
                writer.write(numbers, columns, {"effect_kind": "delta_log1p"})
        files = [{"table": table, "path": f"{table}.parquet"} for table in small]
        files.append({"table": "signature", "path": "signature/part-0.parquet"})
        (folder / "manifest.json").write_text(json.dumps({"files": files, "gene_reference": "genes"}))
    (root / "reference" / "genes").mkdir(parents=True)
    blank = {name: [""] * N_GENES for name in ("entrez_id", "hgnc_id", "biotype", "chromosome")}
    pl.DataFrame({"gene_id": IDS, "gene_symbol": IDS} | blank).write_parquet(root / "reference/genes/gene.parquet")
    (root / "snapshots").mkdir()
    content = {"contract_version": 1, "datasets": dict.fromkeys("abc", "r1")}
    (root / "snapshots" / "00000001.json").write_text(json.dumps(content))
    return root


def write_small(folder, table, frame):
    from featurestore.contract import RELEASE, conform

    blank = [pl.lit(None, dtype).alias(name) for name, dtype in RELEASE[table].schema.items() if name not in frame]
    conform(RELEASE[table], frame.with_columns(blank)).write_parquet(folder / f"{table}.parquet")


@pytest.fixture
def store(root):
    with Warehouse(root) as warehouse:
        yield warehouse


def scan_of_signatures(store, query):
    """EXPLAIN ANALYZE: how the scan of the signature table went."""
    ((_, text),) = store.connection.sql(f"explain (analyze, format json) {query}").fetchall()
    waiting, scans = list(json.loads(text)["operator"]), []
    while waiting:
        node = waiting.pop()
        waiting += node.get("children", [])
        if "/signature/" in str(node["extra_info"].get("Filename(s)", "")):
            scans.append(node)
    (scan,) = scans
    return scan


def test_one_condition__is_read_from_its_row_of_tiles_of_its_file(store):
    where = "dataset_id = 'b' and condition_id = 'condition 300'"
    scan = scan_of_signatures(store, f"select gene_id, effect from signature where {where}")
    assert scan["extra_info"]["Scanning Files"] == "1/3"
    assert scan["row_groups_scanned"] == 3
    assert scan["total_row_groups_to_scan"] == N_TILES
    assert scan["rows_scanned"] == N_GENES
    assert store.frame(f"select count(*) as n from signature where {where}")["n"].item() == N_GENES


def test_one_gene__is_read_from_its_column_of_tiles_of_each_file(store):
    scan = scan_of_signatures(store, f"select condition_id, effect from signature where gene_id = '{IDS[600]}'")
    assert scan["row_groups_scanned"] == 3 * 4
    assert scan["total_row_groups_to_scan"] == 3 * N_TILES
    assert scan["rows_scanned"] == 3 * (N_CONDITIONS - 1)


def test_columns_not_asked_for_are_not_read(store):
    scan = scan_of_signatures(store, "select effect from signature where dataset_id = 'a' and gene_symbol = 'none'")
    assert set(scan["extra_info"]["Projections"]) == {"condition_index", "gene_index", "effect", "dataset_id"}


def test_signature_matrix__of_tiles_is_what_was_written(store):
    wanted = [760, 3, 255, 0, LEFT_OUT, 3 * TILE_CONDITIONS]
    matrix = signature_matrix(store, "c", [f"condition {i}" for i in wanted], "delta_log1p")
    np.testing.assert_array_equal(matrix.values, effects_of(2)[wanted])
    every = signature_matrix(store, "c", [f"condition {i}" for i in range(N_CONDITIONS)], "delta_log1p")
    np.testing.assert_array_equal(every.values, effects_of(2))


def test_signature_matrix__of_tiles_asks_no_query_and_equals_that_of_queries(store, monkeypatch):
    ids = [f"condition {i}" for i in range(0, N_CONDITIONS, 3)]
    with monkeypatch.context() as without_queries:
        without_queries.setattr("featurestore.features.effects.signature_matrix.sql_files", None)
        straight = signature_matrix(store, "a", ids, "delta_log1p")
    monkeypatch.setattr("featurestore.features.effects.signature_matrix.fill_from_tiles", lambda *_: False)
    np.testing.assert_array_equal(straight.values, signature_matrix(store, "a", ids, "delta_log1p").values)


def test_datasets__are_all_that_is_shown(root):
    with Warehouse(root, datasets=["b"]) as store:
        assert store.frame("select distinct dataset_id from signature")["dataset_id"].to_list() == ["b"]
        scan = scan_of_signatures(store, "select effect from signature where gene_id is not null")
        assert scan["total_row_groups_to_scan"] == N_TILES
        assert list(copy.copy(store).snapshot.datasets) == ["b"]
    with pytest.raises(UnknownDatasetError, match="'d'"):
        Warehouse(root, datasets=["a", "d"])
