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
