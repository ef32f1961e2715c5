"""The page of similar signatures, against the search of Python."""

from __future__ import annotations

import io

import numpy as np
import polars as pl
import pytest

from featurestore.search import both_ends, search, set_query, signatures_of
from featurestore.search.enrichment import set_enrichment
from featurestore.store import Store


@pytest.fixture(scope="module")
def store(world):
    with Store(world) as store:
        yield store


@pytest.fixture(scope="module")
def condition(store):
    """A condition that responds, as addresses name it."""
    return store.frame(
        "select dataset_id || ':' || condition_id from condition join quality using (dataset_id, condition_id) "
        "where is_responder and dataset_id = 'replogle_demo_k562' order by all limit 1"
    ).item()


def rows(client, part: str, **values: str) -> pl.DataFrame:
    answer = client.get(f"/similar/{part}.parquet", params=values)
    assert answer.status_code == 200, answer.text
    return pl.read_parquet(io.BytesIO(answer.content))


def test_lists__are_those_of_the_search(client, store, condition):
    found = search(store, condition=condition, top=0).select("dataset_id", "condition_id", "score")
    mimic, reverse = (rows(client, part, condition=condition) for part in ("mimic", "reverse"))
    assert mimic.select(found.columns).equals(found.head(200).filter(pl.col("score") > 0))
    assert reverse["score"].max() < 0
    assert reverse["score"].to_list() == sorted(found.filter(pl.col("score") < 0)["score"])[:200]


def test_lists__are_narrowed_by_kind_and_dataset(client, condition):
    found = rows(client, "mimic", condition=condition, dataset="lincs_demo", kind="crispr_knockout")
    assert set(found["dataset_id"]) == {"lincs_demo"}
    assert set(found["perturbation_kind"]) == {"crispr_knockout"}


def test_page__leads_to_the_perturbations_that_it_lists(client, condition):
    text = client.get("/similar", params={"condition": condition}).text
    mimic = rows(client, "mimic", condition=condition)
    assert f"/perturbation?id={mimic['perturbation_id'][0]}" in text
    assert f"Searched for <strong>{condition}</strong>" in text


def test_enrichment__peaks_at_the_score_of_the_set(client, store):
    block = next(block for block in signatures_of(store).blocks if block.dataset_id == "lincs_demo")
    names = block.genes[:30].tolist()
    query = set_query(store, names, None)
    hit = f"lincs_demo:{block.conditions['condition_id'][0]}"
    sums = rows(client, "enrichment", up=" ".join(names), hit=hit)["sum"].to_numpy()
    peak = sums[np.abs(sums).argmax()]
    assert peak == pytest.approx(set_enrichment(block.rows[:1], block.ranks[:1], query.members(block)[0])[0], abs=1e-6)
    svg = client.get("/similar/enrichment.svg", params={"up": " ".join(names), "hit": hit})
    assert svg.text.startswith("<svg")


def test_genes__are_never_the_name_of_a_file(client, tmp_path):
    path = tmp_path / "genes.txt"
    path.write_text("TP53\n")
    text = client.get("/similar", params={"up": str(path)}).text
    assert "None of the genes is known" in text


def test_scatter__is_of_what_is_compared(client, store, condition):
    """Its cosine over the genes that both have is the score of the list."""
    mimic = rows(client, "mimic", condition=condition)
    hit = mimic.select(pl.format("{}:{}", "dataset_id", "condition_id")).item(0, 0)
    both = rows(client, "scatter", condition=condition, hit=hit)
    x, y = both["query"].to_numpy().astype(float), both["hit"].to_numpy().astype(float)
    assert both.height == mimic["n_genes"][0]
    assert x @ y / np.sqrt((x @ x) * (y @ y)) == pytest.approx(mimic["score"][0], abs=1e-6)
    svg = client.get("/similar/scatter.svg", params={"condition": condition, "hit": hit})
    assert svg.text.startswith("<svg")


def test_perturbation__has_the_lists_of_its_signature_narrowed_as_asked(client, store, condition):
    dataset_id, condition_id = condition.split(":", 1)
    identity = store.frame(
        "select perturbation_id from condition where dataset_id = ? and condition_id = ?", [dataset_id, condition_id]
    ).item()
    values = {"id": identity, "a": condition, "context": "A549", "alike": "yes"}
    text = client.get("/perturbation", params=values).text
    assert "Mimic: these have the same effect" in text
    answer = client.get("/perturbation/reverse.parquet", params=values)
    found = pl.read_parquet(io.BytesIO(answer.content))
    expected = search(store, condition=condition, where="context_label = 'A549'", opposite=True, top=0)
    assert set(found["context_label"]) == {"A549"}
    assert found["score"].to_list() == expected.filter(pl.col("score") < 0)["score"].head(200).to_list()


def test_perturbation__asks_before_everything_is_read(client, store, condition, monkeypatch):
    monkeypatch.setattr("featurestore.ui.pages.perturbation.is_at_hand", lambda _: False)
    identity = store.frame("select perturbation_id from condition where not is_control limit 1").item()
    text = client.get("/perturbation", params={"id": identity}).text
    assert "keeps an index of its signatures" in text
    assert "alike=yes" in text
    assert "Mimic" not in text


def test_page__compares_once(client, condition, monkeypatch):
    calls = []
    monkeypatch.setattr(
        "featurestore.ui.alike.both_ends", lambda *given, **more: calls.append(1) or both_ends(*given, **more)
    )
    assert client.get("/similar", params={"condition": condition}).status_code == 200
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"perturbation": "no such thing"}, "There is no perturbation"),
        ({"condition": "lincs_demo:nothing"}, "There is no condition"),
        ({"perturbation": "x", "kind": "magic"}, "There is no"),
        ({}, "Which perturbations have the same effect"),
    ],
)
def test_page__says_what_is_wrong_on_the_page(client, values, said):
    answer = client.get("/similar", params=values)
    assert answer.status_code == 200
    assert said in answer.text


def test_sql__may_ask_similar_in_the_browser_too(client, store):
    name = store.perturbations()["perturbation"][0]
    query = f"select dataset_id, condition_id, score from similar('{name}')"
    answer = client.get("/sql/result.parquet", params={"query": query})
    assert answer.status_code == 200, answer.text
    found = pl.read_parquet(io.BytesIO(answer.content))
    assert found.height > 0
    assert found.equals(store.frame(query))
