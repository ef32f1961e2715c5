"""Queries that people write, each in a process of its own: a few at a time, over in time and within their memory."""

from __future__ import annotations

import io
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import polars as pl

from featurestore.errors import FeatureStoreError, QueryError
from featurestore.query.watched import GRACE, ended, limit_address_space, took_too_long
from featurestore.store import Store

AT_ONCE = 2
MOST_BYTES = 32 * 2**20
"""What a result may take: a page and its files are for looking, not for moving data."""
_STARTING = 5.0
"""How long a process may take to begin. Unit: seconds."""
_BETWEEN_LOOKS = 0.1
"""How often it is seen to whether the answer is still waited for. Unit: seconds."""
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__])


class Apart:
    """Processes that answer queries over a warehouse.

    Parameters
    ----------
    root
        The warehouse.
    memory
        The most memory that a query may take.
    """

    def __init__(self, root: Path, memory: str) -> None:
        self._root, self._memory = root, memory
        self._free = threading.BoundedSemaphore(AT_ONCE)
        self._is_over = threading.Event()

    def frame(
        self, snapshot: int, query: str, *, seconds: float, most_rows: int, is_left: Callable[[], bool]
    ) -> pl.DataFrame:
        """Ask one SELECT statement of a snapshot, as :meth:`featurestore.query.warehouse.Warehouse.frame` does.

        Raises
        ------
        QueryError
            The statement is wrong, takes too long or too much, too many are asked already, or ``is_left`` says that
            nobody waits for the answer any more.
        """
        if not self._free.acquire(blocking=False):
            raise QueryError(
                "Other queries are being answered.",
                expected=f"at most {AT_ONCE} at a time",
                do=f"try again when one has ended; none takes more than {seconds:g} s",
            )
        try:
            return self._ask((self._root, snapshot, self._memory, query, seconds, most_rows), seconds, is_left)
        finally:
            self._free.release()

    def close(self) -> None:
        """Give up what is asked."""
        self._is_over.set()

    def _ask(
        self, question: tuple[Path, int, str, str, float, int], seconds: float, is_left: Callable[[], bool]
    ) -> pl.DataFrame:
        here, there = _context.Pipe(duplex=False)
        process = _context.Process(target=_answer, args=(there, *question), daemon=True)
        _start(process)
        there.close()
        try:
            deadline = time.monotonic() + seconds + GRACE + _STARTING
            while not here.poll(_BETWEEN_LOOKS):
                if self._is_over.is_set() or is_left():
                    raise QueryError("The query was given up.", do="ask again")
                if time.monotonic() > deadline:
                    raise took_too_long(seconds)
            answer: bytes | FeatureStoreError = here.recv()
        except EOFError:
            process.join()
            raise ended(process.exitcode or 0) from None
        finally:
            process.kill()
            process.join()
            process.close()
            here.close()
        if isinstance(answer, FeatureStoreError):
            raise answer
        return pl.read_ipc_stream(answer)


def _answer(
    pipe: Connection, root: Path, snapshot: int, memory: str, query: str, seconds: float, most_rows: int
) -> None:
    """Answer one query, politely: pages that others look at come first."""
    threading.Thread(target=_end_with_asker, daemon=True).start()
    os.nice(10)
    try:
        with Store(root, snapshot, memory=memory) as store:
            limit_address_space(store.most_bytes)
            frame = store.frame(query, timeout=seconds, most_rows=most_rows, most_bytes=MOST_BYTES)
            content = io.BytesIO()
            frame.write_ipc_stream(content)
        pipe.send(content.getvalue())
    except FeatureStoreError as error:
        pipe.send(error)
    except MemoryError:
        pipe.send(QueryError("The query needs more memory than it may take.", do="select fewer rows or columns"))


def _end_with_asker() -> None:
    """End this process when that one ends which waits for the answer, even if it was killed."""
    asker = multiprocessing.parent_process()
    if asker is not None:
        wait([asker.sentinel])
        os._exit(1)


def _start(process: ForkServerProcess) -> None:
    """Start a process, and the one that all come from, which do not hear Ctrl-C: they end with what is asked."""
    resource_tracker.ensure_running()  # or it would make this thread hear again
    heard = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, heard)


def warm() -> None:
    """Start the process that the others come from."""
    process = _context.Process(target=os.getpid, daemon=True)
    _start(process)
    process.join()
    process.close()
