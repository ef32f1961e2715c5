import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from ingest.signatures.linear import Samples
from ingest.signatures.lowess import lowess
from ingest.signatures.moderated import fit_replicates
from ingest.signatures.prior import Prior, fit_prior, inverse_trigamma

LIMMA = json.loads((Path(__file__).parent / "data" / "limma.json").read_text())


def samples(counts, condition, replicate=None, totals=None):
    totals = counts.sum(axis=1) if totals is None else totals
    return Samples(np.array(condition), counts.__getitem__, totals, None if replicate is None else np.array(replicate))


def moderated(given):
    return fit_replicates(given).compare(1, given.n_conditions)


def drawn(n_samples, n_genes=400, depth=3e4, seed=0, shift=0.0):
    rng = np.random.default_rng(seed)
    rate = rng.gamma(1.0, 1.0, n_genes)
    mean = depth * rate / rate.sum() * np.exp(rng.normal(0.0, 0.3, (n_samples, n_genes)) + shift)
    return rng.poisson(mean).astype(np.float64)


@pytest.mark.parametrize("case", LIMMA, ids=lambda case: case["name"])
@pytest.mark.parametrize("model", ["voom", "trend"])
def test_replicates__equal_limma(case, model):
    counts = np.array(case["counts"], float)
    given = samples(counts, case["condition"], case["replicate"], np.array(case["totals"], float))
    if model == "trend":
        logs = given.logs(slice(None), counts)
        given = Samples(given.condition, logs.__getitem__, None, given.replicate)
    ours, theirs = moderated(given), case[model]
    assert ours.freedom == pytest.approx(theirs["freedom"], rel=1e-9)
    for column in ("effect", "standard_error", "p_value"):
        value = getattr(ours, column)
        where = np.isfinite(ours.p_value)
        assert where.mean() > 0.8
        np.testing.assert_allclose(value[where], np.array(theirs[column])[where], rtol=1e-6)


def test_replicates__conditions_read_in_blocks_are_as_one(monkeypatch):
    counts = drawn(40)
    condition, replicate = np.repeat(np.arange(10), 4), np.tile(np.arange(4), 10)
    whole = moderated(samples(counts, condition, replicate))
    monkeypatch.setattr("ingest.signatures.linear.AT_ONCE", 3)
    model = fit_replicates(samples(counts, condition, replicate))
    parts = [model.compare(first, min(first + 4, 10)) for first in (1, 5, 9)]
    np.testing.assert_allclose(np.vstack([p.p_value for p in parts]), whole.p_value, rtol=1e-9)


def test_replicates__paired_effects_are_mean_differences_where_weights_are_alike():
    rng = np.random.default_rng(1)
    logs = rng.normal(5.0, 1.0, (8, 50))
    given = Samples(np.repeat([0, 1], 4), logs.__getitem__, None, np.tile(np.arange(4), 2))
    differences = logs[4:] - logs[:4]
    found = moderated(given)
    np.testing.assert_allclose(found.effect[0], differences.mean(axis=0), atol=1e-12)
    model = fit_replicates(given)  # its residual mean square is half the variance of the differences
    np.testing.assert_allclose(model.fit.mean_square, differences.var(axis=0, ddof=1) / 2.0, rtol=1e-9)


def test_replicates__constant_genes_have_no_test_and_no_say_in_others():
    counts = drawn(6, 200)
    alone = moderated(samples(counts, [0, 0, 0, 1, 1, 1]))
    zeros = np.hstack([counts, np.zeros((6, 20)), np.full((6, 3), 40.0)])
    among = moderated(samples(zeros, [0, 0, 0, 1, 1, 1], totals=counts.sum(axis=1)))
    assert np.isnan(among.p_value[:, 200:]).all()
    assert np.isnan(among.standard_error[:, 200:]).all()
    np.testing.assert_array_equal(among.p_value[:, :200], alone.p_value)
    assert among.freedom == alone.freedom


def test_replicates__a_gene_that_only_other_conditions_have_has_no_test_here():
    counts = drawn(9, 100)
    counts[:6, 7] = 0.0
    counts[6:, 7] = [90.0, 110.0, 95.0]
    found = moderated(samples(counts, [0, 0, 0, 1, 1, 1, 2, 2, 2]))
    assert np.isnan(found.p_value[0, 7])
    assert found.p_value[1, 7] < 1e-6


def test_replicates__rare_genes_have_no_test():
    rng = np.random.default_rng(3)
    counts = np.hstack([drawn(6, 200), rng.poisson(0.4, (6, 300)).astype(float)])
    found = moderated(samples(counts, [0, 0, 0, 1, 1, 1]))
    assert np.isfinite(found.p_value[:, :200]).mean() > 0.9
    assert np.isnan(found.p_value[:, 200:]).all()


def test_replicates__a_gene_that_appears_is_tested():
    counts = drawn(6, 200)
    counts[:3, 0], counts[3:, 0] = 0.0, [30.0, 35.0, 28.0]
    found = moderated(samples(counts, [0, 0, 0, 1, 1, 1]))
    assert found.p_value[0, 0] < 1e-3
    assert found.effect[0, 0] > 4.0


def test_replicates__nothing_is_tested_without_anything_left_over():
    found = moderated(samples(drawn(3, 50), [0, 1, 2]))
    assert np.isnan(found.p_value).all()


@pytest.mark.parametrize(
    ("condition", "replicate", "empty", "message"),
    [
        ([0, 0, 1, 1], None, 2, r"samples without any count: \[2\]"),
        ([0, 1, 0, 1], None, None, "not numbered from 0, ascending"),
        ([0, 0, 1, 1], [0, 1, 3, 4], None, "not numbered from 0 without gaps"),
        ([0, 0, 1, 1], [0, 0, 0, 1], None, "two samples of one replicate"),
        ([0, 0, 1, 1], [0, 1, 2, 3], None, "share no replicate with the control"),
    ],
)
def test_samples__refuses_what_no_model_can_be_fitted_to(condition, replicate, empty, message):
    counts = drawn(4, 20)
    if empty is not None:
        counts[empty] = 0.0
    with pytest.raises(ValueError, match=message):
        samples(counts, condition, replicate)


def cells_of_donors(n_donors, rng, n_genes=300, n_cells=40):
    """Cells of donors that differ, nothing else: counts by donor and cell."""
    rate = rng.lognormal(0.0, 0.8, n_genes)
    rate *= 2_000.0 / rate.sum()
    donor = np.exp(rng.normal(0.0, 0.25, (n_donors, 1, n_genes)))
    size = rng.lognormal(0.0, 0.3, (n_donors, n_cells, 1))
    return rng.poisson(size * rate * donor).astype(np.float64)


def test_size__is_right_over_donors_where_over_cells_it_is_not():
    rng = np.random.default_rng(5)
    over_donors, over_cells = [], []
    for _ in range(6):
        cells = cells_of_donors(8, rng)
        pseudobulks = cells.sum(axis=1)
        over_donors.append(moderated(samples(pseudobulks, np.repeat([0, 1], 4))).p_value[0])
        logs = np.log1p(1e4 * cells / cells.sum(axis=2, keepdims=True)).reshape(2, -1, cells.shape[2])
        over_cells.append(stats.ttest_ind(logs[0], logs[1]).pvalue)
    p, of_cells = np.concatenate(over_donors), np.concatenate(over_cells)
    p = p[np.isfinite(p)]
    assert p.size > 1_000
    assert (p < 0.05).mean() <= 0.06
    assert (p < 0.001).mean() <= 0.003
    assert (of_cells < 0.05).mean() > 0.3


def test_size__holds_where_controls_are_far_deeper():
    p = []
    for seed in range(4):
        deep, shallow = drawn(3, 800, 1e6, seed), drawn(3, 800, 1e4, seed)
        p.append(moderated(samples(np.vstack([deep, shallow]), np.repeat([0, 1], 3))).p_value[0])
    p = np.concatenate(p)
    p = p[np.isfinite(p)]
    assert p.size > 1_000
    assert (p < 0.05).mean() <= 0.06


def test_lowess__is_a_line_where_the_points_are_one():
    x = np.sort(np.random.default_rng(0).uniform(0.0, 10.0, 200))
    np.testing.assert_allclose(lowess(x, 3.0 - 0.5 * x, 0.5), 3.0 - 0.5 * x, atol=1e-10)


def test_lowess__gives_outliers_no_say():
    x = np.linspace(0.0, 1.0, 101)
    y = x.copy()
    y[[20, 60]] += 100.0
    np.testing.assert_allclose(lowess(x, y, 0.5), x, atol=1e-6)


def test_lowess__takes_points_of_one_place():
    np.testing.assert_allclose(lowess(np.ones(5), np.array([1.0, 2.0, 3.0, 4.0, 5.0]), 0.5), 3.0)


@pytest.mark.parametrize("value", [1e-8, 0.01, 1.0, 30.0, 1e9])
def test_inverse_trigamma__undoes_trigamma(value):
    from scipy.special import polygamma

    assert polygamma(1, inverse_trigamma(value)) == pytest.approx(value, rel=1e-6)


def test_prior__of_variances_that_differ_by_chance_alone_is_their_mean():
    freedom, n = 4, 4_000
    variance = np.quantile(stats.chi2(freedom).rvs(n, random_state=0), np.linspace(0.02, 0.98, n)) / freedom
    prior = fit_prior(variance, freedom, np.ones(n, bool))
    assert np.isinf(prior.freedom)
    np.testing.assert_allclose(prior.moderate(variance, freedom), variance.mean())


def test_prior__finds_what_variances_were_drawn_from():
    rng = np.random.default_rng(2)
    true = 0.5 * 8.0 / rng.chisquare(8.0, 20_000)
    prior = fit_prior(true * rng.chisquare(5, 20_000) / 5, 5, np.ones(20_000, bool))
    assert prior.freedom == pytest.approx(8.0, rel=0.15)
    assert prior.variance[0] == pytest.approx(0.5, rel=0.05)


def test_prior__of_one_gene_is_none():
    prior = fit_prior(np.array([2.0, 1.0]), 3, np.array([True, False]))
    assert prior.freedom == 0.0
    np.testing.assert_array_equal(Prior(prior.variance, 0.0).moderate(np.array([2.0, 1.0]), 3), [2.0, 1.0])
