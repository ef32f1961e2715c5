from __future__ import annotations

import threading
import time

import pytest

from ingest.readers.ahead import ahead, batched


def test_ahead__keeps_order_and_holds_few_results():
    started, most_waiting, taken = set(), 0, 0
    lock = threading.Lock()

    def work(item):
        with lock:
            started.add(item)
        time.sleep(0.002 * (7 - item % 7))
        return item * item

    for item, result in ahead(work, range(40)):
        assert (item, result) == (taken, taken * taken)
        taken += 1
        with lock:
            most_waiting = max(most_waiting, len(started) - taken)
    assert taken == 40
    assert most_waiting < 40 / 2


def test_ahead__raises_what_a_thread_raised_and_stops():
    started = []

    def work(item):
        started.append(item)
        if item == 3:
            raise ValueError("item 3")
        return item

    done = []
    with pytest.raises(ValueError, match="item 3"):
        for item, _ in ahead(work, range(10_000)):
            done.append(item)
    assert done == [0, 1, 2]
    assert len(started) < 10_000


@pytest.mark.parametrize(("length", "sizes"), [(5, [5, 5, 2]), (12, [12]), (20, [12])])
def test_batched__leaves_nothing_out(length, sizes):
    batches = list(batched(range(12), length))
    assert [len(batch) for batch in batches] == sizes
    assert [item for batch in batches for item in batch] == list(range(12))
