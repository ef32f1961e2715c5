"""What becomes of queries when whoever asked has gone, and when the server ends."""

from __future__ import annotations

import functools
import multiprocessing
import os
import select
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import ExitStack, contextmanager
from urllib.parse import quote, urlsplit

import pytest

from featurestore.errors import QueryError
from featurestore.query.warehouse import Warehouse
from featurestore.ui import server
from featurestore.ui.apart import AT_ONCE, Apart
from featurestore.ui.questions import Questions

WITHOUT_END = "select sum(a.range + b.range) from range(10000000) a, range(10000000) b"


def ask(url, query):
    connection = socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=600)
    connection.sendall(f"GET /sql?query={quote(query)} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".encode())
    return connection


def told(connection):
    with connection, connection.makefile("rb") as answer:
        return answer.read().decode()


def is_free(url):
    with urllib.request.urlopen(f"{url.rstrip('/')}/sql?query=select+42") as page:
        return "Other queries are being answered" not in page.read().decode()


@contextmanager
def asked_all(url):
    """Ask as many queries without end as are answered at once."""
    with ExitStack() as stack:
        asked = []
        while is_free(url):
            for each in select.select(asked, [], [], 0)[0]:  # refused, as what this asks itself took a place
                asked.remove(each)
            while len(asked) < AT_ONCE:
                asked.append(stack.enter_context(ask(url, WITHOUT_END)))
        yield asked


def test_query__is_given_up_when_nobody_waits_for_its_answer(served):
    with asked_all(served):
        assert not is_free(served)
    while not is_free(served):
        pass


def test_process__of_a_query_is_gone_when_that_is_given_up(world):
    with Warehouse(world) as store:
        number = store.snapshot.number
    apart = Apart(world, "1GB")
    with pytest.raises(QueryError, match="given up"):
        apart.frame(number, WITHOUT_END, seconds=600, most_rows=1, is_left=lambda: True)
    apart.close()
    with pytest.raises(QueryError, match="given up"):
        apart.frame(number, WITHOUT_END, seconds=600, most_rows=1, is_left=lambda: False)
    assert multiprocessing.active_children() == []


@pytest.fixture
def command(world):
    arguments = [sys.executable, "-m", "featurestore", "--warehouse", str(world), "ui", "--no-browser", "--port", "0"]
    pipe = subprocess.PIPE
    with subprocess.Popen(arguments, stdout=pipe, stderr=pipe, text=True, start_new_session=True) as process:
        url = process.stdout.readline().partition("shown at ")[2].split()[0]
        yield process, url
        process.kill()


def test_ctrl_c__ends_what_is_asked_and_every_process(command):
    process, url = command
    with asked_all(url) as asked:
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        answers = [told(each) for each in asked]
        assert [each.count("The query was given up.") for each in answers] == [1] * AT_ONCE, answers
    assert process.stderr.read().split() == ["interrupted"], "and nobody holds the pipe any more"
    assert process.wait() == 130


def test_ctrl_c__while_its_processes_start_is_one_word(command):
    process, _ = command
    os.killpg(process.pid, signal.SIGINT)
    assert process.stderr.read().split() == ["interrupted"]
    assert process.wait() == 130


def test_kill__ends_every_process(command):
    process, url = command
    with asked_all(url):
        process.kill()
        assert "BrokenPipeError" not in process.stderr.read(), "no query lived on to its deadline"


def test_prepare__makes_the_first_page_before_it_starts_processes(served, monkeypatch):
    made, ask = [], Questions.ask
    monkeypatch.setattr(Questions, "ask", lambda *asked, **of: made.append(asked[1]) or ask(*asked, **of))
    for name in ("warm", "vega"):
        monkeypatch.setattr(server, name, functools.partial(made.append, name))
    server.prepare(urlsplit(served).port)
    assert "catalogue" in made[:-2]
    assert made[-2:] == ["warm", "vega"]
