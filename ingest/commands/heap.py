"""The heap of a process that ingests: what a block of a file took is kept for the next, with its pages as they are.

Otherwise the C library hands large arrays back to the system as they are freed, which clears the pages of the next.
"""

from __future__ import annotations

import ctypes
import os

ARENA_MAX, MMAP_THRESHOLD, TRIM_THRESHOLD = -8, -3, -1
"""Parameters of glibc's ``mallopt``."""
SETTINGS = {ARENA_MAX: 1, MMAP_THRESHOLD: 32 * 2**20, TRIM_THRESHOLD: 128 * 2**20}
"""One heap for all threads, which has blocks of up to 32 MiB, the most there is, and keeps 128 MiB that were freed at
its end; by default every thread keeps a heap, and gives such an end back."""
OWN = ("MALLOC_ARENA_MAX", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")
"""Environment variables by which somebody says otherwise."""


def keep_memory() -> bool:
    """Set glibc's allocator so that an ingest clears a third of the pages, at about the same peak.

    Returns
    -------
    Whether it was set: not where the C library is another (macOS, Windows, musl), nor where the environment says how.
    """
    if os.name != "posix" or any(name in os.environ for name in OWN):
        return False
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    return set_option is not None and all(set_option(name, value) == 1 for name, value in SETTINGS.items())
