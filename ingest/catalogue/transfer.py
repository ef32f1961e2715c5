"""One file on its way: what is there of it, which part is still to be asked for, and whether it is what was published.

What has come is ``NAME.part``; the publisher's mark of its version is in ``NAME.part.version``, and a part is only
continued if the publisher still has that version, or if a hash tells in the end.
"""

from __future__ import annotations

import base64
import email.utils
import hashlib
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol

import google_crc32c
import httpx

from featurestore.errors import DownloadError
from ingest.catalogue.address import downloadable, shown
from ingest.catalogue.catalogue import RemoteFile

CHUNK = 2**20
CRC_BYTES = 4
CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")
PASSING = frozenset({408, 425, 429})
"""Answers that may be another one later; so may any from 500."""
GONE = frozenset({404, 410})
REFUSING = {
    401: "asks for a login",
    402: "asks for a payment",
    403: "does not give the file to programs, or not without a login",
    407: "is behind a proxy that asks for a login",
    451: "may not give the file in this place",
}
BY_HAND = "download it in a browser, where you can log in and accept terms, and put it at"


class PassingError(Exception):
    """Something failed that may not fail again; ``wait`` is what the publisher asks for, in seconds."""

    def __init__(self, what: str, wait: float | None = None) -> None:
        super().__init__(what)
        self.wait = wait


class Hash(Protocol):
    """A hash in the making."""

    def update(self, data: bytes, /) -> None:
        """Add bytes."""
        ...

    def digest(self) -> bytes:
        """Return the hash of all bytes so far."""
        ...


class Transfer:
    """A download under way.

    Parameters
    ----------
    file
        Address, and what is known of size and hash.
    path
        Where it is to be in the end.
    part
        The open part, which may hold the beginning of the file.
    advance
        Called with the bytes that are done since the last call, below 0 where it has to start again.
    """

    def __init__(self, file: RemoteFile, path: Path, part: BinaryIO, advance: Callable[[int], None]) -> None:
        self.file, self._path, self._part, self._advance = file, path, part, advance
        self._version_path = version_path(path)
        self.total = file.bytes
        self.done = self.furthest = 0
        self._hash = new_hash(file)
        if self._version_path.exists() or self._hash is not None:
            self._part.seek(0)
            while chunk := self._part.read(CHUNK):
                self._count(chunk)
        else:
            self._start_again()

    @property
    def is_whole(self) -> bool:
        """Whether all bytes are there, as far as their number is known."""
        return self.total is not None and self.done == self.total

    def attempt(self, client: httpx.Client) -> None:
        """Ask for what is missing, and write it as it comes.

        Raises
        ------
        PassingError
            Not all of it came.
        DownloadError
            The publisher refuses.
        """
        version = self._version_path.read_text() if self.done and self._version_path.exists() else None
        headers = {"Range": f"bytes={self.done}-"} | ({"If-Range": version} if version else {})
        with client.stream("GET", downloadable(self.file.url), headers=headers) as answer:
            self._receive(answer)
        if self.total is None:
            self.total = self.done
        if self.done != self.total:
            raise PassingError(f"the connection ended at {self.done:,} of {self.total:,} bytes")

    def check(self) -> None:
        """Compare the hash; a file that has another one is deleted.

        Raises
        ------
        DownloadError
            It has.
        """
        if self.file.hash is None or self._hash is None:
            return
        name, expected = self.file.hash
        got = digest_of(self._hash)
        if got == expected:
            return
        self._start_again()
        part_path(self._path).unlink()
        raise DownloadError(
            "The file is not the one that was published, and was deleted.",
            where=f"{self._path.name}, from {shown(self.file.url)}",
            expected=f"{name} {expected}",
            got=f"{got}, of {self.total:,} bytes",
            do="try again; if the same comes again, the publisher has changed the file: see the dataset's page",
        )

    def _receive(self, answer: httpx.Response) -> None:
        place = shown(str(answer.url))
        if answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE and self.done:
            self._finish_or_start_again(answer)
            return
        _require_file(answer, place, self._path)
        start, total = _extent(answer)
        if start != self.done:
            if start:
                raise PassingError(f"the server sends from byte {start:,}, asked for was {self.done:,}")
            self._start_again()
        self._expect(total, place)
        self._remember_version(answer)
        for chunk in answer.iter_raw():
            self._part.write(chunk)
            self._count(chunk)

    def _finish_or_start_again(self, answer: httpx.Response) -> None:
        match = CONTENT_RANGE.fullmatch(answer.headers.get("content-range", ""))
        if match and match[2] == str(self.done) and self.total in {None, self.done}:
            self.total = self.done
            return
        self._start_again()
        raise PassingError("the part that was there is not of this file")

    def _expect(self, total: int | None, place: str) -> None:
        """Check what the server says of the file's length, and that there is room for it."""
        if total is not None and self.file.bytes not in {None, total}:
            raise DownloadError(
                "The publisher's file is not as long as the catalogue says.",
                where=place,
                expected=f"{self.file.bytes:,} bytes",
                got=f"{total:,} bytes",
                do="see the dataset's page whether there is a new version",
            )
        if total is not None and self.done and self.total not in {None, total}:
            self._start_again()
            self.total = None
            raise PassingError("the file changed while it was downloaded")
        self.total = total if total is not None else self.file.bytes
        missing = (self.total or 0) - self.done
        free = shutil.disk_usage(self._path.parent).free
        if missing > free:
            raise DownloadError(
                "There is no room for the file.",
                where=str(self._path.parent),
                expected=f"{missing:,} bytes",
                got=f"{free:,} bytes free",
                do="use -o with a folder on another disk",
            )

    def _remember_version(self, answer: httpx.Response) -> None:
        tag = answer.headers.get("etag", "")
        version = tag if tag and not tag.startswith("W/") else answer.headers.get("last-modified", "")
        if version:
            self._version_path.write_text(version)

    def _start_again(self) -> None:
        self._part.seek(0)
        self._part.truncate()
        self._version_path.unlink(missing_ok=True)
        self._advance(-self.done)
        self.done, self._hash = 0, new_hash(self.file)

    def _count(self, chunk: bytes) -> None:
        self.done += len(chunk)
        self.furthest = max(self.furthest, self.done)
        if self._hash:
            self._hash.update(chunk)
        self._advance(len(chunk))


def part_path(path: Path) -> Path:
    """Where a file is until it is whole."""
    return path.with_name(path.name + ".part")


def version_path(path: Path) -> Path:
    """Where the mark of the version of a part is."""
    return path.with_name(path.name + ".part.version")


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


def _require_file(answer: httpx.Response, place: str, path: Path) -> None:
    """Raise unless the answer holds the file, or part of it, byte for byte."""
    status = answer.status_code
    if status in PASSING or status >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise PassingError(f"{place} answers {status}", _retry_after(answer))
    got = f"status {status}"
    if status in GONE:
        raise DownloadError("The file is not there any more.", where=place, got=got, do="see the dataset's page")
    if status not in {httpx.codes.OK, httpx.codes.PARTIAL_CONTENT}:
        what = REFUSING.get(status, "does not give the file")
        raise DownloadError(f"The publisher {what}.", where=place, got=got, do=f"{BY_HAND} {path}")
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if kind == "text/html" and not path.suffix.startswith(".htm"):
        raise DownloadError(
            "The publisher answers with a web page instead of the file.", where=place, do=f"{BY_HAND} {path}"
        )
    if answer.headers.get("content-encoding", "identity") != "identity" and path.suffix != ".gz":
        raise DownloadError("The server sends the file in another encoding.", where=place, do=f"{BY_HAND} {path}")


def _extent(answer: httpx.Response) -> tuple[int, int | None]:
    """Read from which byte the answer goes, and how long the whole file is."""
    if answer.status_code != httpx.codes.PARTIAL_CONTENT:
        length = answer.headers.get("content-length", "")
        return 0, int(length) if length.isdigit() else None
    match = CONTENT_RANGE.fullmatch(answer.headers.get("content-range", ""))
    if match is None or match[1] is None:
        raise PassingError("the server does not say which part of the file it sends")
    return int(match[1]), None if match[2] == "*" else int(match[2])


def _retry_after(answer: httpx.Response) -> float | None:
    text = answer.headers.get("retry-after", "")
    if text.isdigit():
        return float(text)
    date = email.utils.parsedate_tz(text)
    return None if date is None else max(0.0, email.utils.mktime_tz(date) - time.time())
