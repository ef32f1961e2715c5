"""What a command shows on a terminal: what is being done, and tables as plain text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer

from rich.console import Console
from rich.table import Table

WIDTH = 160
_PATIENCE = 2.0
"""Seconds before a silent command says what it does."""
_COUNT = re.compile(r"[\d,]+ of [\d,]+ ")


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Show on standard error what is being done: one line that changes on a terminal, one line a step elsewhere.

    A step that counts, such as ``3 of 8 perturbations``, is one line, its last.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        counted: list[str] = []

        def tell(text: str) -> None:
            is_count = _COUNT.match(text) is not None
            if counted and not is_count:
                console.print(f"  {counted.pop()}", highlight=False)
            if is_count:
                counted[:] = [text]
            else:
                console.print(f"  {text}", highlight=False)

        yield tell
        for text in counted:
            console.print(f"  {text}", highlight=False)
        return
    with console.status("starting") as status:
        yield status.update


@contextmanager
def patience(what: str) -> Iterator[None]:
    """Say on a terminal what is being done, once it has taken two seconds; what is piped sees nothing of it.

    Nothing else may be written to standard output meanwhile.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    status = console.status(what)
    timer = Timer(_PATIENCE, status.start)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        status.stop()


def rendered(table: Table) -> str:
    """Render a table as plain text."""
    console = Console(width=WIDTH, force_terminal=False, color_system=None)
    with console.capture() as capture:
        console.print(table)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()).rstrip()
