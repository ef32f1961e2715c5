"""Gene sets that are brought to the browser, against the same in Python."""

from __future__ import annotations

import html
import io
import re

import polars as pl
import pytest

from featurestore.store import Store
from featurestore.ui.gene_sets import MOST_BYTES

OURS = {"sec-fetch-site": "same-origin"}


@pytest.fixture(scope="module")
def screen(world):
    """A condition that responds, its perturbation, and sets of its highest, lowest and middle genes."""
    with Store(world) as store:
        row = store.frame(
            "select perturbation_id, perturbation, dataset_id, condition_id from condition "
            "join quality using (dataset_id, condition_id) "
            "where is_responder and dataset_id = 'replogle_demo_k562' order by n_significant desc, condition_id limit 1"
        ).row(0, named=True)
        genes = store.signature(row["perturbation"], dataset_id=row["dataset_id"]).drop_nulls(["z", "gene"])
        genes = genes.filter(pl.col("gene") != row["perturbation"]).sort("z", descending=True)["gene"].to_list()
        sets = {
            "high": genes[:12],
            "low": [*genes[-15:], "NOSUCHGENE"],
            "middle": genes[len(genes) // 2 - 10 : len(genes) // 2 + 10],
            "few": genes[:3],
        }
        yield store, row, sets


def gmt(sets) -> str:
    return "\n".join("\t".join([name, "of a test", *genes]) for name, genes in sets.items())


def bring(client, row, sets, how="ranks"):
    key = f"{row['dataset_id']}:{row['condition_id']}"
    form = {"id": row["perturbation_id"], "a": key, "how": how, "sets": gmt(sets)}
    answer = client.post("/enrichment", data=form, headers=OURS, follow_redirects=False)
    assert answer.status_code == 303
    return answer.headers["location"]


def part(client, address: str, name: str) -> pl.DataFrame:
    answer = client.get(address.replace("/enrichment", f"/enrichment/{name}.parquet"))
    assert answer.status_code == 200, answer.text
    return pl.read_parquet(io.BytesIO(answer.content))


@pytest.mark.parametrize("how", ["ranks", "changed"])
def test_sets_that_are_brought__are_tested_as_python_does(client, screen, how):
    store, row, sets = screen
    address = bring(client, row, sets, how)
    expected = store.enrich(
        row["perturbation"], sets, how=how, dataset_id=row["dataset_id"], condition_id=row["condition_id"]
    )
    assert part(client, address, "tested").equals(expected.table)
    text = client.get(address).text
    assert "3 sets; 1 set of other sizes left out" in text
    assert "Not known, or not one gene: NOSUCHGENE." in text
    bars = client.get(address.replace("/enrichment", "/enrichment/bars.json")).json()["datasets"]["points"]
    assert {each["gene_set"] for each in bars} == {"high", "low", "middle"}
    if how == "ranks":
        values = {each["gene_set"]: each["value"] for each in bars}
        assert values["high"] > 0 > values["low"]


def test_running_sum__is_farthest_from_0_at_the_score_of_the_set(client, screen):
    _, row, sets = screen
    address = bring(client, row, sets)
    scores = dict(part(client, address, "tested").select("gene_set", "es").iter_rows())
    for name in ("high", "low", "middle"):
        curve = part(client, f"{address}&set={name}", "sum")
        assert max(curve["sum"], key=abs) == pytest.approx(scores[name], abs=1e-9)
        assert curve["set"].unique().to_list() == [name]
    picture = client.get(f"{address}&set=low".replace("/enrichment", "/enrichment/sum.svg")).text
    assert " of low" in picture
    assert row["dataset_id"] in picture


def test_perturbation__is_named_in_words_and_leads_here(client, screen):
    _, row, _ = screen
    text = client.get("/enrichment", params={"perturbation": row["perturbation"].lower()}).text
    assert f'name="id" value="{row["perturbation_id"]}"' in text
    text = client.get("/perturbation", params={"id": row["perturbation_id"]}).text
    link = html.unescape(re.search(r'href="(/enrichment[^"]+)"', text)[1])
    assert client.get(link).status_code == 200
    assert "Nothing is called" in client.get("/enrichment?perturbation=no+such+thing").text


def test_sets__that_cannot_be_used_are_refused_in_words(client, screen):
    _, row, sets = screen
    address = bring(client, row, sets)
    assert "no longer kept" in client.get(f"{address}0").text
    assert "There is no way" in client.get(address.replace("how=ranks", "how=magic")).text
    assert "No gene set is of a size" in client.get(bring(client, row, {"few": sets["few"]})).text
    for text, said in (
        ("", "There is no gene set"),
        ("no tabs", "There is no gene set"),
        ("A\t\tX\nA\t\tY", "one name"),
    ):
        answer = client.post("/enrichment", data={"sets": text}, headers=OURS)
        assert answer.status_code == 400
        assert said in answer.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "none"}, 403),
        ({}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://127.0.0.1"}, 400),
        (OURS | {"content-length": str(MOST_BYTES + 1)}, 413),
        (OURS | {"host": "evil.example"}, 400),
    ],
)
def test_sets__of_another_site_or_without_end_are_refused(client, headers, status):
    answer = client.post("/enrichment", content=b"sets=", headers=headers)
    assert answer.status_code == status


def test_sets__are_forgotten_the_longest_unused_first(client, screen):
    _, row, sets = screen
    first = bring(client, row, sets)
    for i in range(8):
        bring(client, row, {f"other{i}": sets["middle"]})
    assert "no longer kept" in client.get(first).text
