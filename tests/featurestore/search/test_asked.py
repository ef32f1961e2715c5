"""The command, the SQL table ``similar``, and all signatures against each other."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from featurestore.commands.search import SCORES as CHOICES
from featurestore.commands.search import search as command
from featurestore.errors import QueryError
from featurestore.features.effects.similarity import encoded, similarities
from featurestore.search import SCORES, signatures_of
from featurestore.search.correlation import correlate
from featurestore.store import Store

KEY = "target:G3/A/crispri"


@pytest.fixture
def store(two_datasets):
    with Store(two_datasets.path) as store:
        yield store


def run(store, *words):
    return CliRunner().invoke(command, [*words, "--format", "json"], obj=store.path)


def test_command__answers_as_python_does(store, tmp_path):
    assert CHOICES == SCORES
    answer = run(store, "--condition", KEY, "--score", "pearson", "--top", "4", "--opposite")
    expected = store.search(condition=KEY, score="pearson", top=4, opposite=True)
    rows = json.loads(answer.stdout)
    assert [row["condition_id"] for row in rows] == expected["condition_id"].to_list()
    assert [row["score"] for row in rows] == pytest.approx(expected["score"].to_list())
    assert {"dataset_id", "p_value", "q_value", "n_genes", "is_responder", "dose_um", "time_h"} <= set(rows[0])
    with pytest.raises(QueryError, match="named twice"):
        store.search("G3", perturbation="G3")
    lists = run(store, "--up", "S001,S002,S003,S010,S011", "--down", "S004,S005,S006,S020,S021,NIL", "--score", "wtcs")
    assert "1 are not known or could be several: NIL" in lists.stderr
    assert json.loads(lists.stdout)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Search for one of"),
        (["--condition", KEY, "--up", "S001"], "Search for one of"),
        (["--all"], "--all needs -o"),
        (["--all", "--score", "tau", "-o", "x.parquet"], "cosine or pearson"),
    ],
)
def test_command__says_how_it_is_used(store, words, said):
    answer = run(store, *words)
    assert answer.exit_code == 2
    assert said in answer.output


def test_all__is_symmetric_and_what_pairs_are(store, tmp_path):
    path = tmp_path / "matrix.parquet"
    answer = run(store, "--all", "--where", "n_cells > 0", "-o", str(path))
    assert answer.exit_code == 0, answer.output
    frame = pl.read_parquet(path)
    values = frame.drop("dataset_id", "condition_id").to_numpy()
    assert frame.columns[2:] == (frame["dataset_id"] + ":" + frame["condition_id"]).to_list()
    np.testing.assert_allclose(values, values.T, atol=1e-6)
    np.testing.assert_allclose(np.diag(values), 1, atol=1e-6)
    pairs = store.search(condition=KEY, top=0)
    for key, score in pairs.select(pl.col("dataset_id") + ":" + pl.col("condition_id"), "score").iter_rows():
        assert values[frame.columns.index(KEY) - 2, frame.columns.index(key) - 2] == pytest.approx(score, abs=1e-6)
    nobody = run(store, "--all", "-o", str(path))
    assert isinstance(nobody.exception, QueryError), "no condition is a responder here"


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3])
@pytest.mark.parametrize("kind", ["cosine", "pearson"])
def test_similarities__are_those_of_every_pair(share, kind):
    """A row of few genes among whole ones, too: what the others have besides is left out of their norms."""
    rng = np.random.default_rng(4)
    rows = rng.normal(size=(30, 500)) + 0.2
    rows[rng.random(rows.shape) < share] = np.nan
    if share == 0.01:
        rows[3, 9:], rows[7, 30:], rows[7, :30] = np.nan, np.nan, 1e-3 * rows[7, :30]
    found = similarities(encoded(rows[:12]), encoded(rows), kind)
    for row, line in zip(rows[:12], found, strict=True):
        np.testing.assert_allclose(line, correlate(encoded(rows), encoded(row), kind)[0], atol=2e-6)


def test_similar__is_a_table_in_sql(store):
    expected = store.search(condition=KEY, top=0)
    found = store.frame("select * from similar('target', 'G3/A/crispri')")
    assert found.equals(expected)
    best = store.sql(
        "select s.perturbation, c.n_cells from similar($dataset, 'G3/A/crispri') as s "
        "join condition as c using (dataset_id, condition_id) order by s.score desc limit 1",
        {"dataset": "target"},
    ).fetchall()
    assert best == [(expected["perturbation"][0], 100)]
    assert store.frame("select * from similar('target', 'g3')").equals(expected)
    everywhere = store.search("G3", top=0)
    assert store.frame("select * from similar('G3')").equals(everywhere)
    for query, said in (
        ("select * from similar('target')", "There is no perturbation 'target'"),
        ("select * from similar('target', 'G3', 'A')", "dataset and a condition"),
        ("select * from similar(upper('target'), 'G3')", "dataset and a condition"),
        ("select * from similar('target', 'G33')", "There is no condition 'G33'"),
        ("select * from similar('external', 'G5')", "2 conditions of 'G5'"),
        ("select * from similar('tarket', 'G3')", "did you mean 'target'"),
        ("create table x as select * from similar('a', 'b')", "read-only"),
    ):
        with pytest.raises(Exception, match=said):
            store.frame(query)


def test_signatures__are_read_once(store):
    assert signatures_of(store) is signatures_of(store)
