"""Who may ask, and what a page may do: this machine's names only, reading only, and nothing but our own scripts."""

from __future__ import annotations

import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from featurestore.ui.gene_sets import MOST_BYTES

HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?", re.IGNORECASE)
"""Names of the machine itself: a page of another name that resolves to it is refused (DNS rebinding)."""
OWN = ("same-origin", "none")
"""Where a browser says that a request comes from, if it is our own page, or what someone typed."""
ASKING = ("sql", "plan")
"""Pages that do what is written in their address, for seconds."""
READING = ("GET", "HEAD")
BRINGS = "/enrichment"
"""The one address that takes a POST: gene sets of a form of ours, kept in memory while pages test them."""
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


class Guarded:
    """An application behind its checks.

    Parameters
    ----------
    app
        The application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        brings = scope["method"] == "POST" and scope["path"] == BRINGS
        asks = scope["path"].strip("/").partition("/")[0] in ASKING and bool(scope["query_string"])
        headers = Headers(scope=scope)
        refused = _refusal_of_form(headers) if brings else None
        refused = refused or _refusal("GET" if brings else scope["method"], headers, asks=asks)
        if refused is None and not scope["path"].startswith("/"):
            refused = PlainTextResponse("An address begins with a slash.\n", 400)
        await (refused or self._app)(scope, receive, guarded)


def _refusal_of_form(headers: Headers) -> PlainTextResponse | None:
    """Refuse what no form of this server sent, and what is larger than any should be."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site != "same-origin" and not (site is None and origin == f"http://{headers.get('host')}"):
        return PlainTextResponse("Other sites may link here, but not ask.\n", 403)
    size = headers.get("content-length", "")
    if not size.isdecimal() or int(size) > MOST_BYTES:
        return PlainTextResponse(f"Gene sets may have {MOST_BYTES // 2**20} MB.\n", 413)
    return None


def _refusal(method: str, headers: Headers, *, asks: bool) -> PlainTextResponse | None:
    hosts = headers.getlist("host")
    if len(hosts) != 1 or HOST.fullmatch(hosts[0]) is None:
        return PlainTextResponse("Only this machine may ask, by the name 127.0.0.1 or localhost.\n", 400)
    if method not in READING:
        return PlainTextResponse("The warehouse can only be read.\n", 405, {"allow": ", ".join(READING)})
    is_foreign = headers.get("sec-fetch-site", "none") not in OWN
    is_link = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest", "document") == "document"
    if is_foreign and (asks or not is_link):
        return PlainTextResponse("Other sites may link here, but not ask.\n", 403)
    return None
