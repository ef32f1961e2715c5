"""Addresses to download from: which are safe, and how to show one without the secrets it may hold."""

from __future__ import annotations

import httpx

from featurestore.errors import DownloadError

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def require_safe(url: str, *, origin: str | None = None) -> None:
    """Refuse what is not https. A server on this machine may be http, but no other (``origin``) may point to it.

    Raises
    ------
    DownloadError
        The address is of another kind.
    """
    address = httpx.URL(url)
    is_here = address.host in LOOPBACK
    led_here = is_here and origin is not None and httpx.URL(origin).host not in LOOPBACK
    if led_here or address.scheme not in ({"https", "http"} if is_here else {"https"}):
        raise DownloadError("The address is not safe to download from.", where=shown(url), expected="one of https")


def downloadable(url: str) -> str:
    """Give the https address of an object of public storage; any other address is as it was.

    Examples
    --------
    >>> downloadable("gs://bucket/a/b.h5ad"), downloadable("s3://bucket/a/b.h5ad")
    ('https://storage.googleapis.com/bucket/a/b.h5ad', 'https://bucket.s3.amazonaws.com/a/b.h5ad')
    """
    scheme, _, place = url.partition("://")
    bucket, _, name = place.partition("/")
    if scheme == "gs":
        return f"https://storage.googleapis.com/{bucket}/{name}"
    return f"https://{bucket}.s3.amazonaws.com/{name}" if scheme == "s3" else url


def shown(url: str) -> str:
    """Write an address without user, password, query and fragment: publishers put signatures there.

    Examples
    --------
    >>> shown("https://me:word@host.org/a/b.h5ad?signature=abc")
    'https://host.org/a/b.h5ad'
    """
    address = httpx.URL(url)
    port = f":{address.port}" if address.port else ""
    return f"{address.scheme}://{address.host}{port}{address.path}"
