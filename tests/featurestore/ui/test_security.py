"""Who may ask, what is refused, and what a page may load."""

from __future__ import annotations

import pytest


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
