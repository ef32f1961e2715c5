"""Every metric against what cell-eval, cell-eval2, pdex and scanpy said of the same cells."""

import numpy as np
import pytest
from metrics import compare, row, unmatched

ORACLES = {
    "cell-eval 0.8.2": 18,
    "cell-eval2 0.20.0": 6,
    "pdex 0.3.0": 4,
    "scanpy 1.11.5": 1,
}


@pytest.fixture(scope="module")
def rows(answers):
    return compare(*answers)


@pytest.mark.parametrize("oracle", ORACLES)
def test_metric__equals_its_oracle(rows, oracle):
    own = [r for r in rows if r.oracle == oracle]
    assert len(own) == ORACLES[oracle]
    off = {r.metric: r.difference for r in own if not r.difference <= r.tolerance}
    assert not off


def test_metrics__without_an_oracle_here_are_compared_elsewhere(rows):
    """With scipy and scikit-learn, in the tests of metrics."""
    assert unmatched(rows) == ["centred_pearson", "spearman_effect_size", "ap_by_lfc", "roc_by_lfc"]


def test_comparison__fails_where_the_oracle_has_nothing_or_another_value():
    assert row("m", "o", [1.0, np.nan], [1.0, 0.0], 0).difference == 0
    assert row("m", "o", [1.0], [np.nan], 0).difference == np.inf
    assert row("m", "o", [np.nan], [np.nan], 0).difference == np.inf
    assert row("m", "o", [1.0, np.inf], [0.5, np.inf], 0).difference == 0.5


def test_case__has_the_corners_that_metrics_trip_over(answers):
    _, measured, peers = answers
    called = peers["cell_eval"]["called_measured"]
    assert len(measured.perturbations) == 8
    assert min(called.get(name, 0) for name in measured.perturbations) == 0
    assert sum(0 < called.get(name, 0) < 10 for name in measured.perturbations) >= 1
    assert "pool" in measured.perturbations
    assert "pool" not in measured.genes
