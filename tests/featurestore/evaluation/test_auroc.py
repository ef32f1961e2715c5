"""The area under the ROC curve by gene against scikit-learn's, one gene at a time."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from featurestore.evaluation.auroc import auroc_by_group

pairs = st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.integers(-3, 3)), min_size=1, max_size=60)


@given(pairs)
def test_auroc__is_scikit_learns_with_ties(entries):
    genes, truth, score = (np.array(part) for part in zip(*entries, strict=True))
    names, areas = auroc_by_group(genes, truth, score / 3)
    expected = {
        gene: roc_auc_score(truth[genes == gene], score[genes == gene])
        for gene in sorted(set(genes))
        if len(set(truth[genes == gene])) == 2
    }
    assert names.tolist() == list(expected)
    np.testing.assert_allclose(areas, list(expected.values()))


@given(pairs)
def test_auroc__turns_over_with_the_score(entries):
    genes, truth, score = (np.array(part) for part in zip(*entries, strict=True))
    _, areas = auroc_by_group(genes, truth, score)
    np.testing.assert_allclose(auroc_by_group(genes, truth, -score)[1], 1 - areas)


def test_auroc__does_not_see_what_differs_between_genes_alone():
    rng = np.random.default_rng(0)
    genes, truth, score = rng.integers(5, size=200), rng.random(200) < 0.4, rng.normal(size=200)
    np.testing.assert_array_equal(
        auroc_by_group(genes, truth, score)[1], auroc_by_group(genes, truth, score + 100 * genes)[1]
    )
