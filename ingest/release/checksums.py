"""Checksums of the files that a release is made of, worked out while the files are read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Any, Self

from ingest.progress import step

BYTES_AT_ONCE = 8 * 2**20
SHOWN_EVERY = 0.2
"""Unit: seconds."""


class Checksums:
    """A thread that reads files, one after another, until all are read or nobody wants to know any more.

    Parameters
    ----------
    names
        The files, and what a manifest calls them.

    Attributes
    ----------
    sizes
        Name and size of each file. Unit: bytes.
    n_read
        What is read by now. Unit: bytes.
    """

    def __init__(self, names: Mapping[Path, str]) -> None:
        self.sizes = [(name, path.stat().st_size) for path, name in names.items()]
        self._is_given_up = Event()
        self.n_read = 0
        self._pool = ThreadPoolExecutor(1)
        self._inputs: Future[list[dict[str, Any]]] = self._pool.submit(self._read, names)

    def inputs(self) -> list[dict[str, Any]]:
        """Wait for the name, size and checksum of each file, as a manifest lists them."""
        if not self._inputs.done():
            with step("checksums", sum(size for _, size in self.sizes), in_bytes=True) as advance:
                n_shown = 0
                while not self._inputs.done():
                    wait([self._inputs], SHOWN_EVERY)
                    n_read = self.n_read
                    advance(n_read - n_shown)
                    n_shown = n_read
        return self._inputs.result()

    def _read(self, names: Mapping[Path, str]) -> list[dict[str, Any]]:
        return [
            {"name": name, "bytes": size, "sha256": self._sha256(path)}
            for path, (name, size) in zip(names, self.sizes, strict=True)
        ]

    def _sha256(self, path: Path) -> str:
        hashed = hashlib.sha256()
        with path.open("rb", buffering=0) as file:
            while not self._is_given_up.is_set() and (piece := file.read(BYTES_AT_ONCE)):
                hashed.update(piece)
                self.n_read += len(piece)
        return hashed.hexdigest()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._is_given_up.set()
        self._pool.shutdown()
