"""Who may ask, what is refused, and what a page may load."""

from __future__ import annotations

import asyncio
import shutil
import socket
import threading
import time
from urllib.parse import quote

import polars as pl
import pytest

pytest.importorskip("starlette")

import uvicorn
from starlette.testclient import TestClient

from featurestore.storage.snapshot import SNAPSHOTS, newest_number, snapshot_path
from featurestore.ui import server
from featurestore.ui.app import application
from featurestore.ui.questions import Questions, Shelf
from featurestore.ui.security import HEADERS
from featurestore.ui.tables import MOST_COLUMNS


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
    linked = asked | {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert client.get("/", headers=linked).status_code == 200
    assert client.get("/", headers=linked | {"sec-fetch-dest": "iframe"}).status_code == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize(
    "address",
    [
        "/sql?query=select+1",
        "/sql/result.csv?query=select+1",
        "/%73ql?query=select+1",
        "/sql/?query=select+1",
        "/plan?text=a",
    ],
)
def test_other_sites_and_ports_may_not_have_sql_run_or_specs_planned_by_a_link(client, site, address):
    asked = {"sec-fetch-site": site, "sec-fetch-mode": "navigate"}
    assert client.get(address, headers=asked).status_code == 403
    assert client.get(address.partition("?")[0], headers=asked).status_code != 403
    assert client.get(address, headers=asked | {"sec-fetch-site": "same-origin"}).status_code != 403


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


def test_csv__of_text_that_is_kept_once_is_bounded_too(client):
    text = "x" * 1000
    query = f"select '{text}'::enum('{text}') from range(100000)"
    assert client.get("/sql/result.parquet", params={"query": query}).status_code == 200
    answer = client.get("/sql/result.csv", params={"query": query})
    assert answer.status_code == 400
    assert "The table is too large for the browser." in answer.text


def test_page__of_many_columns_shows_some(client):
    query = f"select {', '.join(f'{i} as column_{i}' for i in range(250))}"
    page = client.get("/sql", params={"query": query}).text
    assert page.count("<th ") == MOST_COLUMNS
    assert "50 more columns are in the files" in page
    assert client.get("/sql/result.csv", params={"query": query}).text.count("column_") == 250


def test_page__of_long_texts_is_short(client):
    answer = client.get("/sql", params={"query": "select repeat('x', 5000000) as a"})
    assert len(answer.content) < 200_000
    assert "5,000,000 letters" in answer.text


@pytest.fixture(scope="module")
def running(shelf):
    """A server as the command starts it, with little patience, and where it listens."""
    with socket.socket() as listening, pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "LONGEST_REQUEST", 1.0)
        patch.setattr(server, "LONGEST_SILENCE", 1.0)
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(application(shelf), log_level="error", lifespan="off", ws="none", http=server.Prompt)
        started = uvicorn.Server(config)
        thread = threading.Thread(target=started.run, args=([listening],))
        thread.start()
        while not started.started:
            time.sleep(0.02)
        yield started, listening.getsockname()
        started.should_exit = True
        thread.join()


@pytest.fixture
def place(running):
    return running[1]


def answer_to(place, request):
    with socket.create_connection(place, timeout=60) as connection, connection.makefile("rb") as answer:
        connection.sendall(request.replace("\n", "\r\n").encode("latin1"))
        return answer.read().decode("latin1")


FORM = "POST /enrichment HTTP/1.1\nHost: 127.0.0.1\nOrigin: http://127.0.0.1\n"


@pytest.mark.parametrize("half", ["GET / HTTP/1.1\nHost: 127.0.0.1\n", f"{FORM}Content-Length: 40\n\nsets=a"])
def test_half_a_request_is_given_up(place, half):
    assert answer_to(place, half) == "", "it is closed, whoever waits"
    assert answer_to(place, "GET /static/icon.svg HTTP/1.0\nHost: 127.0.0.1\n\n").startswith("HTTP/1.1 200 OK")
    assert answer_to(place, f"{FORM}Connection: close\nContent-Length: 4\n\nid=a").startswith("HTTP/1.1 400")


def test_an_answer_that_nobody_reads_is_given_up(running):
    server, place = running
    query, n_bytes = quote("select repeat('x', 100) as a from range(100000)"), 100_000 * 101
    request = f"GET /sql/result.csv?query={query} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".encode()
    while server.server_state.connections:
        time.sleep(0.02)
    with socket.create_connection(place, timeout=60) as connection, connection.makefile("rb") as answer:
        connection.sendall(request)
        while not server.server_state.connections:
            time.sleep(0.02)
        while server.server_state.connections:  # and nothing is read
            time.sleep(0.02)
        assert length_of(answer) < n_bytes
    with socket.create_connection(place, timeout=60) as connection, connection.makefile("rb") as answer:
        connection.sendall(request)
        assert length_of(answer) > n_bytes


def length_of(answer):
    return sum(len(part) for part in iter(lambda: answer.read(1_000_000), b""))


def test_a_form_that_breaks_off_is_no_failure_of_ours(shelf):
    parts = [{"type": "http.request", "body": b"sets=a", "more_body": True}, {"type": "http.disconnect"}]

    async def receive():
        return parts.pop(0)

    async def send(message):
        sent.append(message["type"])

    sent = []
    headers = [(b"host", b"127.0.0.1"), (b"origin", b"http://127.0.0.1"), (b"content-length", b"40")]
    scope = {"type": "http", "method": "POST", "path": "/enrichment", "query_string": b"", "headers": headers}
    asyncio.run(application(shelf)(scope, receive, send))
    assert sent == ["http.response.start", "http.response.body"]


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("OPTIONS *", 405), ("GET *", 400), ("GET nothing", 400), ("CONNECT evil.example:443", 405), ("PRI *", 405),
        ("GET /\xe9", 400), ("GET", 400), ("\x16\x03\x01\x02", 400), ("GET //evil.example/", 404), ("GET /sql/", 307),
        ("GET /%ff%00", 404), ("GET /dataset?id=%zz%", 400), ("POST /enrichment", 403),
        ("GET http://evil.example/", 400),
    ],
)  # fmt: skip
def test_every_answer_to_whatever_is_sent_has_the_headers(place, line, status):
    answer = answer_to(place, f"{line} HTTP/1.1\nHost: 127.0.0.1\nConnection: close\n\n").lower()
    assert answer.startswith(f"http/1.1 {status} ")
    for name, value in HEADERS.items():
        assert f"\n{name}: {value}\r\n" in answer
    assert "evil" not in answer.partition("\r\n\r\n")[0], "leads nowhere else"


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
