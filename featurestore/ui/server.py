"""Serve the pages to this machine, until Ctrl-C."""

from __future__ import annotations

import asyncio
import http.client
import os
import signal
import socket
import threading
import webbrowser
from collections.abc import Callable
from contextlib import closing, suppress
from types import FrameType

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from featurestore.errors import WarehouseError
from featurestore.ui.apart import warm
from featurestore.ui.app import application
from featurestore.ui.questions import Shelf
from featurestore.ui.security import HEADERS
from featurestore.ui.served_files import vega

LOOPBACK = "127.0.0.1"
LONGEST_REQUEST = 10.0
"""How long a request may take to arrive. Unit: seconds."""
LONGEST_SILENCE = 30.0
"""How long an answer may wait for whoever asked to read more of it. Unit: seconds."""
FAREWELL = 1.0
"""How long pages that are being made are waited for at the end. Unit: seconds."""


class Prompt(H11Protocol):
    """A connection that is given up where a request does not come to its end, or nobody reads the answer."""

    _hanging: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take up a part of a request."""
        super().data_received(data)
        is_whole = self.conn.their_state is not h11.SEND_BODY
        if self.cycle is not None and not self.cycle.response_complete and is_whole:
            self._stop()
        elif self._hanging is None:
            self._wait()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request, under the headers of every answer."""
        headers = {"content-type": "text/plain; charset=utf-8", "connection": "close", **HEADERS}
        for event in (
            h11.Response(status_code=400, headers=list(headers.items()), reason=b"Bad Request"),
            h11.Data(data=msg.encode("ascii")),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event))
        self.transport.close()

    def pause_writing(self) -> None:
        """Write no more until what was written is read."""
        super().pause_writing()
        self._look_later()

    def resume_writing(self) -> None:
        """Write on."""
        self._look_no_more()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop()
        self._look_no_more()
        super().connection_lost(exc)

    def _look_later(self) -> None:
        n_unread = self.transport.get_write_buffer_size()
        self._unread = self.loop.call_later(LONGEST_SILENCE, self._look, n_unread)

    def _look(self, n_before: int) -> None:
        if self.transport.get_write_buffer_size() < n_before:
            self._look_later()
        else:
            self.transport.abort()

    def _look_no_more(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _wait(self) -> None:
        self._hanging = self.loop.call_later(LONGEST_REQUEST, self.transport.close)

    def _stop(self) -> None:
        if self._hanging is not None:
            self._hanging.cancel()
            self._hanging = None


class _Server(uvicorn.Server):
    """A server that says when it answers, and ends soon when it is told to: nothing is written that could be cut."""

    def __init__(self, config: uvicorn.Config, is_up: Callable[[], None], give_up: Callable[[], None]) -> None:
        super().__init__(config)
        self._is_up, self._give_up = is_up, give_up
        self._told: int = signal.SIGTERM

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        self._is_up()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Be told to end, and by what."""
        self._told = sig
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End queries at once, and the process a little later, whatever page a thread is at."""
        self._give_up()
        leave = threading.Timer(FAREWELL, os._exit, (128 + self._told,))
        leave.daemon = True
        leave.start()
        await super().shutdown(sockets)


def serve(shelf: Shelf, port: int, say: Callable[[str], None], *, has_browser: bool) -> None:
    """Answer requests on a port of the loopback interface, any free one where 0.

    Raises
    ------
    WarehouseError
        The port is taken.
    """
    listening = _listen(port)
    url = f"http://{LOOPBACK}:{listening.getsockname()[1]}/"

    def is_up() -> None:
        say(url)
        threading.Thread(target=prepare, args=(listening.getsockname()[1],), daemon=True).start()
        if has_browser:
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()

    pages = application(shelf)
    config = uvicorn.Config(pages, log_level="error", server_header=False, lifespan="off", ws="none", http=Prompt)
    _Server(config, is_up, shelf.apart.close).run([listening])


def prepare(port: int) -> None:
    """Make ready, one by one, what the first to ask would wait for: the first page, charts and queries."""
    with suppress(OSError, http.client.HTTPException), closing(http.client.HTTPConnection(LOOPBACK, port)) as first:
        first.request("GET", "/")
        first.getresponse().read()
    from featurestore.ui import drawing  # noqa: F401, PLC0415, loads the chart library

    warm()
    vega()


def _listen(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((LOOPBACK, port))
    except OSError as error:
        listening.close()
        raise WarehouseError(
            "The port cannot be used.",
            where=f"{LOOPBACK}:{port}",
            got=error.strerror or str(error),
            do="name another with --port, or --port 0 for any that is free",
        ) from None
    return listening
