"""Work beside the calling thread: predictions are scored while the next model is fitted."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

_WAITING = 2
"""Pieces of work that wait at most: each holds what it works on."""


class Beside:
    """One further thread, which does pieces of work in the order given.

    On leaving, all of it is done; what went wrong in a piece is raised here.

    Examples
    --------
    >>> done = []
    >>> with Beside() as beside:
    ...     for piece in range(4):
    ...         beside.do(done.append, piece)
    >>> done
    [0, 1, 2, 3]
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1)
        self._begun: deque[Future[Any]] = deque()

    def __enter__(self) -> Self:
        return self

    def do(self, work: Callable[..., Any], *given: Any) -> None:
        """Have a piece of work done, as soon as there is room for it."""
        self._finish(_WAITING)
        self._begun.append(self._pool.submit(work, *given))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if kind is None:
                self._finish(0)
        finally:
            self._pool.shutdown(cancel_futures=True)

    def _finish(self, most: int) -> None:
        """Wait until no more pieces than these are left."""
        while len(self._begun) > most:
            self._begun.popleft().result()
