"""Fetch a catalogued dataset: its files are downloaded, resumed where they broke off, and checked.

A file has its name only when it is whole and is what was published. A file that is there is never overwritten.
"""

from __future__ import annotations

import fcntl
import fnmatch
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import httpx

from featurestore.errors import DownloadError, did_you_mean
from ingest.catalogue.address import downloadable, require_safe, shown
from ingest.catalogue.answer import PassingError
from ingest.catalogue.catalogue import Entry, RemoteFile
from ingest.catalogue.file_hash import hash_name, hash_of
from ingest.catalogue.transfer import Transfer, part_path, version_path
from ingest.progress import step


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, and how often to try again without getting any further. Unit: seconds."""

    tries: int = 6
    connect: float = 20.0
    read: float = 60.0
    first_wait: float = 1.0
    longest_wait: float = 60.0


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that is there whole: where, how large, checked by which hash if any, and whether it was there before."""

    path: Path
    n_bytes: int
    checked_by: str | None
    is_new: bool


def fetch_dataset(
    entry: Entry, folder: Path, *, only: str | None = None, patience: Patience | None = None
) -> Iterator[Fetched]:
    """Fetch the files of a dataset, one after another.

    Parameters
    ----------
    entry
        The dataset, from the catalogue.
    folder
        Where to.
    only
        A pattern that the names of the wanted files match, such as ``train-0000?-*``.
    patience
        Time limits.

    Raises
    ------
    DownloadError
        Its publisher does not give it to programs, and it is not there yet; or a file cannot be had whole.
    """
    files = [file for each in entry.files for file in each.each()]
    is_there = bool(files) and all((folder / file.name).exists() for file in files)
    if entry.access == "requester_pays" and not is_there:
        raise _not_for_programs(entry, folder, "whoever downloads it pays", _copy_command(entry, folder))
    if entry.access == "login" or not entry.files:
        why = "it comes after a login" if entry.access == "login" else "no address of a file is catalogued"
        raise _not_for_programs(entry, folder, why, "")
    wanted = [file for file in files if only is None or fnmatch.fnmatchcase(file.name, only)]
    if not wanted:
        names = [file.name for file in files]
        raise DownloadError(f"No file matches '{only}'.", where=entry.id, do=did_you_mean(str(only), names))
    for file in wanted:
        with step(file.name, file.bytes, in_bytes=True) as advance:
            yield fetch_file(file, folder, advance, patience)


def fetch_file(
    file: RemoteFile, folder: Path, advance: Callable[[int], None] = lambda _: None, patience: Patience | None = None
) -> Fetched:
    """Fetch one file into a folder, which is made if need be.

    Parameters
    ----------
    file
        Name, address, and what is known of its size and hash.
    folder
        Where to.
    advance
        Called with the bytes that are done since the last call, below 0 where a server makes it start again.
    patience
        Time limits.

    Raises
    ------
    DownloadError
        It cannot be had whole. What was downloaded stays for the next time, unless its hash is wrong.
    """
    path = folder / file.name
    if path.exists():
        return _already_there(file, path)
    require_safe(downloadable(file.url))
    folder.mkdir(parents=True, exist_ok=True)
    with _part_of(path) as part:
        transfer = Transfer(file, path, part, advance)
        _with_patience(transfer, patience or Patience())
        transfer.check()
        part.flush()
        os.fsync(part.fileno())
        part_path(path).rename(path)
        version_path(path).unlink(missing_ok=True)
    return Fetched(path, transfer.done, hash_name(file), is_new=True)


def _with_patience(transfer: Transfer, patience: Patience) -> None:
    """Try until the file is whole; give up after some tries in a row that got no further."""
    tries, furthest = 0, transfer.furthest
    with client_for(transfer.file.url, patience) as client:
        while not transfer.is_whole:
            try:
                transfer.attempt(client)
            except (PassingError, httpx.TransportError) as error:
                tries = 1 if transfer.furthest > furthest else tries + 1
                furthest = transfer.furthest
                if tries >= patience.tries:
                    raise _given_up(transfer, error, tries) from error
                asked = error.wait if isinstance(error, PassingError) else None
                wait = patience.first_wait * 2 ** (tries - 1) if asked is None else asked
                time.sleep(min(wait, patience.longest_wait))
            except httpx.TooManyRedirects as error:
                raise DownloadError("The address leads in a circle.", where=shown(transfer.file.url)) from error


def client_for(url: str, patience: Patience) -> httpx.Client:
    """Make a client that follows redirects to safe addresses only, and logs none of them."""
    logging.getLogger("httpx").setLevel(logging.WARNING)
    timeout = httpx.Timeout(patience.read, connect=patience.connect)
    headers = {"User-Agent": "featurestore", "Accept-Encoding": "identity"}

    def check(request: httpx.Request) -> None:
        require_safe(str(request.url), origin=downloadable(url))

    return httpx.Client(follow_redirects=True, timeout=timeout, headers=headers, event_hooks={"request": [check]})


@contextmanager
def _part_of(path: Path) -> Iterator[BinaryIO]:
    """Open the part of a file for this process alone."""
    descriptor = os.open(part_path(path), os.O_RDWR | os.O_CREAT, 0o666)
    with os.fdopen(descriptor, "r+b") as part:
        try:
            fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DownloadError("Another process is downloading the file.", where=str(path)) from None
        yield part


def _already_there(file: RemoteFile, path: Path) -> Fetched:
    n_bytes = path.stat().st_size
    expected, got = f"{file.bytes or 0:,} bytes", f"{n_bytes:,} bytes"
    is_wrong = file.bytes not in {None, n_bytes}
    if file.hash is not None and not is_wrong:
        name, published = file.hash
        digest = hash_of(file, path)
        is_wrong = digest != published
        expected, got = f"{name} {published}", str(digest)
    if is_wrong:
        raise DownloadError(
            "A file of this name is there, and is not the one that was published.",
            where=str(path),
            expected=expected,
            got=got,
            do="move it away, or use -o with another folder",
        )
    return Fetched(path, n_bytes, hash_name(file), is_new=False)


def _not_for_programs(entry: Entry, folder: Path, why: str, how: str) -> DownloadError:
    files = ", ".join(shown(file.url) for file in entry.files)
    return DownloadError(
        f"'{entry.id}' cannot be fetched by a program: {why}.",
        where=files or entry.url,
        got=entry.note,
        do=how or f"get it from {entry.url} and put it into {folder}",
    )


def _copy_command(entry: Entry, folder: Path) -> str:
    addresses = " ".join(file.url for file in entry.files) or "gs://..."
    copy = f"gcloud storage cp --billing-project=YOUR_PROJECT {addresses} {folder}"
    return f"{copy}; the same fetch then checks what has come" if entry.files else copy


def _given_up(transfer: Transfer, error: Exception, tries: int) -> DownloadError:
    return DownloadError(
        "The file could not be downloaded.",
        where=shown(transfer.file.url),
        got=f"{' '.join(str(error).split()) or type(error).__name__}, {tries} times",
        do=f"try again later: the {transfer.done:,} bytes that are there will be continued",
    )
