"""Ask publishers whether the catalogued files are there still, and as long as the catalogue says; none is downloaded.

Of a file in parts the first and the last are asked for. A publisher that answers no HEAD is asked for one byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, NamedTuple

import httpx
import polars as pl

from featurestore.errors import DownloadError
from ingest.catalogue.address import downloadable, require_safe, shown
from ingest.catalogue.answer import CONTENT_RANGE, GONE
from ingest.catalogue.catalogue import Entry, RemoteFile
from ingest.catalogue.fetch import Patience, client_for

Verdict = Literal["as stated", "there", "another size", "gone", "refused", "no answer", "not asked"]

WRONG = ("another size", "gone")
"""What an entry is to be corrected for."""
AT_ONCE = 8
ASKING = Patience(tries=1, connect=20.0, read=30.0)
NO_HEAD = frozenset({400, 403, 404, 405, 501})
"""Answers to HEAD that may be another one to GET."""


class Checked(NamedTuple):
    """What one address answered; ``there`` is a file whose size only one side states."""

    dataset_id: str
    file: str
    verdict: Verdict
    stated_bytes: int | None
    bytes: int | None
    answer: str
    address: str


def check_addresses(entries: Iterable[Entry], patience: Patience = ASKING) -> Iterator[Checked]:
    """Ask for every file that programs may have, in the order of the entries.

    Parameters
    ----------
    entries
        Datasets of the catalogue.
    patience
        Time limits.

    Yields
    ------
    One line a file; those behind a login, or that a payer downloads, are ``not asked``.
    """
    asked = [(entry, file) for entry in entries for each in entry.files for file in _ends(each)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(lambda pair: _check(pair[0], pair[1], patience), asked)


def table_of_checks(checks: Iterable[Checked]) -> pl.DataFrame:
    """List the answers, what is wrong first."""
    schema = {name: pl.Int64() if name.endswith("bytes") else pl.String() for name in Checked._fields}
    table = pl.DataFrame([*checks], schema=schema, orient="row")
    return table.sort(~pl.col("verdict").is_in(WRONG), pl.col("verdict") != "no answer", maintain_order=True)


def _ends(file: RemoteFile) -> list[RemoteFile]:
    parts = file.each()
    return [parts[0], parts[-1]] if len(parts) > 1 else parts


def _check(entry: Entry, file: RemoteFile, patience: Patience) -> Checked:
    verdict: Verdict = "not asked"
    size, answer = None, {"login": "behind a login", "requester_pays": "whoever asks pays"}.get(entry.access, "")
    if entry.access == "open":
        verdict, size, answer = _ask(file, patience)
    return Checked(entry.id, file.name, verdict, file.bytes, size, answer, shown(downloadable(file.url)))


def _ask(file: RemoteFile, patience: Patience) -> tuple[Verdict, int | None, str]:
    url = downloadable(file.url)
    try:
        require_safe(url)
        with client_for(file.url, patience) as client:
            answer = client.head(url)
            if answer.status_code in NO_HEAD:
                with client.stream("GET", url, headers={"Range": "bytes=0-0"}) as answer:
                    return _judge(file, answer)
            return _judge(file, answer)
    except (httpx.HTTPError, DownloadError) as error:
        return "no answer", None, " ".join(str(error).split()) or type(error).__name__


def _judge(file: RemoteFile, answer: httpx.Response) -> tuple[Verdict, int | None, str]:
    status = str(answer.status_code)
    if answer.status_code in GONE:
        return "gone", None, status
    if not answer.is_success:
        return "no answer" if answer.is_server_error else "refused", None, status
    if answer.headers.get("content-type", "").startswith("text/html") and not file.name.endswith((".htm", ".html")):
        return "refused", None, f"{status}, a web page"
    size = _length(answer)
    if size is None or file.bytes is None:
        return "there", size, status
    return "as stated" if size == file.bytes else "another size", size, status


def _length(answer: httpx.Response) -> int | None:
    if answer.status_code == httpx.codes.PARTIAL_CONTENT:
        match = CONTENT_RANGE.fullmatch(answer.headers.get("content-range", ""))
        return int(match[2]) if match and match[2] != "*" else None
    length = answer.headers.get("content-length", "")
    return int(length) if length.isdigit() and "content-encoding" not in answer.headers else None
