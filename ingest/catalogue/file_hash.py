"""The hash that a publisher names of a file, worked out as the file comes or of one that is there."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Protocol

import google_crc32c

from ingest.catalogue.catalogue import RemoteFile

CHUNK = 2**20
CRC_BYTES = 4


class Hash(Protocol):
    """A hash in the making."""

    def update(self, data: bytes, /) -> None:
        """Add bytes."""
        ...

    def digest(self) -> bytes:
        """Return the hash of all bytes so far."""
        ...


def hash_name(file: RemoteFile) -> str | None:
    """Name the best of the hashes that are published."""
    return None if file.hash is None else file.hash[0]


def new_hash(file: RemoteFile) -> Hash | None:
    """Begin the hash that a file is checked by, if one is published."""
    name = hash_name(file)
    if name == "crc32c":
        made: Hash = google_crc32c.Checksum()  # type: ignore[no-untyped-call]
        return made
    return hashlib.new(name, usedforsecurity=False) if name else None


def digest_of(made: Hash) -> str:
    """Write a hash as publishers do: in hexadecimal digits, CRC32C in base64."""
    digest = made.digest()
    return base64.b64encode(digest).decode() if len(digest) == CRC_BYTES else digest.hex()


def hash_of(file: RemoteFile, path: Path) -> str | None:
    """Work out the hash that a file is checked by; None where none is published."""
    made = new_hash(file)
    if made is None:
        return None
    with path.open("rb") as content:
        while chunk := content.read(CHUNK):
            made.update(chunk)
    return digest_of(made)
