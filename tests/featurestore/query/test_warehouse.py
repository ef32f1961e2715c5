from __future__ import annotations

import json
import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor

import duckdb
import pytest
from click.testing import CliRunner

import featurestore as fs
from featurestore.commands.query import history
from featurestore.contract import COLUMNS, VIEWS
from featurestore.contract_page import page
from featurestore.errors import QueryError, UnknownDatasetError, WarehouseError
from featurestore.query.sqlfiles import sql_files, sql_root
from featurestore.query.warehouse import Warehouse
from featurestore.upkeep.doctor import diagnose
from featurestore.upkeep.verify import verify
from ingest.release.collect import collect


@pytest.fixture(scope="module")
def store(world):
    with fs.open(world) as store:
        yield store


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_view__has_the_contracts_columns_types_and_key(store, view):
    frame = store.frame(f"select * from {view.name} limit 1000")
    assert frame.schema == view.schema
    if view.key:
        keys = ", ".join(view.key)
        repeated = store.frame(f"select {keys}, count(*) as n from {view.name} group by all having n > 1")
        assert repeated.height == 0
        nulls = " or ".join(f"{name} is null" for name in view.key)
        assert store.frame(f"select {keys} from {view.name} where {nulls}").height == 0


def test_view__every_column_is_commented(store):
    comments = store.frame(
        "select table_name, column_name, comment from duckdb_columns() "
        "where schema_name = 'main' and database_name = 'memory' and not internal"
    )
    assert set(VIEWS) == set(comments["table_name"])
    for view, column, comment in comments.rows():
        assert comment.startswith(COLUMNS[column].sentence), (view, column)


def test_effects__are_signatures_with_their_conditions_by_the_names_that_people_guess(store):
    found = store.frame("select * from effects order by dataset_id, condition_id, gene_id, effect_kind")
    joined = store.frame(
        "select s.*, c.perturbation, c.n_cells as cells, q.is_responder as responds from signature s "
        "join condition c using (dataset_id, condition_id) left join quality q using (dataset_id, condition_id) "
        "order by s.dataset_id, s.condition_id, s.gene_id, s.effect_kind"
    )
    assert found.height == joined.height > 0
    pairs = {"gene": "gene_symbol", "n_cells": "cells", "is_responder": "responds"}
    for name in ("perturbation", "effect", "log2fc", "q_value", *pairs):
        assert found[name].equals(joined[pairs.get(name, name)], null_equal=True), name


@pytest.mark.parametrize("view", ["signature", "statistics"])
def test_view__is_not_planned_as_all_conditions_by_all_genes(store, view):
    ((_, plan),) = store.connection.execute(f"explain (format json) select count(*) from {view}").fetchall()
    steps, joins = json.loads(plan), []
    while steps:
        step = steps.pop()
        steps += step["children"]
        if "JOIN" in step["name"] or "PRODUCT" in step["name"]:
            joins.append(step["extra_info"].get("Conditions"))
    assert len(joins) == 2
    assert all(isinstance(conditions, list) and len(conditions) == 2 for conditions in joins), joins


def test_contract_page__is_up_to_date():
    assert (sql_root() / "README.md").read_text() == page(), "run: python -m featurestore.contract_page > sql/README.md"


def test_view__takes_its_keys_from_the_snapshot_wherever_the_warehouse_lies(world, store, tmp_path):
    """DuckDB reads ``name=value`` anywhere in a path as a column, over one of the table."""
    root = tmp_path / "dataset_id=x" / "gene_index=0" / "condition_index=7" / "release_id=y" / "warehouse"
    shutil.copytree(world, root)
    queries = [
        "select dataset_id, release_id, n_genes from dataset order by all",
        "select dataset_id, count(*), count(distinct gene_id) from statistics group by all order by all",
        "select * from signature order by all limit 50",
        "select * from gene order by all limit 50",
    ]
    with Warehouse(root) as moved:
        for query in queries:
            assert moved.frame(query).equals(store.frame(query))
        one = store.frame("select max(dataset_id) as dataset_id from dataset").item()
        query = f"select count(*) as n from signature where dataset_id = '{one}'"
        assert moved.frame(query).equals(store.frame(query))


@pytest.mark.parametrize(("name", "text"), sql_files("examples").items(), ids=sql_files("examples"))
def test_example__answers_on_the_small_world(store, name, text):
    assert text.startswith("-- ")
    assert store.frame(text).height > 0


def test_example__answers_the_same_by_however_many_threads(world, monkeypatch):
    examples, connect = sql_files("examples"), duckdb.connect
    answers = []
    for threads in (1, 2, 8):
        monkeypatch.setattr(duckdb, "connect", lambda place, n=threads: connect(place, config={"threads": n}))
        with fs.open(world) as store:
            assert store.frame("select current_setting('threads') as n").item() == threads
            answers.append({name: store.frame(text) for name, text in examples.items()})
    for name, frame in answers[0].items():
        assert all(other[name].equals(frame) for other in answers), name


ESCAPES = [
    "copy (select 1) to '{root}/x.csv'",
    "copy dataset to '{root}/releases/x.parquet' (format parquet)",
    "explain analyze copy (select 1) to '{root}/releases/x.csv'",
    "attach '{root}/releases/new.duckdb' as x",
    "attach '/tmp/new.duckdb'",
    "create table t as select 1",
    "create or replace view dataset as select 1",
    "drop view dataset",
    "insert into dataset select * from dataset",
    "set enable_external_access = true",
    "reset lock_configuration",
    "pragma database_list",
    "install httpfs",
    "load httpfs",
    "export database '{root}/x'",
    "call pragma_version()",
    "select 1; drop view dataset",
    "select 1; copy (select 1) to '{root}/x.csv'",
    "prepare p as select 1",
    "checkpoint",
    "select * from '/etc/passwd'",
    "select * from read_csv('/etc/passwd')",
    "select * from read_text('/etc/hostname')",
    "select * from read_blob('{root}/snapshots/00000001.json')",
    "select * from read_text('{root}/releases/../../../etc/passwd')",
    "select * from glob('/etc/*')",
    "select * from read_parquet('https://example.com/x.parquet')",
    "select * from query('copy (select 1) to ''{root}/x.csv''')",
    "",
    "  ;",
]


@pytest.mark.parametrize("query", ESCAPES)
def test_sql__is_read_only_and_confined(world, store, query):
    before = {path: path.stat().st_mtime_ns for path in world.rglob("*")}
    with pytest.raises(QueryError):
        store.frame(query.format(root=world))
    assert {path: path.stat().st_mtime_ns for path in world.rglob("*")} == before


def test_sql__no_python_variable_can_be_read(store):
    secret = store.frame("select 1 as a")
    assert secret.height == 1
    with pytest.raises(QueryError):
        store.frame("select * from secret")


@pytest.mark.parametrize(
    "query",
    [
        "with a as (select 1 as x) select * from a",
        "from dataset select dataset_id",
        "describe signature",
        "summarize dataset",
        "show tables",
        "explain select 1",
        "values (1), (2)",
    ],
)
def test_sql__takes_every_form_of_select(store, query):
    assert store.frame(query).height > 0


def test_sql__binds_parameters(store):
    found = store.sql("select dataset_id from dataset where assay = $assay", {"assay": "l1000"}).pl()
    assert found["dataset_id"].to_list() == ["lincs_demo"]


def test_warehouse__can_be_moved(world, tmp_path):
    moved = tmp_path / "elsewhere"
    shutil.copytree(world, moved)
    with Warehouse(moved) as store:
        assert store.frame("select count(*) as n from signature")["n"].item() > 0


def test_warehouse__says_what_is_missing(world, tmp_path):
    with pytest.raises(WarehouseError, match="There is no warehouse"):
        Warehouse(tmp_path / "nowhere")
    with pytest.raises(WarehouseError, match="no snapshot 99"):
        Warehouse(world, snapshot=99)
    with Warehouse(world) as store, pytest.raises(UnknownDatasetError, match="did you mean 'lincs_demo'"):
        store.manifest("lincs_dem")


def test_warehouse__is_not_any_folder(world, tmp_path):
    (tmp_path / "README.md").write_text("")
    with Warehouse(tmp_path) as store:
        assert store.frame("select * from dataset").height == 0
    (tmp_path / "staging").mkdir()
    (tmp_path / "notes.txt").write_text("")
    with Warehouse(tmp_path) as store:
        assert store.snapshot.number == 0
    (tmp_path / "staging").rmdir()
    with pytest.raises(WarehouseError, match="There is no warehouse in this folder") as caught:
        Warehouse(tmp_path)
    assert (caught.value.got, caught.value.do[:22]) == ("notes.txt", "ingest a dataset first")
    shutil.copytree(world, tmp_path / "the warehouse")
    for read in (Warehouse, verify, collect):
        with pytest.raises(WarehouseError) as caught:
            read(tmp_path)
        assert caught.value.do == f"a warehouse is in it: --warehouse '{tmp_path}/the warehouse'"
    symptom = next(each for each in diagnose(tmp_path) if each.check == "warehouse")
    assert (symptom.status, symptom.do) == ("problem", caught.value.do)
    for folder in (tmp_path, tmp_path / "nowhere"):
        answer = CliRunner().invoke(history, [], obj=folder)
        assert isinstance(answer.exception, WarehouseError)


@pytest.mark.parametrize("again", [lambda store: store.at(1), lambda store: pickle.loads(pickle.dumps(store))])
def test_warehouse__at_a_snapshot_or_pickled_shows_and_takes_no_more(world, again):
    with Warehouse(world, 1) as store:
        shown = sorted(store.snapshot.datasets)[:1]
    with Warehouse(world, datasets=shown, memory="100MB") as store, again(store) as other:
        assert other is not store
        assert other.most_bytes == store.most_bytes <= 100_000_000
        assert other.frame("select dataset_id from dataset")["dataset_id"].to_list() == shown


def test_snapshot__older_ones_stay_queryable(world):
    with Warehouse(world, snapshot=1) as store:
        assert store.frame("select dataset_id from dataset")["dataset_id"].to_list() == ["replogle_demo_k562"]


def test_frame__reads_no_more_rows_than_asked_for(store):
    assert store.frame("select i from range(10000000000) t(i)", most_rows=7)["i"].to_list() == list(range(7))


def test_frame__many_threads_can_ask_at_once(store):
    with ThreadPoolExecutor(8) as threads:
        sums = threads.map(lambda n: store.frame("select sum(i)::int s from range(?) t(i)", [n])["s"].item(), range(40))
    assert list(sums) == [None, *(n * (n - 1) // 2 for n in range(1, 40))]


def test_reference__every_name_of_a_gene(store):
    names = store.frame("select label, kind from reference.gene_label where gene_id = 'ENSG00000165406'")
    assert ("MARCH8", "previous") in names.rows()
    assert ("MARCHF8", "approved") in names.rows()
