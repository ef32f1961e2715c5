"""Work beside the calling thread: in order, all of it, and never failing in silence."""

import threading

import pytest

from featurestore.evaluation.beside import Beside


def test_beside__does_all_in_order_in_one_other_thread():
    done = []
    with Beside() as beside:
        for piece in range(20):
            beside.do(lambda n: done.append((n, threading.get_ident())), piece)
    assert [n for n, _ in done] == list(range(20))
    assert len({thread for _, thread in done} | {threading.get_ident()}) == 2


def test_beside__raises_what_went_wrong_in_a_piece():
    with pytest.raises(ZeroDivisionError), Beside() as beside:
        beside.do(divmod, 1, 0)


def test_beside__lets_the_callers_own_error_through():
    begun = threading.Event()
    with pytest.raises(KeyError, match="ours"), Beside() as beside:
        beside.do(begun.wait)
        begun.set()
        raise KeyError("ours")
