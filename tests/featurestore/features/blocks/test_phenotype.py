"""Scalar readouts: as features, as what is to be predicted, and as a copy of that."""

import numpy as np
import polars as pl
import pytest
from feature_specs import SPLIT, external, spec_of

from featurestore.errors import FeatureError, LeakageError
from featurestore.features.builder import build


@pytest.fixture
def depmap(writer, make_condition):
    """Gene effect of twenty-five genes in lines X, Y and Z, and signatures of the same genes."""
    rng = np.random.default_rng(0)
    n = 25
    inside = [make_condition(f"G{i}", "A") for i in range(n)]
    writer.dataset("target", inside, rng.normal(size=(n, 30)))
    conditions = [make_condition(f"G{i}", line, kind="crispr_knockout") for line in "XYZ" for i in range(n)]
    values = rng.normal(size=3 * n)
    values[2 * n :] = values[n : 2 * n] + 0.01 * rng.normal(size=n)
    phenotype = pl.DataFrame({"condition_index": range(3 * n), "phenotype": ["gene_effect"] * 3 * n, "value": values})
    writer.dataset("external", conditions, np.full((3 * n, 30), np.nan), phenotype=phenotype)
    with writer.open() as store:
        yield store, values.reshape(3, n)


def test_phenotype__is_the_profile_of_the_target_gene_across_lines(depmap):
    store, values = depmap
    matrix = build(store, spec_of(external("phenotype", "where = \"context_label <> 'Z'\"")))
    assert matrix.columns["name"].to_list() == [f"phenotype/external/gene_effect/CVCL_{line}" for line in "XY"]
    labels = matrix.rows["perturbation_label"].to_list()
    expected = [[values[line, int(label[1:])] for line in range(2)] for label in labels]
    np.testing.assert_allclose(matrix.X, expected, rtol=1e-6)
    assert matrix.rows["rule/phenotype/external"].unique().to_list() == ["same direction"]


PREDICT = '[target]\ndataset = "external"\nphenotype = "gene_effect"\nwhere = "context_label = \'Y\'"\n'


def test_phenotype__can_be_predicted_from_signatures(depmap):
    store, values = depmap
    matrix = build(store, spec_of('kind = "signature"\ndatasets = ["target"]\ncomponents = 4', target=PREDICT))
    assert matrix.X.shape == (25, 4)
    order = [int(label[1:]) for label in matrix.rows["perturbation_label"]]
    np.testing.assert_allclose(matrix.Y[:, 0], values[1, order], rtol=1e-6)
    assert matrix.genes["gene_id"].to_list() == ["gene_effect"]
    with pytest.raises(FeatureError, match="phenotypes of the dataset: gene_effect"):
        build(store, spec_of('kind = "context"', target=PREDICT.replace('= "gene_effect', '= "viability')))


def test_phenotype__a_column_that_is_the_answer_is_refused(depmap):
    store, _ = depmap
    others = external("phenotype", "where = \"context_label <> 'Y'\"")
    with pytest.raises(LeakageError, match="column gene_effect/CVCL_Z"):
        build(store, spec_of(others, target=PREDICT))
    with pytest.raises(LeakageError, match="looks in the experiment"):
        build(store, spec_of(external("phenotype"), target=PREDICT))
    allow = '\n[[allow]]\ntarget = "external:CVCL_Y"\nsource = "external:CVCL_Z"\nreason = "a sister line"\n'
    matrix = build(store, spec_of(others, target=PREDICT, more=SPLIT + allow))
    assert matrix.manifest["guard"]["lookalikes"][0]["n_allowed"] == 1


@pytest.fixture
def readouts(writer, make_condition):
    """Write a dataset of gene effects of 28 genes, shape (contexts, genes), or (contexts, genes, doses)."""

    def readouts(dataset, values, contexts="ABC", genes=28):
        flat = values.reshape(len(values), genes, -1)
        conditions = [
            make_condition(f"G{i}", line, kind="crispr_knockout", cells=None) | {"condition_id": f"{line}/{i}/{dose}"}
            for line in contexts[: len(values)]
            for i in range(genes)
            for dose in range(flat.shape[2])
        ]
        n = len(conditions)
        phenotype = pl.DataFrame(
            {"condition_index": range(n), "phenotype": ["gene_effect"] * n, "value": values.ravel()}
        )
        writer.dataset(dataset, conditions, np.full((n, 30), np.nan), phenotype=phenotype)

    return readouts


PREDICT_ALL = '[target]\ndataset = "target"\nphenotype = "gene_effect"\n'


@pytest.mark.parametrize("shape", [(1, 28), (2, 28), (3, 28), (3, 28, 4)], ids=["1 line", "2", "3", "3 lines, 4 doses"])
def test_phenotype__a_copy_of_several_lines_is_refused(writer, readouts, shape):
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(28, 1) if len(shape) > 2 else 28) + 0.5 * rng.normal(size=shape)
    readouts("target", truth)
    readouts("external", truth + 1e-3 * rng.normal(size=shape))
    with writer.open() as store:
        with pytest.raises(LeakageError, match="column gene_effect/CVCL_A") as caught:
            build(store, spec_of(external("phenotype"), target=PREDICT_ALL))
        assert caught.value.got == "28 perturbations nearly identical"


def test_phenotype__the_same_lines_in_another_laboratory_are_welcome(writer, readouts):
    rng = np.random.default_rng(0)
    truth = rng.normal(size=28) + 0.3 * rng.normal(size=(3, 28))
    readouts("target", truth)
    again = truth + 0.3 * rng.normal(size=truth.shape)
    readouts("external", again)
    assert min(np.corrcoef(a, b)[0, 1] for a, b in zip(truth, again, strict=True)) > 0.9
    with writer.open() as store:
        matrix = build(store, spec_of(external("phenotype"), target=PREDICT_ALL))
    verdict = {"source": "phenotype/external", "n_compared": 12, "n_alike": 0, "n_allowed": 0}
    assert matrix.manifest["guard"]["lookalikes"] == [verdict], "three columns with three lines and their mean"


def test_phenotype__a_copy_without_contexts_is_refused(writer, readouts, make_condition):
    values = np.random.default_rng(0).normal(size=28)
    readouts("target", values[None])
    conditions = [
        make_condition(f"G{i}", kind="crispr_knockout", experiment="x") | {"context_id": None} for i in range(28)
    ]
    phenotype = pl.DataFrame({"condition_index": range(28), "phenotype": ["gene_effect"] * 28, "value": values})
    writer.dataset("external", conditions, np.full((28, 30), np.nan), phenotype=phenotype)
    with writer.open() as store, pytest.raises(LeakageError, match="column gene_effect/none"):
        build(store, spec_of(external("phenotype"), target=PREDICT_ALL))
