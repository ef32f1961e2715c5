"""The pages of the small world, and a browser to look at them with."""

from __future__ import annotations

import shutil
import socket
import threading
import time

import pytest

starlette = pytest.importorskip("starlette")

import uvicorn  # noqa: E402
from starlette.testclient import TestClient  # noqa: E402

from featurestore.evaluation import evaluate, report  # noqa: E402
from featurestore.features import registry  # noqa: E402
from featurestore.models import SamePerturbationElsewhere, TrainMean  # noqa: E402
from featurestore.store import Store  # noqa: E402
from featurestore.ui import questions  # noqa: E402
from featurestore.ui.app import application  # noqa: E402
from featurestore.ui.pages import plan, sql  # noqa: E402
from featurestore.ui.questions import Shelf  # noqa: E402


@pytest.fixture(scope="session")
def shelf(world):
    return Shelf(world)


@pytest.fixture(scope="session")
def client(shelf):
    return TestClient(application(shelf), base_url="http://127.0.0.1")


@pytest.fixture(scope="session", autouse=True)
def patient():
    """Let no slow machine decide a test."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (questions, plan, sql):
            patch.setattr(module, "SECONDS", 600.0)
        yield


@pytest.fixture(scope="session")
def kept(world, world_files, tmp_path_factory):
    """A copy of the warehouse with a saved spec, a matrix and a report."""
    root = tmp_path_factory.mktemp("kept") / "warehouse"
    shutil.copytree(world, root)
    with Store(root) as store:
        registry.save(store, world_files / "features.toml")
        models = {"train_mean": TrainMean(), "elsewhere": SamePerturbationElsewhere()}
        report.write(evaluate(store.build(world_files / "features.toml"), models), root / "reports" / "one")
    return root


@pytest.fixture(scope="session")
def keeper(kept):
    return TestClient(application(Shelf(kept)), base_url="http://127.0.0.1")


@pytest.fixture(scope="session")
def served(kept):
    """The address of a server of the pages of that copy."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(application(Shelf(kept)), log_level="warning", lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join()
