"""Checksums of the files that a release is made of, worked out while the files are read.

They are BLAKE3, as ``b3sum`` prints it: a core hashes 8 GB/s of it, and 1.4 to 2 of SHA-256, which took a sixth of the
processor time of a dense ingest. Publishers' own checksums are compared where files are fetched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Any, Self

from blake3 import blake3

from featurestore.storage.checksums import file_blake3
from ingest.progress import step

SHOWN_EVERY = 0.2
"""Unit: seconds."""


class Checksums:
    """A thread that reads files, one after another, until all are read or nobody wants to know any more.

    Parameters
    ----------
    names
        The files, and what a manifest calls them.
    folders
        What it calls folders that are one input each, however many files they have: their checksum is that of the
        checksums of their files, by name.

    Attributes
    ----------
    sizes
        Name and size of each input. Unit: bytes.
    n_read
        What is read by now. Unit: bytes.
    """

    def __init__(self, names: Mapping[Path, str], folders: Sequence[str] = ()) -> None:
        self._files = [(name, path.stat().st_size) for path, name in names.items()]
        self._folders = folders
        self.sizes = [(name, sum(size for _, size in files)) for name, files in _together(self._files, folders).items()]
        self._is_given_up = Event()
        self.n_read = 0
        self._pool = ThreadPoolExecutor(1)
        self._inputs: Future[list[dict[str, Any]]] = self._pool.submit(self._read, names)

    def inputs(self) -> list[dict[str, Any]]:
        """Wait for the name, size and checksum of each file, as a manifest lists them."""
        if not self._inputs.done():
            with step("checksums", sum(size for _, size in self._files), in_bytes=True) as advance:
                n_shown = 0
                while not self._inputs.done():
                    wait([self._inputs], SHOWN_EVERY)
                    n_read = self.n_read
                    advance(n_read - n_shown)
                    n_shown = n_read
        return self._inputs.result()

    def _read(self, names: Mapping[Path, str]) -> list[dict[str, Any]]:
        found = {name: file_blake3(path, self._advance) for path, name in names.items()}
        together = _together(self._files, self._folders)
        return [
            {
                "name": name,
                "bytes": size,
                "blake3": _of_folder(name, files, found) if name not in found else found[name],
            }
            for (name, size), files in zip(self.sizes, together.values(), strict=True)
        ]

    def _advance(self, n_bytes: int) -> None:
        self.n_read += n_bytes
        if self._is_given_up.is_set():
            raise CancelledError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._is_given_up.set()
        self._pool.shutdown()


def _together(files: Sequence[tuple[str, int]], folders: Sequence[str]) -> dict[str, list[tuple[str, int]]]:
    """Put the files of each folder together, in the place of the first; a file of none is by itself."""
    found: dict[str, list[tuple[str, int]]] = {}
    for name, size in files:
        folder = next((each for each in folders if name.startswith(f"{each}/")), name)
        found.setdefault(folder, []).append((name, size))
    return found


def _of_folder(folder: str, files: Sequence[tuple[str, int]], found: Mapping[str, str]) -> str:
    lines = sorted(f"{found[name]}  {name.removeprefix(f'{folder}/')}\n" for name, _ in files)
    return blake3("".join(lines).encode()).hexdigest()
