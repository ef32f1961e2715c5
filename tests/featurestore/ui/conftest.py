"""The pages of the small world, and a browser to look at them with."""

from __future__ import annotations

import socket
import threading
import time

import pytest

starlette = pytest.importorskip("starlette")

import uvicorn  # noqa: E402
from starlette.testclient import TestClient  # noqa: E402

from featurestore.ui.app import application  # noqa: E402
from featurestore.ui.questions import Shelf  # noqa: E402


@pytest.fixture(scope="session")
def shelf(world):
    return Shelf(world)


@pytest.fixture(scope="session")
def client(shelf):
    return TestClient(application(shelf), base_url="http://127.0.0.1")


@pytest.fixture(scope="session")
def served(shelf):
    """The address of a server of the pages."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(application(shelf), log_level="warning", lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join()
