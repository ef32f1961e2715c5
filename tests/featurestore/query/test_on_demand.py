"""Views are created when a statement names them: the answers are those of all views."""

import os
import shutil

import pytest

import featurestore as fs
from featurestore.contract import VIEWS
from featurestore.errors import WarehouseError


def names(store):
    return set(store.frame("select table_name from information_schema.tables where table_schema = 'main'").to_series())


@pytest.mark.parametrize(
    "query",
    [
        "select count(*) as n from condition",
        'select count(*) as n from "CONDITION"',
        "select count(*) as n from query_table('condition')",
        "select count(*) as n from query_table('con' || 'dition')",
        "select count(*) as n from memory.main.condition",
        "with c as (from condition) select count(*) as n from c",
    ],
)
def test_view__is_there_however_it_is_named(world, query):
    with fs.open(world) as store, fs.open(world) as whole:
        assert store.frame(query).equals(whole.connection.sql("select count(*) as n from condition").pl())


def test_views__are_all_there_for_a_statement_that_lists_them(world):
    with fs.open(world) as store:
        assert names(store) == set(VIEWS)
    with fs.open(world) as store:
        assert store.frame("select name from (show tables)").height == len(VIEWS)
    with fs.open(world) as store, store.cursor() as cursor:
        assert {row[0] for row in cursor.execute("show tables").fetchall()} == set(VIEWS)


def test_table__that_is_missing_is_named_by_the_question_that_needs_it(world, tmp_path):
    root = shutil.copytree(world, tmp_path / "warehouse", copy_function=os.link)
    (table,) = root.glob("releases/dataset_id=lincs_demo/release_id=*/mapping.parquet")
    table.unlink()
    with fs.open(root) as store:
        assert store.frame("select count(*) from condition").item() > 0
        for _ in range(2):
            with pytest.raises(WarehouseError, match="A table cannot be read") as caught:
                store.frame("select * from mapping")
            assert caught.value.where == str(table)
