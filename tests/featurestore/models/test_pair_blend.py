"""The ranking within genes, and the blend of pairs."""

import numpy as np
import pytest

from featurestore.evaluation.auroc import auroc_by_group
from featurestore.models.pair_blend import BlendOnPairs, RankingOnPairs
from featurestore.models.pairs import LogisticOnPairs

N, GENES, FOLDS = 4000, 80, 4


@pytest.fixture
def planted():
    """Two features that matter; genes differ in their share of positives, and features of a fold by its labels."""
    rng = np.random.default_rng(0)
    gene, fold = rng.integers(GENES, size=N), rng.integers(FOLDS, size=N)
    features = rng.normal(size=(N, 3))
    truth = features @ [1.0, 0.5, 0.0] + 2 * rng.normal(size=GENES)[gene] + rng.normal(size=N) > 0
    cell = gene * FOLDS + fold
    share = np.bincount(cell, weights=truth) / np.maximum(np.bincount(cell), 1)
    leaky = features.copy()
    leaky[:, 0] -= 6 * share[cell]
    return features, leaky, truth, fold, gene


def test_ranking__is_blind_to_what_pairs_of_a_gene_and_fold_share(planted):
    features, leaky, truth, fold, gene = planted
    ranking = RankingOnPairs().fit(leaky, truth, groups=fold, genes=gene)
    weights = ranking.coef_ / leaky.std(axis=0)
    assert weights[0] / weights[1] == pytest.approx(2, rel=0.15)
    assert abs(weights[2]) < 0.1 * weights[1]
    logistic = LogisticOnPairs((0.1,)).fit(leaky, truth)

    def area(model):
        return auroc_by_group(gene, truth, model.decision_function(features))[1].mean()

    assert area(ranking) > area(logistic) + 0.01


def test_ranking__of_genes_with_one_answer_each_says_nothing():
    features, gene = np.random.default_rng(0).normal(size=(20, 2)), np.arange(20) // 10
    ranking = RankingOnPairs().fit(features, gene == 1, genes=gene)
    np.testing.assert_array_equal(ranking.decision_function(features), 0)
    np.testing.assert_array_equal(ranking.coef_, 0)


def test_blend__ranks_and_says_honest_probabilities(planted):
    features, _, truth, fold, gene = planted
    features = features.copy()
    features[::7, 2] = np.nan
    train = np.arange(N) % 2 == 0
    blend = BlendOnPairs().fit(features[train], truth[train], groups=fold[train], genes=gene[train])
    assert auroc_by_group(gene[~train], truth[~train], blend.decision_function(features[~train]))[1].mean() > 0.8
    said = blend.probability(features[~train])
    for low, high in ((0, 0.3), (0.3, 0.6), (0.6, 1)):
        some = (said >= low) & (said < high)
        assert truth[~train][some].mean() == pytest.approx(said[some].mean(), abs=0.07)
