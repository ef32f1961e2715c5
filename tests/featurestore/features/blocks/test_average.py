"""One block over all sources, without the rows' own experiment."""

import numpy as np
import pytest
from feature_specs import effects_of, external, spec_of
from sklearn.decomposition import PCA

from featurestore.features.builder import build


@pytest.mark.parametrize(("weighting", "expected"), [("equal", 2.0), ("cells", 2.5)])
def test_average__is_one_block_over_all_sources(writer, make_condition, weighting, expected):
    writer.dataset("target", [make_condition(f"G{i}") for i in range(3)], np.zeros((3, 30)))
    outside = [make_condition(f"G{i}", "B", cells=100) for i in range(3)]
    outside += [make_condition(f"G{i}", "C", cells=300) for i in range(2)]
    values = np.concatenate([np.ones((3, 30)), np.full((2, 30), 3.0)])
    writer.dataset("external", outside, values)
    with writer.open() as store:
        matrix = build(store, spec_of(external("signature", f'average = "{weighting}"')))
    assert matrix.X[:, 0].tolist() == [expected, expected, 1.0]
    assert matrix.columns["block"].unique().to_list() == ["signature/average"]
    assert matrix.manifest["sources"][0]["average_of"] == ["external/CVCL_B", "external/CVCL_C"]
    assert matrix.rows["n_conditions/signature/average"].to_list() == [2, 2, 1]


def test_average__takes_no_opposite_effect_where_a_source_has_one_that_is_alike(writer, make_condition):
    writer.dataset("target", [make_condition(f"G{i}") for i in range(3)], np.zeros((3, 30)))
    writer.dataset("down", [make_condition("G0", "B", kind="crispr_knockout")], np.full((1, 30), -2.0))
    outside = [make_condition(f"G{i}", "C", kind="crispra") for i in range(2)]
    writer.dataset("up", outside, np.full((2, 30), 2.0))
    feature = 'kind = "signature"\ndatasets = ["down", "up"]\naverage = "equal"'
    with writer.open() as store:
        matrix = build(store, spec_of(feature))
    assert matrix.X[:2, 0].tolist() == [-2.0, 2.0]  # G1 was only ever activated, and its rule says so
    assert matrix.rows["rule/signature/average"].to_list()[:2] == ["same direction", "other kind"]


def lines(rng, own=None):
    effects = rng.normal(size=(3, 8, 30))
    if own is not None:
        effects[0] = own
    return effects.reshape(24, 30)


@pytest.mark.parametrize("components", ["", "components = 3"])
def test_average__leaves_the_rows_own_experiment_out_to_the_last_bit(writer, make_condition, components):
    conditions = [make_condition(f"G{i}", context) for context in "ABC" for i in range(8)]
    text = '[target]\ndataset = "target"\nwhere = "context_label = \'A\'"\n'
    feature = f'kind = "signature"\ndatasets = ["target"]\naverage = "equal"\n{components}'
    built = []
    for release, own in (("r1", None), ("r2", 50.0)):
        writer.dataset("target", conditions, lines(np.random.default_rng(1), own), release=release)
        with writer.open() as store:
            built.append(build(store, spec_of(feature, target=text)))
    first, second = built
    assert not np.allclose(first.Y, second.Y)
    np.testing.assert_array_equal(first.X, second.X)
    np.testing.assert_array_equal(first.elsewhere, second.elsewhere)
    if not components:
        truth = lines(np.random.default_rng(1)).reshape(3, 8, 30)
        np.testing.assert_allclose(first.X, truth[1:].mean(axis=0), rtol=1e-5)


def test_average__components_are_those_of_the_averages(two_datasets):
    matrix = build(two_datasets, spec_of(external("signature", 'average = "equal"', "components = 3")))
    both = [effects_of(two_datasets, "external", line) for line in "BC"]
    genes = sorted({gene for _, gene in both[0]})
    mean = np.array(
        [[(both[0][f"G{i}/B/crispri", g] + both[1][f"G{i}/C/crispri", g]) / 2 for g in genes] for i in range(4, 16)]
    )
    pca = PCA(3, svd_solver="full").fit(mean)
    labels = matrix.rows["perturbation_label"].to_list()
    np.testing.assert_allclose(matrix.X[labels.index("G9")], pca.transform(mean[5:6])[0], atol=1e-4)


def test_average__components_ignore_genes_that_only_the_rows_experiment_has(two_datasets):
    more = ('average = "equal"', "components = 3")
    alone = build(two_datasets, spec_of(external("signature", *more)))
    both = external("signature", *more).replace('["external"]', '["target", "external"]')
    np.testing.assert_array_equal(build(two_datasets, spec_of(both)).X, alone.X)
