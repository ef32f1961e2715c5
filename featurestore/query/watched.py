"""Work in a process of its own: over at its deadline or at Ctrl-C whatever it does, and within its share of memory.

Only the system can hold a query to its limits: a function of DuckDB may run for minutes before it looks whether it is
interrupted, and allocates past DuckDB's own count.
"""

from __future__ import annotations

import ctypes
import os
import resource
import select
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from featurestore.errors import QueryError

GRACE = 0.5
"""How long after its deadline work may take to end itself, with words of its own. Unit: seconds."""
SLACK_BYTES = 512 * 2**20
"""Address space beyond the memory of a query, for threads, code and what is written."""
_SET_DEATH_SIGNAL = 1
_BETWEEN_LOOKS = 0.02


def watch(seconds: float | None) -> bool:
    """Go on in a child process, and say so; the parent waits here for its end, and exits as it did.

    A process that has threads already cannot be doubled: it goes on as it is.

    Raises
    ------
    QueryError
        The child was killed: by its deadline, or for want of memory.
    KeyboardInterrupt
        Ctrl-C; the child is gone.
    """
    if _n_threads() > 1:
        return False
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        end_with(parent)
        return True
    try:
        _wait(child, None if seconds is None else seconds + GRACE)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    except BaseException:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    if code < 0:
        raise ended(code)
    sys.exit(code)


def took_too_long(seconds: float) -> QueryError:
    """Say that a query was given up."""
    return QueryError(
        "The query took too long.",
        expected=f"at most {seconds:g} s",
        do="ask for less, or give it more time: featurestore sql --timeout SECONDS",
    )


def ended(code: int) -> QueryError:
    """Say how the process of a query ended, by a signal where the code is negative, and what that means."""
    name = signal.Signals(-code).name if code < 0 else f"itself, exit code {code}"
    is_stack = name in {"SIGSEGV", "SIGBUS"}  # of a stack that is too deep
    return QueryError(
        "The query could not be run to its end.",
        got=f"its process was ended by {name}",
        do="nest it less deeply" if is_stack else "select fewer rows or columns, or raise the limit (--memory)",
    )


def limit_address_space(most_bytes: int) -> None:
    """Let this process take some memory beyond what it has mapped by now."""
    with suppress(OSError, ValueError):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        most = pages * resource.getpagesize() + most_bytes + SLACK_BYTES
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def end_with(parent: int) -> None:
    """End this process when its parent ends, where the system can do that."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)


def _wait(child: int, seconds: float | None) -> None:
    if hasattr(os, "pidfd_open"):
        descriptor = os.pidfd_open(child)
        try:
            is_over = bool(select.select([descriptor], [], [], seconds)[0])
        finally:
            os.close(descriptor)
    else:
        deadline = None if seconds is None else time.monotonic() + seconds
        while os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None and (
            deadline is None or time.monotonic() < deadline
        ):
            time.sleep(_BETWEEN_LOOKS)
        is_over = deadline is None or time.monotonic() < deadline
    if not is_over and seconds is not None:
        raise took_too_long(seconds - GRACE)


def _n_threads() -> int:
    try:
        return sum(1 for _ in Path("/proc/self/task").iterdir())
    except OSError:
        import threading  # noqa: PLC0415, only where there is no /proc

        return threading.active_count()
