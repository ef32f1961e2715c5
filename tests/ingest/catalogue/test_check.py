"""Addresses are asked, by servers of every temper, and nothing is downloaded."""

from __future__ import annotations

import http.server
import json
import threading

import pytest
from click.testing import CliRunner

from featurestore.cli import featurestore
from ingest.catalogue.catalogue import read_catalogues
from ingest.catalogue.check import check_addresses, table_of_checks
from ingest.catalogue.fetch import Patience

QUICK = Patience(tries=1, connect=60.0, read=60.0)
SIZE = 5_000_000_000
HEAD = """
[[source]]
name = "Here"
citation = "nobody"
licence = "CC0-1.0"
url = "https://example.org/page"
"""
DATASET = """
[[source.dataset]]
id = "{id}"
title = "Cells"
assay = "perturb_seq"
format = "h5ad"
access = "{access}"
files = [{{ name = "{name}", url = "{address}/{name}"{more} }}]
"""
ASKED = {
    "right": ("right.h5ad", "as stated"),
    "moved": ("moved.h5ad", "as stated"),
    "headless": ("headless.h5ad", "as stated"),
    "longer": ("right.h5ad", "another size"),
    "unsized": ("right.h5ad", "there"),
    "gone": ("gone.h5ad", "gone"),
    "secret": ("secret.h5ad", "refused"),
    "page": ("page.h5ad", "refused"),
    "down": ("down.h5ad", "no answer"),
}
"""The file of each dataset, and what is to be said of it."""


class Handler(http.server.BaseHTTPRequestHandler):
    """A server with a file of 5 GB, whose bytes nobody may ask for but the first."""

    def do_HEAD(self):
        self.answer(self.path.strip("/").removesuffix(".h5ad"), is_head=True)

    def do_GET(self):
        assert self.headers["Range"] == "bytes=0-0"
        self.answer(self.path.strip("/").removesuffix(".h5ad"), is_head=False)

    def answer(self, name, *, is_head):
        status = {"gone": 404, "secret": 401, "down": 503, "moved": 302, "headless": 403 if is_head else 206}.get(
            name, 200
        )
        self.send_response(status)
        if name == "moved":
            self.send_header("Location", "/right.h5ad?signature=SECRET")
        if name == "page":
            self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(SIZE if is_head and status == 200 else 1 if status == 206 else 0))
        if status == 206:
            self.send_header("Content-Range", f"bytes 0-0/{SIZE}")
        self.end_headers()
        if status == 206:
            self.wfile.write(b"x")

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def address():
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_address[1]}"
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def catalogue(folder, address, names, **access):
    path = folder / "mine.toml"
    more = dict.fromkeys(names, f", bytes = {SIZE}") | {"unsized": "", "longer": f", bytes = {SIZE - 1}"}
    datasets = [
        DATASET.format(id=name, name=ASKED[name][0], address=address, more=more[name], access=access.get(name, "open"))
        for name in names
    ]
    path.write_text(HEAD + "".join(datasets))
    return path


def test_check__says_of_each_file_what_its_publisher_answers(address, tmp_path):
    entries = read_catalogues([catalogue(tmp_path, address, ASKED)])
    checks = list(check_addresses(entries.values(), QUICK))
    assert {check.dataset_id: check.verdict for check in checks} == {name: says for name, (_, says) in ASKED.items()}
    assert {check.dataset_id: check.bytes for check in checks if check.bytes} == dict.fromkeys(
        ("right", "moved", "headless", "longer", "unsized"), SIZE
    )
    assert not any("SECRET" in str(check) for check in checks)
    assert set(table_of_checks(checks)["dataset_id"].head(2)) == {"longer", "gone"}


def test_check__asks_for_the_ends_of_parts_and_for_nothing_behind_a_login_or_a_payer(address, tmp_path):
    path = catalogue(tmp_path, address, ["right", "gone"], right="requester_pays", gone="login")
    parts = DATASET.format(
        id="parts", name="right-{part:02d}.h5ad", address=address, more=", parts = 40", access="open"
    )
    path.write_text(path.read_text() + parts)
    checks = list(check_addresses(read_catalogues([path]).values(), QUICK))
    assert [(check.file, check.verdict) for check in checks] == [
        ("right.h5ad", "not asked"),
        ("gone.h5ad", "not asked"),
        ("right-00.h5ad", "there"),
        ("right-39.h5ad", "there"),
    ]


def test_check__says_so_when_nothing_answers(tmp_path):
    entries = read_catalogues([catalogue(tmp_path, "http://127.0.0.1:9", ["right"])])
    (check,) = check_addresses(entries.values(), QUICK)
    assert (check.verdict, check.bytes) == ("no answer", None)
    assert check.answer


@pytest.mark.parametrize(("names", "status"), [(["right", "unsized", "down"], 0), (["right", "longer"], 1)])
def test_sources_check__ends_with_a_status(address, tmp_path, monkeypatch, names, status):
    monkeypatch.setattr("ingest.catalogue.catalogue.SHIPPED", catalogue(tmp_path, address, names))
    ran = CliRunner().invoke(featurestore, ["sources", "--check", "--format", "json"])
    assert ran.exit_code == status, ran.output
    assert {row["dataset_id"] for row in json.loads(ran.stdout)} == set(names)
    assert f"Checked {len(names)} files: " in ran.stderr


def test_sources_check__does_not_pass_where_there_is_no_network(tmp_path, monkeypatch):
    monkeypatch.setattr("ingest.catalogue.catalogue.SHIPPED", catalogue(tmp_path, "http://127.0.0.1:9", ["right"]))
    ran = CliRunner().invoke(featurestore, ["sources", "--check"])
    assert ran.exit_code == 1
    assert "there may be no network here" in ran.stderr
