"""Who may ask, what is refused, and what a page may load."""

from __future__ import annotations

import shutil
import socket
import threading
import time

import polars as pl
import pytest

pytest.importorskip("starlette")

import uvicorn
from starlette.testclient import TestClient

from featurestore.storage.snapshot import SNAPSHOTS, newest_number, snapshot_path
from featurestore.ui import server
from featurestore.ui.app import application
from featurestore.ui.questions import Questions, Shelf


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8642", "127.0.0.1.evil.example", "", "[::1", "0.0.0.0"])
def test_other_host_names_are_refused(client, host):
    answer = client.get("/", headers={"host": host})
    assert answer.status_code == 400
    assert "featurestore" not in answer.text


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8642", "localhost:8642", "[::1]:8642"])
def test_names_of_this_machine_are_answered(client, host):
    assert client.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("address", ["/", "/sql?query=select+1", "/static/app.js", "/nothing"])
def test_nothing_but_reading(client, method, address):
    assert client.request(method, address).status_code == 405


def test_other_sites_may_link_but_not_ask(client):
    asked = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert client.get("/sql?query=select+1", headers=asked).status_code == 403
    assert client.get("/", headers=asked | {"sec-fetch-mode": "navigate"}).status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("address", ["/sql?query=select+1", "/sql/result.csv?query=select+1"])
def test_other_sites_and_ports_may_not_have_sql_run_by_a_link(client, site, address):
    asked = {"sec-fetch-site": site, "sec-fetch-mode": "navigate"}
    assert client.get(address, headers=asked).status_code == 403
    assert client.get("/sql", headers=asked).status_code == 200
    assert (
        client.get(address, headers={"sec-fetch-site": "same-origin", "sec-fetch-mode": "navigate"}).status_code == 200
    )


def test_a_request_that_names_two_hosts_is_refused(client):
    assert client.get("/", headers=[("host", "127.0.0.1"), ("host", "evil.example")]).status_code == 400


@pytest.fixture
def gone(world, tmp_path):
    """A warehouse, and what shows it."""
    root = tmp_path / "warehouse"
    shutil.copytree(world, root)
    return root, TestClient(application(Shelf(root)), base_url="http://127.0.0.1", raise_server_exceptions=False)


@pytest.mark.parametrize(
    "address", ["/", "/coverage", "/dataset?id=lincs_demo", "/sql?query=select+1", "/datasets.csv"]
)
def test_a_warehouse_that_is_gone_is_said_on_every_page(gone, address):
    root, pages = gone
    for harm, words in (
        (lambda: snapshot_path(root, newest_number(root) + 1).write_text("{"), "is damaged"),
        (lambda: shutil.rmtree(root / SNAPSHOTS), "The newest snapshot is missing"),
        (lambda: shutil.rmtree(root), "There is no warehouse"),
    ):
        harm()
        answer = pages.get(address)
        assert answer.status_code == 400
        assert words in answer.text
        assert "content-security-policy" in answer.headers


def test_what_is_not_foreseen_is_said_too(gone, monkeypatch):
    _, pages = gone
    monkeypatch.setattr(Questions, "ask", lambda *_, **__: 1 / 0)
    answer = pages.get("/")
    assert answer.status_code == 500
    assert "ZeroDivisionError" in answer.text
    assert "content-security-policy" in answer.headers


def test_csv__has_no_cell_that_a_spreadsheet_runs(client):
    formulas = ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3+cmd", "-2+3", "+1.2.3", "\n=1", "\uff1d1+1"]
    texts = ["-666", "-1.5e-3", "+7", "-", "BRD-K1", "a=b"]
    rows = ", ".join("('" + text.replace("'", "''") + "')" for text in formulas + texts)
    content = client.get("/sql/result.csv", params={"query": f"select * from (values {rows}) t(a)"}).content
    read = pl.read_csv(content, infer_schema=False)["a"].to_list()
    assert read == [f"'{text}" for text in formulas] + texts


def test_csv__is_as_harmless_in_its_header_lists_and_enumerations(client):
    query = """select ['=1', '2'] as "=a", '@x'::enum('@x') as "@b", 1 as c, {'d': '=1'} as d"""
    content = client.get("/sql/result.csv", params={"query": query}).content
    assert content == b"""'=a,'@b,c,d\n'=1|2,'@x,1,"{""d"": ""=1""}"\n"""


def test_page__of_long_texts_is_short(client):
    answer = client.get("/sql", params={"query": "select repeat('x', 5000000) as a"})
    assert len(answer.content) < 200_000
    assert "5,000,000 letters" in answer.text


def test_half_a_request_is_given_up(shelf, monkeypatch):
    monkeypatch.setattr(server, "LONGEST_REQUEST", 0.2)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        place = listening.getsockname()
        config = uvicorn.Config(application(shelf), log_level="warning", lifespan="off", ws="none", http=server.Prompt)
        running = uvicorn.Server(config)
        thread = threading.Thread(target=running.run, args=([listening],))
        thread.start()
        while not running.started:
            time.sleep(0.02)
        with socket.create_connection(place, timeout=60) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n")
            assert connection.recv(100) == b"", "it is closed, whoever waits"
        with socket.create_connection(place, timeout=60) as connection:
            connection.sendall(b"GET /static/icon.svg HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert connection.recv(15) == b"HTTP/1.1 200 OK"
        running.should_exit = True
        thread.join()


@pytest.mark.parametrize("address", ["/", "/sql", "/nothing", "/static/app.js", "/datasets.csv"])
def test_every_answer_has_a_strict_content_policy(client, address):
    answer = client.get(address)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_head_is_answered_without_a_body(client):
    answer = client.head("/")
    assert answer.status_code == 200
    assert answer.content == b""


@pytest.mark.parametrize(
    "address", ["/", "/sql?query=select+*+from+nothing", "/dataset?id=lincs_demo", "/dataset?id=x"]
)
def test_where_the_warehouse_lies_is_not_told(client, world, world_files, address):
    text = client.get(address).text
    assert str(world.parent) not in text
    assert str(world_files.parent) not in text
