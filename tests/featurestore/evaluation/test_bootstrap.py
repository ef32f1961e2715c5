"""Intervals of the paired bootstrap: against scipy's, and where there is little or nothing."""

import numpy as np
import pytest
from scipy.stats import bootstrap

from featurestore.evaluation.bootstrap import mean_intervals


def test_mean_intervals__are_scipys_percentile_intervals():
    values = np.random.default_rng(0).gamma(1.0, size=(80, 2))
    low, high = mean_intervals(values)
    for column in range(2):
        oracle = bootstrap((values[:, column],), np.mean, n_resamples=10_000, method="percentile", rng=1)
        assert low[column] == pytest.approx(oracle.confidence_interval.low, abs=0.01)
        assert high[column] == pytest.approx(oracle.confidence_interval.high, abs=0.01)


def test_mean_intervals__hold_the_true_mean_as_often_as_they_say():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(60, 400))
    low, high = mean_intervals(values, draws=2000)
    assert ((low < 0) & (high > 0)).mean() == pytest.approx(0.94, abs=0.03)


def test_mean_intervals__leave_out_what_is_undefined():
    values = np.random.default_rng(2).normal(size=(50, 1))
    gaps = np.vstack([values, np.full((30, 1), np.nan)])
    np.testing.assert_allclose(mean_intervals(gaps), mean_intervals(values), atol=0.05)
    for few in (np.full((5, 1), np.nan), np.array([[1.0], [np.nan]]), np.empty((0, 1))):
        assert np.isnan(mean_intervals(few)).all()
