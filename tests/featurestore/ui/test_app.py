"""Pages, tables and files of the small world, by the application itself."""

from __future__ import annotations

import contextlib
import io
import re

import numpy as np
import polars as pl
import pytest

from featurestore.query.warehouse import Warehouse
from featurestore.ui.apart import AT_ONCE
from featurestore.ui.questions import Shelf
from ingest.pipeline import ingest_dataset


def links(text: str, page: str) -> list[str]:
    return [link.replace("&amp;", "&") for link in re.findall(rf'href="(/{page}\?[^"]*)"', text)]


def test_catalogue__counts_each_dataset_as_the_warehouse_does(client, world):
    shown = pl.read_csv(client.get("/datasets.csv").content).sort("dataset_id")
    with Warehouse(world) as store:
        conditions = store.frame("select dataset_id, n_conditions, n_cells from dataset order by all")
        enough = store.frame(
            "select c.dataset_id, count(*) filter (c.n_cells >= d.min_cells or c.n_cells is null) as n "
            "from condition as c join dataset as d using (dataset_id) where not is_control group by all order by all"
        )
        responders = store.frame(
            "select dataset_id, count(*) filter (is_responder) n from quality group by all order by all"
        )
    assert shown.select("dataset_id", "n_conditions", "n_cells").rows() == conditions.rows()
    assert shown.select("dataset_id", "n_responders").rows() == responders.rows()
    page = client.get("/").text
    assert f"<strong>{enough['n'].sum()}</strong> effective data points: conditions of enough cells" in page
    assert f"{conditions['n_conditions'].sum()} in all" in page
    assert shown.select("dataset_id", "n_data_points").rows() == enough.rows()
    assert all(f"/dataset?id={name}" in page for name in conditions["dataset_id"])


def test_catalogue__gives_its_table_as_files_of_this_server(client):
    page = client.get("/?datasets_sort=n_cells").text
    files = re.findall(r'href="([^"?]*\.(?:csv|parquet))[^"]*"', page)
    assert files == ["/datasets.csv", "/datasets.parquet"]
    assert pl.read_csv(client.get(files[0]).content).height == 3


def test_catalogue__draws_what_is_here_by_dataset_kind_and_line(client, world):
    def points(name: str) -> list[dict]:
        return next(iter(client.get(f"/{name}.json").json()["datasets"].values()))

    with Warehouse(world) as store:
        kinds = store.frame(
            "select dataset_id, perturbation_kind, count(*) from condition where not is_control group by all"
        )
        contexts = store.frame(
            "select dataset_id, context_id, count(*) from condition where not is_control group by all"
        )
    assert {(each["group"], each["kind"], each["n"]) for each in points("kinds")} == set(kinds.iter_rows())
    assert {each["page"] for each in points("kinds")} == {f"/dataset?id={name}" for name in kinds["dataset_id"]}
    assert sorted(each["n"] for each in points("lines")) == sorted(contexts.to_series(2))
    assert {each["n"] for each in points("overlaps") if each["a"] == each["b"]} == {40}


def test_catalogue__asks_questions_whose_answers_are_there(client):
    page = client.get("/").text
    asked = re.search(r"Ask, for example</h2>(.*?)</ul>", page, re.DOTALL).group(1)
    for name in ("perturbation", "gene", "similar"):
        (address,) = links(asked, name)
        answer = client.get(address)
        assert answer.status_code == 200
        assert 'role="alert"' not in answer.text
    assert len(re.findall("<li>", asked)) == 3


def test_search__finds_a_gene_by_a_symbol_it_no_longer_has(client):
    page = client.get("/search", params={"q": "march8"}).text
    assert "MARCH8: previous name" in page
    assert "/gene?id=ENSG00000165406" in page


@pytest.mark.parametrize(
    ("words", "target"),
    [
        ("lincs", "/dataset?id=lincs_demo"),
        ("ENSG00000165406", "/gene?id=ENSG00000165406"),
        ("79102", "/gene?id="),
        ("a549", "/coverage?context=CVCL_0023"),
    ],
)
def test_search__finds_datasets_ids_and_contexts(client, words, target):
    assert target in client.get("/search", params={"q": words}).text


def test_search__that_finds_nothing_says_what_can_be_found(client):
    assert "every symbol they have had" in client.get("/search", params={"q": "no such thing"}).text


def test_dataset__says_how_many_conditions_have_enough_cells(client, world):
    with Warehouse(world) as store:
        n = store.frame(
            "select count(*), count(*) filter (n_cells >= 10) from condition "
            "where dataset_id = 'replogle_demo_k562' and not is_control"
        ).row(0)
    page = client.get("/dataset?id=replogle_demo_k562").text
    assert f"<strong>{n[0]} conditions, {n[1]} of 10 cells or more</strong>" in page


def test_dataset__pages_and_sorts_on_the_server_and_gives_every_row_as_a_file(client, world):
    address = "/dataset?id=lincs_demo"
    first = client.get(address).text
    assert "1 to 50 of 80" in first
    following = next(link for link in links(first, "dataset") if "conditions_page=2" in link)
    second = client.get(following).text
    assert "51 to 80 of 80" in second
    ordered = client.get(f"{address}&conditions_sort=perturbation_label").text
    rows = re.findall(r'<td><a href="/perturbation[^"]*">([^<]*)</a>', ordered)
    assert len(rows) == 50
    assert rows == sorted(rows)
    file = pl.read_parquet(io.BytesIO(client.get("/dataset/conditions.parquet?id=lincs_demo").content))
    assert file.height == 80
    assert {"condition_id", "perturbation_id"} <= set(file.columns)


def test_gene__shows_the_surest_responses_first(client, world):
    with Warehouse(world) as store:
        gene = store.frame("select gene_id from signature where z is not null order by abs(z) desc limit 1").item()
        expected = store.frame(
            "select s.z from signature s join condition c using (dataset_id, condition_id) "
            "where gene_id = ? and not is_control and s.effect_kind = 'delta_log1p' order by abs(z) desc nulls last",
            [gene],
        )
    shown = pl.read_csv(client.get(f"/gene/responses.csv?id={gene}").content)
    assert shown["z"].to_list() == pytest.approx(expected["z"].to_list(), nan_ok=True)


def test_gene__charts_the_rows_that_it_lists_and_one_kind_of_effect_at_a_time(client, world):
    with Warehouse(world) as store:
        gene = store.frame(
            "select gene_id from signature group by gene_id order by count(distinct effect_kind) desc, gene_id limit 1"
        ).item()
        kinds = (
            store.frame("select distinct effect_kind from signature where gene_id = ?", [gene]).to_series().to_list()
        )
    assert len(kinds) == 2
    for kind in kinds:
        values = {"id": gene, "effect": kind}
        listed = pl.read_csv(client.get("/gene/responses.csv", params=values).content)
        (ticks,) = client.get("/gene/strips.json", params=values).json()["datasets"].values()
        assert set(listed["effect_kind"]) == {kind}
        assert [tick["effect"] for tick in ticks] == pytest.approx(listed["effect"].to_list(), rel=1e-4)
        assert f"Conditions that move it most ({kind})" in client.get("/gene", params=values).text


@pytest.mark.parametrize(("typed", "label"), [("MARHC8", "MARCHF8"), ("lincs_dmeo", "lincs_demo"), ("K652", "K562")])
def test_search__of_a_name_with_a_typing_error_suggests_the_name(client, typed, label):
    page = client.get("/search", params={"q": typed}).text
    assert "Did you mean" in page
    assert label in re.findall(r'<li><a href="/[^"]*">([^<]*)</a>', page)


def test_table__shows_the_columns_that_are_looked_at_first_and_all_when_asked(client):
    page = client.get("/dataset?id=replogle_demo_k562").text
    shown = page.partition('id="conditions"')[2].partition("</section>")[0]
    assert "effect norm" not in shown
    (address,) = re.findall(r'class="other" href="([^"]*)"', shown)
    whole = client.get(address.replace("&amp;", "&")).text.partition('id="conditions"')[2].partition("</section>")[0]
    assert "effect norm" in whole
    assert "fewer columns" in whole


def test_dataset__of_wells_says_wells_and_why_it_has_no_null(client):
    page = client.get("/dataset?id=lincs_demo").text
    assert "Agreement of replicate wells: upper quartile of Spearman" in page
    assert "halves of the cells" not in page
    assert "There is no QQ plot where nothing happened" in page


def test_dataset__draws_effects_against_cells(client, world):
    (points,) = client.get("/dataset/effect_by_cells.json?id=replogle_demo_k562").json()["datasets"].values()
    with Warehouse(world) as store:
        expected = store.frame(
            "select c.n_cells, q.effect_norm::double from condition as c "
            "join quality as q using (dataset_id, condition_id) "
            "where dataset_id = 'replogle_demo_k562' and not is_control and c.n_cells > 0 and q.effect_norm > 0"
        )
    drawn = np.array(sorted((point["cells"], point["norm"]) for point in points))
    np.testing.assert_allclose(drawn, sorted(expected.iter_rows()), rtol=1e-4)


def test_sql__answers_a_statement_page_by_page(client):
    page = client.get("/sql", params={"query": "select i from range(120) t(i)"}).text
    assert "1 to 50 of 120" in page
    assert "51 to 100 of 120" in client.get(next(link for link in links(page, "sql") if "result_page=2" in link)).text


@pytest.mark.parametrize(
    "query",
    [
        "select * from read_csv('/etc/passwd')",
        "create table t (i int)",
        "copy dataset to '/tmp/x.csv'",
        "select 1; select 2",
        "select nothing from dataset",
    ],
)
def test_sql__refuses_on_the_page_and_as_a_file(client, query):
    page = client.get("/sql", params={"query": query})
    assert 'role="alert"' in page.text
    assert "Result</h2>" not in page.text
    assert client.get("/sql/result.csv", params={"query": query}).status_code == 400


def test_sql__endless_results_are_cut(client):
    page = client.get("/sql", params={"query": "select i from range(10000000000) t(i)"}).text
    assert "Only the first 100,000 rows" in page


def test_sql__that_needs_too_much_memory_is_said_in_a_sentence(world):
    from starlette.testclient import TestClient

    from featurestore.ui.app import application

    small = TestClient(application(Shelf(world, memory="60MB")), base_url="http://127.0.0.1")
    page = small.get("/sql", params={"query": "select list(i) from range(100000000) t(i)"}).text
    assert "The query needs more memory than it may take." in page
    assert "--memory" in page


def test_sql__is_answered_for_a_few_at_a_time(shelf, client):
    with contextlib.ExitStack() as stack:
        for _ in range(AT_ONCE):
            assert shelf.apart._free.acquire(blocking=False)
            stack.callback(shelf.apart._free.release)
        page = client.get("/sql", params={"query": "select 1"}).text
        assert "Other queries are being answered." in page
        assert client.get("/").status_code == 200
    assert "1 to 1 of 1" in client.get("/sql", params={"query": "select 1"}).text


def test_sql__of_large_results_is_refused(client):
    page = client.get("/sql", params={"query": "select repeat('x', 1000) from range(100000)"}).text
    assert "The result is larger than the memory it may take." in page


def test_names_are_text_never_markup(client):
    page = client.get("/search", params={"q": "<script>alert(1)</script>"}).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


@pytest.mark.parametrize("address", ["/nothing", "/dataset/nothing.csv?id=lincs_demo", "/static/../app.py"])
def test_unknown_addresses_lead_somewhere(client, address):
    answer = client.get(address)
    assert answer.status_code == 404
    assert 'href="/"' in answer.text


def test_unknown_dataset_is_said_in_a_sentence(client):
    answer = client.get("/dataset?id=nothing")
    assert answer.status_code == 400
    assert "There is no such dataset in this snapshot." in answer.text


def test_empty_warehouse_says_how_to_fill_it(tmp_path):
    from starlette.testclient import TestClient

    from featurestore.ui.app import application

    empty = TestClient(application(Shelf(tmp_path)), base_url="http://127.0.0.1")
    assert "featurestore ingest" in empty.get("/").text
    assert "Nothing is called" in empty.get("/search?q=tp53").text


def test_pages_follow_the_latest_snapshot(world_files, tmp_path):
    from starlette.testclient import TestClient

    from featurestore.ui.app import application

    client = TestClient(application(Shelf(tmp_path)), base_url="http://127.0.0.1")
    assert "lincs_demo" not in client.get("/").text
    ingest_dataset(world_files / "lincs_demo.toml", tmp_path)
    assert "lincs_demo" in client.get("/").text


def test_ui__without_its_packages_says_how_to_install_them(world, monkeypatch):
    from click.testing import CliRunner

    from featurestore.cli import featurestore
    from featurestore.commands import ui

    monkeypatch.setattr(ui, "find_spec", lambda name: None if name in ("altair", "uvicorn") else name)
    error = CliRunner().invoke(featurestore, ["--warehouse", str(world), "ui", "--no-browser"]).exception
    assert "The pages need packages that are not installed." in str(error)
    assert "missing: altair, uvicorn" in str(error)
    assert 'pip install "perturbation-featurestore[ui]"' in str(error)


def test_sql__shows_results_of_any_type_and_gives_them_as_files(client):
    values = {
        "query": r"select interval 3 day as a, 7 as a, '\xFF'::blob as b, {'x': 'nan'::double} as c, "
        "map {[1]: 2} as d, [[1, 2], [3]] as e, [1, 2]::int[2] as f, union_value(num := 2) as g, "
        "'101'::bit as h, null as i",
        "result_sort": "d",
    }
    page = client.get("/sql", params=values).text
    row = re.findall("<td[^>]*>(.*?)</td>", page)
    assert row[:2] == ["3 days", "7"]
    assert row[-3:] == ["2", "101", "\N{EN DASH}"]
    text = client.get("/sql/result.csv", params=values).text
    assert text == 'a,a_1,b,c,d,e,f,g,h,i\n3 days,7,ff,"{""x"": null}",{[1]=2},"[[1, 2], [3]]",1|2,2,101,\n'
    file = pl.read_parquet(io.BytesIO(client.get("/sql/result.parquet", params=values).content))
    assert file.shape == (1, 10)


def test_sql__shows_known_column_names_with_values_of_other_types(client):
    query = "select 'much' as mapped_share, ['gene'] as entity, 'a' as label, 1 as id"
    row = re.findall("<td[^>]*>(.*?)</td>", client.get("/sql", params={"query": query}).text)
    assert row == ["much", "gene", "a", "1"]


def test_sql__says_what_is_wrong_with_a_date_beyond_the_calendar(client):
    page = client.get("/sql", params={"query": "select 'infinity'::timestamp as age"})
    assert page.status_code == 200
    assert "holds a date or time beyond the calendar" in page.text
