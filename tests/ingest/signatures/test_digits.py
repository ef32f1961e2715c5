"""What is kept of numbers: digits that are known of them, beside plain NumPy."""

from __future__ import annotations

import numpy as np

from ingest.signatures.digits import cut, rounded


def test_cut__leaves_half_of_the_bytes_and_no_more_than_there_was():
    p_value = 10.0 ** np.random.default_rng(0).uniform(-300.0, 0.0, 10_000)
    kept = cut(p_value)
    np.testing.assert_allclose(kept, p_value, rtol=1e-6)
    assert (kept <= p_value).all()
    assert (kept > 0).all()
    assert {kept.tobytes()[at::8] for at in range(4)} == {bytes(kept.size)}
    np.testing.assert_array_equal(cut(kept), kept)
    order = np.argsort(p_value)
    assert (np.diff(kept[order]) >= 0).all()


def test_cut__leaves_what_has_few_digits_as_it_is():
    few = np.array([5e-324, 1e-310, np.nan, 1.0, 0.0])
    np.testing.assert_array_equal(cut(few), few)


def test_rounded__is_the_nearest_number_of_sixteen_bits():
    values = np.random.default_rng(0).normal(size=(50, 200)) * 10.0 ** np.arange(-25, 25)[:, None]
    kept = rounded(values)
    single = values.astype(np.float32).astype(np.float64)
    fraction, exponent = np.frexp(single)
    np.testing.assert_array_equal(kept, np.ldexp(np.rint(fraction * 2.0**16), exponent - 16))
    np.testing.assert_allclose(kept, values, rtol=1.6e-5)
    assert set(kept.tobytes()[0::4]) == {0}


def test_rounded__keeps_what_is_no_number():
    np.testing.assert_array_equal(rounded(np.array([np.nan, np.inf, -np.inf, 0.0])), [np.nan, np.inf, -np.inf, 0.0])
