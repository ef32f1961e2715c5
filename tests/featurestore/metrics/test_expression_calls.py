"""Calls of differential expression against scikit-learn, scipy and counting by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score

from featurestore.metrics import (
    ap_by_lfc,
    ap_by_p,
    direction_match,
    overlap_at_n,
    precision_at_n,
    roc_by_lfc,
    roc_by_p,
    significant_recall,
    spearman_effect_size,
    spearman_lfc,
    spearman_n_significant,
)

PER_GENE = (overlap_at_n, direction_match, ap_by_lfc, roc_by_lfc, spearman_lfc)


def calls(n=10, genes=60, seed=0, decimals=1):
    """Effects with many ties, and a fifth of the genes significant."""
    rng = np.random.default_rng(seed)
    measured = rng.normal(size=(n, genes))
    predicted = (measured + rng.normal(size=measured.shape)).round(decimals)
    return predicted, measured, rng.random(measured.shape) < 0.2


def test_areas__equal_sklearn_with_ties():
    predicted, measured, significant = calls()
    pairs = list(zip(significant, np.abs(predicted), strict=True))
    expected = [average_precision_score(truth, score) for truth, score in pairs]
    np.testing.assert_allclose(ap_by_lfc(predicted, measured, significant), expected, atol=1e-12)
    expected = [roc_auc_score(truth, score) for truth, score in pairs]
    np.testing.assert_allclose(roc_by_lfc(predicted, measured, significant), expected, atol=1e-12)


def test_areas_by_p__equal_sklearn_on_clipped_q_values_and_count_a_missing_one_as_one():
    rng = np.random.default_rng(4)
    _, _, significant = calls()
    q = 10.0 ** -rng.integers(0, 14, significant.shape)
    holed = q.copy()
    q[0, :7], holed[0, :7] = 1.0, np.nan
    scores = -np.log10(q.clip(1e-10))
    pairs = list(zip(significant, scores, strict=True))
    expected = [average_precision_score(truth, score) for truth, score in pairs]
    np.testing.assert_allclose(ap_by_p(holed, significant), expected, atol=1e-12)
    np.testing.assert_allclose(roc_by_p(holed, significant), [roc_auc_score(t, s) for t, s in pairs], atol=1e-12)


def test_spearman_lfc__equals_scipy_on_the_significant_genes():
    predicted, measured, significant = calls()
    expected = [stats.spearmanr(p[s], m[s]).statistic for p, m, s in zip(predicted, measured, significant, strict=True)]
    np.testing.assert_allclose(spearman_lfc(predicted, measured, significant), expected, atol=1e-12)


def test_spearman_between_perturbations__equals_scipy():
    predicted, measured, significant = calls()
    sizes = [np.linalg.norm(x, axis=1) for x in (predicted, measured)]
    assert spearman_effect_size(predicted, measured) == pytest.approx(stats.spearmanr(*sizes).statistic, abs=1e-12)
    called = np.abs(predicted) > 1
    significant[0] = False
    n = [x.sum(axis=1)[1:] for x in (called, significant)]
    assert spearman_n_significant(called, significant) == pytest.approx(stats.spearmanr(*n).statistic, abs=1e-12)


def test_overlap__counts_common_genes_of_both_lists():
    measured = np.array([[5.0, -4.0, 3.0, 0.1, 0.2, 0.0]])
    significant = np.abs(measured) > 1
    predicted = np.array([[-2.0, 0.1, 3.0, 1.0, 0.0, 0.0]])
    assert overlap_at_n(predicted, measured, significant) == pytest.approx(2 / 3)
    assert overlap_at_n(predicted, measured, significant, k=1) == 0.0
    called = np.array([[True, False, True, True, False, False]])
    assert overlap_at_n(predicted, measured, significant, predicted_significant=called) == pytest.approx(2 / 3)
    assert precision_at_n(predicted, measured, significant, called) == pytest.approx(2 / 3)
    assert precision_at_n(predicted, measured, significant, called, k=2) == pytest.approx(1 / 2)
    assert precision_at_n(predicted, measured, significant, np.zeros_like(called)) == 0.0
    assert significant_recall(significant, called) == pytest.approx(2 / 3)
    assert direction_match(predicted, measured, significant) == pytest.approx(1 / 3)


def test_overlap__of_no_change_is_chance_whatever_the_order_of_genes():
    _, measured, significant = calls()
    expected = significant.sum(axis=1) / measured.shape[1]
    np.testing.assert_allclose(overlap_at_n(np.zeros_like(measured), measured, significant), expected)


@pytest.mark.parametrize("metric", PER_GENE)
def test_metric__is_undefined_without_a_significant_gene(metric):
    predicted, measured, significant = calls()
    significant[3] = False
    scores = metric(predicted, measured, significant)
    assert np.isnan(scores).tolist() == [p == 3 for p in range(10)]
    called = np.abs(predicted) > 1
    assert np.isnan(precision_at_n(predicted, measured, significant, called))[3]
    assert np.isnan(significant_recall(significant, called))[3]


@pytest.mark.parametrize("metric", PER_GENE)
def test_metric__of_a_perfect_prediction_is_one(metric):
    _, measured, _ = calls()
    significant = np.abs(measured) > 0.9
    np.testing.assert_allclose(metric(measured, measured, significant), 1.0)


@pytest.mark.parametrize("metric", PER_GENE)
def test_metric__leaves_missing_genes_out(metric):
    predicted, measured, significant = calls()
    holed = measured.copy()
    holed[:, 50:] = np.nan
    expected = metric(predicted[:, :50], measured[:, :50], significant[:, :50])
    np.testing.assert_allclose(metric(predicted, holed, significant), expected, atol=1e-12)


grid = st.integers(-3, 3).map(float)


@given(arrays(np.float64, (4, 9), elements=grid), arrays(np.float64, (4, 9), elements=grid), st.permutations(range(9)))
def test_metrics__do_not_depend_on_the_order_of_genes_even_where_all_ties(predicted, measured, order):
    significant = np.abs(measured) > 1
    for metric in PER_GENE:
        before = metric(predicted, measured, significant)
        after = metric(predicted[:, order], measured[:, order], significant[:, order])
        np.testing.assert_allclose(after, before, atol=1e-12)
