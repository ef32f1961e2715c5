"""What is kept of a p-value: the digits that are known of it, and never more than it was."""

from __future__ import annotations

import numpy as np

from ingest.signatures.tested import known_digits


def test_known_digits__are_all_but_the_last_three_bytes_and_no_more_than_p():
    p_value = 10.0 ** np.random.default_rng(0).uniform(-300.0, 0.0, 10_000)
    kept = known_digits(p_value)
    np.testing.assert_allclose(kept, p_value, rtol=4e-9)
    assert (kept <= p_value).all()
    assert (kept > 0).all()
    assert {kept.tobytes()[at::8] for at in range(3)} == {bytes(kept.size)}


def test_known_digits__leave_what_has_few_as_it_is():
    few = np.array([5e-324, 1e-310, np.nan, 1.0])
    np.testing.assert_array_equal(known_digits(few), few)
