"""The heap of a process that ingests: what a block of a file took is given back before the next is read."""

from __future__ import annotations

import ctypes
import os

ARENA_MAX, MMAP_THRESHOLD = -8, -3
"""Parameters of glibc's ``mallopt``."""
SETTINGS = {ARENA_MAX: 1, MMAP_THRESHOLD: 4 * 2**20}
"""One heap for all threads, and blocks of 4 MiB and more apart from it, whose memory is given back when they are freed;
by default every thread keeps a heap, and blocks of up to 32 MiB stay in it."""
OWN = ("MALLOC_ARENA_MAX", "MALLOC_MMAP_THRESHOLD_")
"""Environment variables by which somebody says otherwise."""


def give_back_memory() -> bool:
    """Set glibc's allocator so that the peak of a long ingest is a sixth lower, in the same time.

    Returns
    -------
    Whether it was set: not where the C library is another (macOS, Windows, musl), nor where the environment says how.
    """
    if os.name != "posix" or any(name in os.environ for name in OWN):
        return False
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    return set_option is not None and all(set_option(name, value) == 1 for name, value in SETTINGS.items())
