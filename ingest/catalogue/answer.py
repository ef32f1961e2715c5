"""What a publisher's server answers: the file, a part of it, or why not, and whether to ask again."""

from __future__ import annotations

import email.utils
import re
import time
from pathlib import Path

import httpx

from featurestore.errors import DownloadError

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


def require_file(answer: httpx.Response, place: str, path: Path) -> None:
    """Raise unless the answer holds the file, or part of it, byte for byte.

    Raises
    ------
    PassingError
        The server may give it later.
    DownloadError
        It does not give it.
    """
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


def extent(answer: httpx.Response) -> tuple[int, int | None]:
    """Read from which byte the answer goes, and how long the whole file is.

    Raises
    ------
    PassingError
        The answer does not say.
    """
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
