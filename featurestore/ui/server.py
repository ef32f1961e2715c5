"""Serve the pages to this machine, until Ctrl-C."""

from __future__ import annotations

import socket
import threading
import webbrowser
from collections.abc import Callable

import uvicorn

from featurestore.errors import WarehouseError
from featurestore.ui.apart import warm
from featurestore.ui.app import application, vega
from featurestore.ui.questions import Shelf

LOOPBACK = "127.0.0.1"


class _Server(uvicorn.Server):
    """A server that says when it answers."""

    def __init__(self, config: uvicorn.Config, is_up: Callable[[], None]) -> None:
        super().__init__(config)
        self._is_up = is_up

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        self._is_up()


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
        for prepare in (vega, warm):  # while the first page is being read
            threading.Thread(target=prepare, daemon=True).start()
        if has_browser:
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()

    config = uvicorn.Config(application(shelf), log_level="warning", server_header=False, lifespan="off", ws="none")
    _Server(config, is_up).run([listening])


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
