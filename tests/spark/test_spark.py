"""Spark with two executors in processes of their own answers as DuckDB does; run by ``make test-spark``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("pyspark", reason="part of make test-spark")

import pyspark
from pyspark.sql import SparkSession

from featurestore.contract import VIEWS
from featurestore.errors import QueryError
from featurestore.query.spark import register, sql, translate
from featurestore.query.sqlfiles import sql_files
from featurestore.query.warehouse import Warehouse

EXECUTORS = 2
QUICK = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
"""Of a Java that lives for a minute, the larger part would be its own compiler's."""


@pytest.fixture(scope="module")
def session():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_HOME", str(Path(pyspark.__file__).parent))
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        builder = SparkSession.builder.master(f"local-cluster[{EXECUTORS},1,1024]").appName("featurestore")
        for name, value in {
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.sql.shuffle.partitions": "2",
            "spark.scheduler.minRegisteredResourcesRatio": "1.0",
            "spark.scheduler.maxRegisteredResourcesWaitingTime": "300s",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.extraJavaOptions": QUICK,
            "spark.executor.extraJavaOptions": QUICK,
        }.items():
            builder = builder.config(name, value)
        session = builder.getOrCreate()
        yield session
        session.stop()


@pytest.fixture(scope="module")
def store(session, world):
    with Warehouse(world) as store:
        register(session, store)
        yield store


def compare(query, session, store):
    """Compare every row in order, names and all; numbers to 1e-9 of themselves."""
    expected, got = store.frame(query), sql(session, query)
    assert got.columns == expected.columns
    rows = got.collect()
    assert len(rows) == expected.height > 0
    for ours, theirs in zip(expected.rows(), rows, strict=True):
        close = [pytest.approx(value, rel=1e-9, abs=0) if isinstance(value, float) else value for value in ours]
        assert list(theirs) == close


@pytest.mark.parametrize("name", sql_files("examples"))
def test_examples__have_the_same_answers(name, session, store):
    compare(sql_files("examples")[name], session, store)


@pytest.mark.parametrize("view", VIEWS)
def test_views__hold_the_same(view, session, store):
    columns = VIEWS[view].columns
    numbers = [name for name in ("effect", "count", "sum_log1p", "n_cells", "effect_norm", "value") if name in columns]
    asked = ", ".join(["count(*) as n", *(f"sum({name}::double) as {name}" for name in numbers)])
    assert sql(session, f"select * from {view} limit 0").columns == list(columns)
    query = f"select {asked} from {view}"
    (ours,), (theirs,) = store.frame(query).rows(), sql(session, query).collect()
    assert [None if x is None else pytest.approx(x, rel=1e-9) for x in ours] == list(theirs)


@pytest.mark.parametrize(
    "query",
    [
        # the window is over the column, not over what is shown under its name
        """select gene_id, -count as count from statistics as s where s.count > 0
        qualify row_number() over (partition by dataset_id order by s.count desc, gene_id, condition_id) <= 3
        order by s.count desc, gene_id, condition_id""",
        # what is chosen is limited, not what is limited chosen
        """select dataset_id, condition_id from quality
        qualify row_number() over (partition by dataset_id order by effect_norm desc, condition_id) = 5
        order by dataset_id desc limit 1""",
        """select distinct dataset_id from quality
        qualify row_number() over (partition by dataset_id order by effect_norm desc, condition_id) <= 2
        order by all""",
        "select * from context qualify row_number() over (order by context_id) <= 2 order by 1 desc",
    ],
)
def test_qualify__chooses_the_same(query, session, store):
    compare(query, session, store)


def test_work__is_done_by_executors_in_processes_of_their_own(session, store):
    found = session.sparkContext.parallelize(range(8), 8).map(lambda _: os.getppid()).distinct().collect()
    assert session.sparkContext.master.startswith("local-cluster")
    assert os.getpid() not in found
    assert len(found) == EXECUTORS


def test_an_empty_snapshot__has_every_view(session, tmp_path):
    (tmp_path / "warehouse").mkdir()
    with Warehouse(tmp_path / "warehouse") as empty:
        other = session.newSession()
        register(other, empty)
        for view in VIEWS:
            assert sql(other, f"select * from {view}").collect() == []


@pytest.mark.parametrize(
    "query", ["select from where", "select a, b from condition union by name select b, a from quality"]
)
def test_translate__refuses_what_it_cannot_say(query):
    with pytest.raises(QueryError):
        translate(query)
