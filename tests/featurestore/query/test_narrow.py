"""A question about some datasets is planned over their files, and answered as one over all of them."""

import json

import duckdb
import pytest

import featurestore as fs
from featurestore.query import narrow
from featurestore.query.confine import check_select
from featurestore.query.pinned import pinned_datasets
from featurestore.storage.snapshot import EMPTY

A, B = "replogle_demo_k562", "replogle_demo_rpe1"
NARROWED = {
    "select count(*) from signature where dataset_id = $a": {A},
    "select count(*) from Signature s where 'replogle_demo_k562' = s.Dataset_Id and z > 1": {A},
    "from condition select dataset_id, count(*) where dataset_id in ($a, $b) group by all": {A, B},
    "select count(*) from condition join quality using (dataset_id, condition_id) where dataset_id = $a": {A},
    "select count(*) from condition left join quality using (dataset_id, condition_id) where dataset_id = $a": {A},
    "select count(*) from condition c left join quality q on (q.dataset_id, q.condition_id) = (c.dataset_id, "
    "c.condition_id) where c.dataset_id = $a": {A},
    "select count(q.tas), count(*) from quality q join condition c on c.dataset_id = q.dataset_id and c.condition_id = "
    "q.condition_id join gene on gene_id = target_gene_ids[1] where c.dataset_id = $a": {A},
    "select count(*) from condition a join condition b on a.target_gene_ids = b.target_gene_ids "
    "where a.dataset_id = $a and b.dataset_id = $b": {A, B},
    "select count(*) from condition a, condition b where a.dataset_id = $a and b.dataset_id = $b": {A, B},
    "with strong as (select condition_id from quality where dataset_id = $a and is_responder) "
    "select count(*) from strong join condition using (condition_id) where dataset_id = $b": {A, B},
    "select condition_id from condition where dataset_id = $a union select condition_id from quality "
    "where dataset_id = $b": {A, B},
    "select (select count(*) from quality where dataset_id = $a), count(*) from condition where dataset_id = $b": {
        A,
        B,
    },
    "select count(*) from condition c, unnest(target_gene_ids) as t(g) where c.dataset_id = $a": {A},
    "select count(*) from condition where dataset_id = $a and dataset_id = $b": {A},
}
WHOLE = [
    "select count(*) from condition",
    "select count(*) from gene",
    "select count(*) from condition where dataset_id = $a or n_cells > 100",
    "select count(*) from condition where not dataset_id = $a",
    "select count(*) from condition where dataset_id <> $a",
    "select count(*) from condition where dataset_id not in ($a, $b)",
    "select count(*) from condition where dataset_id in (select dataset_id from dataset where dataset_id = $a)",
    "select count(*) from condition where dataset_id = $a || ''",
    "select count(*) from condition where dataset_id = 'REPLOGLE_DEMO_K562' collate nocase",
    "select count(*) from condition as c(dataset_id, other) where dataset_id = $a or other = $a",
    "select count(*) from condition as c(other, dataset_id) where dataset_id = 'ITPR3/K562'",
    "select count(*) from condition a, condition b where a.dataset_id = $a",
    "select count(*) from condition a join condition b on a.n_cells = b.n_cells where a.dataset_id = $a",
    "select count(*) from condition a left join condition b on a.n_cells = b.n_cells and b.dataset_id = $a",
    "select count(*) from condition a right join quality q using (dataset_id, condition_id) where q.dataset_id = $a",
    "select count(*) from condition a full join quality q using (dataset_id, condition_id) where dataset_id = $a",
    "select count(*) from condition c left join quality q on c.dataset_id = q.dataset_id where q.dataset_id = $a",
    "select count(*) from condition a natural join quality q where dataset_id = $a",
    "select count(*) from (select * from condition) where dataset_id = $a",
    "with condition as (select * from quality) select count(*) from condition where dataset_id = $a",
    "with everything as (select * from condition) select count(*) from everything where dataset_id = $a",
    "from condition c where dataset_id = $a and exists (from quality q where q.condition_id = c.condition_id)",
    "select count(*) from condition where dataset_id = $a union all select count(*) from quality",
    "select count(*) from release.condition where dataset_id = $a",
    "select count(*) from memory.main.condition where dataset_id = $a",
    "select count(*) >= 0 from (select * from condition where dataset_id = $a using sample 3)",
    "select count(*) from duckdb_views() where not internal and view_name = $a",
    "select count(*) from condition where dataset_id = 'no_such_dataset'",
]


def parameters_of(query):
    return {name: value for name, value in (("a", A), ("b", B)) if f"${name}" in query}


@pytest.fixture(scope="module")
def stores(world):
    """The same warehouse: one that plans few datasets alone, however few there are, and one that never does."""
    with pytest.MonkeyPatch.context() as patch, fs.open(world) as few, fs.open(world) as whole:
        patch.setattr(narrow, "LEAST_DATASETS", 1)
        patch.setattr(whole, "_narrow", narrow.NarrowCatalogs(whole.connection, whole.path, EMPTY, "", whole._views))
        yield few, whole


@pytest.mark.parametrize("query", [*NARROWED, *WHOLE])
def test_narrow__answers_as_over_all_datasets(stores, query):
    few, whole = stores
    parameters = parameters_of(query)
    rows = sorted(few.frame(query, parameters).rows())
    assert rows == sorted(whole.frame(query, parameters).rows())
    assert rows == sorted(few.sql(query, parameters).fetchall())


@pytest.mark.parametrize("query", [*NARROWED, *WHOLE[:-1]])
def test_pinned__finds_the_datasets_of_a_query_or_nothing(stores, query):
    found = pinned_datasets(check_select(stores[0].connection, query), parameters_of(query))
    assert found == NARROWED.get(query)


def test_pinned__knows_constants_and_numbered_parameters(stores):
    query = "select * from condition where dataset_id in (?, 'b')"
    tree = check_select(stores[0].connection, query)
    assert pinned_datasets(tree, ["a"]) == {"a", "b"}
    assert pinned_datasets(tree, [1]) is None
    assert pinned_datasets(tree, []) is None


def test_narrow__plans_the_files_of_the_dataset_alone(stores):
    few, whole = stores
    query = f"explain (format json) select count(*) from signature where dataset_id = '{A}'"
    files = []
    for store, datasets in ((few, [A]), (whole, None)):
        with store.cursor(datasets) as cursor:
            ((_, text),) = cursor.sql(query).fetchall()
        steps = [json.loads(text)] if text.startswith("{") else json.loads(text)
        listed = []
        while steps:
            step = steps.pop()
            steps += step["children"]
            listed += [step["extra_info"]["Scanning Files"]] if "Scanning Files" in step["extra_info"] else []
        assert {text.partition("/")[0] for text in listed} <= {"1"}, "all that is read is of one dataset"
        files.append({text.partition("/")[2] for text in listed})
    assert "3" in files[1]
    assert files[0] <= {"1"}


def test_narrow__hides_its_catalogs(stores):
    few, whole = stores
    few.frame("select count(*) from signature where dataset_id = $a", {"a": A})
    query = "select table_catalog, table_name from information_schema.tables order by all"
    assert few.frame(query).equals(whole.frame(query))


def test_narrow__asks_all_datasets_where_a_catalog_cannot_be_made(world, monkeypatch):
    def failing(*arguments):
        raise duckdb.IOException("a file is gone")

    monkeypatch.setattr(narrow, "LEAST_DATASETS", 1)
    monkeypatch.setattr(narrow, "attach_views_of_few", failing)
    with fs.open(world) as store:
        for _ in range(2):
            assert store.frame("select dataset_id from dataset where dataset_id = $a", {"a": A}).rows() == [(A,)]
