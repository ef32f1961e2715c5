"""Keys of an object store are never shown: not in an error, nor in its causes, nor in what is logged or printed."""

from __future__ import annotations

import logging
import traceback

import pytest

from featurestore.cli import main
from featurestore.errors import WarehouseError
from featurestore.storage import objects
from featurestore.storage.objects import ObjectStore

SECRETS = {
    "AWS_ACCESS_KEY_ID": "AKIAVERYSECRET00",
    "AWS_SECRET_ACCESS_KEY": "s3cr3t/of+a/lab",
    "AWS_SESSION_TOKEN": "t0k3n",
}


@pytest.fixture
def refused(monkeypatch):
    """The address of a store that nobody answers at, and keys to it."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setattr(objects, "RETRIES", {"max_retries": 0})
    return "s3://lab/warehouse"


def test_keys__are_in_no_error_and_no_log(refused, caplog):
    with caplog.at_level(logging.DEBUG), pytest.raises(WarehouseError) as caught:
        ObjectStore(refused).names("snapshots")
    told = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert "127.0.0.1" in told
    assert [value for value in SECRETS.values() if value in told] == []


def test_keys__are_not_printed(refused, capfd, monkeypatch):
    monkeypatch.setattr("sys.argv", ["featurestore", "--warehouse", refused, "sql", "select * from dataset"])
    with pytest.raises(SystemExit) as ended:
        main()
    told = "".join(capfd.readouterr())
    assert ended.value.code == 1
    assert "object store" in told
    assert [value for value in SECRETS.values() if value in told] == []
