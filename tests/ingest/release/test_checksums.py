"""Checksums that are worked out beside other work."""

from __future__ import annotations

import pytest
from blake3 import blake3

from featurestore.storage import checksums
from ingest.release.checksums import Checksums


def test_inputs__are_listed_in_order_with_size_and_checksum(tmp_path, monkeypatch):
    monkeypatch.setattr(checksums, "PIECE", 1000)
    contents = {"b": b"x" * 2500, "a": b"", "c": bytes(range(256)) * 40}
    paths = {name: tmp_path / name for name in contents}
    for name, path in paths.items():
        path.write_bytes(contents[name])
    with Checksums({path: f"folder/{name}" for name, path in paths.items()}) as found:
        assert found.inputs() == [
            {"name": f"folder/{name}", "bytes": len(raw), "blake3": blake3(raw).hexdigest()}
            for name, raw in contents.items()
        ]
        assert found.sizes == [(f"folder/{name}", len(raw)) for name, raw in contents.items()]
        assert found.n_read == sum(map(len, contents.values()))


def test_checksum__is_the_one_of_the_published_test_vector(tmp_path):
    """The input of BLAKE3's own test vectors: bytes 0 to 250, again and again."""
    path = tmp_path / "file"
    path.write_bytes((bytes(range(251)) * 5)[:1025])
    with Checksums({path: "file"}) as found:
        assert found.inputs()[0]["blake3"] == "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444"


def test_checksums__are_given_up_where_the_work_beside_them_fails(tmp_path):
    path, n_bytes = tmp_path / "sparse", 2**40
    with path.open("wb") as file:
        file.truncate(n_bytes)
    with pytest.raises(RuntimeError, match="the work"), Checksums({path: "sparse"}) as found:
        raise RuntimeError("the work")
    assert found.n_read < n_bytes


def test_inputs__that_cannot_be_read_are_told_to_who_asks(tmp_path):
    (tmp_path / "folder").mkdir()
    with Checksums({tmp_path / "folder": "folder"}) as found, pytest.raises(IsADirectoryError):
        found.inputs()
