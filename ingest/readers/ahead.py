"""Work ahead in threads: results come in order, a bounded number of them waiting."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar, cast

THREADS = "FEATURESTORE_THREADS"
"""Environment variable: how many cores a process uses, if not all."""
N_CORES = int(os.environ.get(THREADS, "0")) or (
    len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
)
"""Cores that this process may use."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[tuple[Item, Result]]:
    """Yield each item with its result, in order, while threads work on those that follow.

    Parameters
    ----------
    function
        What to do; it must let go of the interpreter's lock to gain anything, as numpy does.
    items
        What to do it with. At most one result more than there are cores is waiting.
    """
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    with ThreadPoolExecutor(N_CORES) as pool:
        try:
            for item in items:
                waiting.append((item, pool.submit(function, item)))
                if len(waiting) > N_CORES:
                    first, result = waiting.popleft()
                    yield first, result.result()
            while waiting:
                first, result = waiting.popleft()
                yield first, result.result()
        finally:
            pool.shutdown(cancel_futures=True)


def one_ahead(items: Iterable[Item]) -> Iterator[Item]:
    """Yield items while a thread makes the one that follows."""
    made = iter(items)
    end = object()
    with ThreadPoolExecutor(1) as pool:
        following: Future[Item | object] = pool.submit(next, made, end)
        while (item := following.result()) is not end:
            following = pool.submit(next, made, end)
            yield cast("Item", item)


def batched(items: Iterable[Item], length: int) -> Iterator[list[Item]]:
    """Yield lists of so many items, the last of what is left."""
    iterator = iter(items)
    while batch := list(islice(iterator, length)):
        yield batch
