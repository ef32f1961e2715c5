"""One file on its way: what is there of it, which part is still to be asked for, and whether it is what was published.

What has come is ``NAME.part``; the publisher's mark of its version is in ``NAME.part.version``, and a part is only
continued if the publisher still has that version, or if a hash tells in the end.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import httpx

from featurestore.errors import DownloadError
from ingest.catalogue.address import downloadable, shown
from ingest.catalogue.answer import CONTENT_RANGE, PassingError, extent, require_file
from ingest.catalogue.catalogue import RemoteFile
from ingest.catalogue.file_hash import CHUNK, digest_of, new_hash


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
        require_file(answer, place, self._path)
        start, total = extent(answer)
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
