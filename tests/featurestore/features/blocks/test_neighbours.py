"""Effects of the perturbations that are most alike, by plain NumPy."""

import numpy as np
import pytest
from feature_specs import TARGET, effects_of, external, spec_of

from featurestore.errors import LeakageError
from featurestore.features.builder import build
from featurestore.features.plan import plan
from featurestore.features.transformer import SignatureFeatures


def nearest(store, label, n, contexts="BC"):
    """By plain NumPy: the perturbations most alike one over the contexts, with how alike they are."""
    names = [f"G{i}" for i in range(4, 16)]
    total = np.zeros(len(names))
    for context in contexts:
        effects = effects_of(store, "external", context)
        genes = sorted({gene for _, gene in effects})
        values = np.array([[effects[f"{name}/{context}/crispri", gene] for gene in genes] for name in names])
        values -= values.mean(axis=0)
        own = np.array([[int(gene[-3:]) == int(name[1:]) + 1 for gene in genes] for name in names])
        for at in range(len(names)):
            shared = ~own[at] & ~own[names.index(label)]
            one, other = values[names.index(label), shared], values[at, shared]
            total[at] += one @ other / np.sqrt((one @ one) * (other @ other)) / len(contexts)
    total[names.index(label)] = 0
    order = [at for at in np.argsort(-total)[:n] if total[at] > 0]
    return [names[at] for at in order], total[order]


def test_neighbours__are_those_most_alike_over_all_sources(two_datasets, gene_ids):
    matrix = build(two_datasets, spec_of(external("neighbours", "neighbours = 3")))
    labels, blocks = (
        matrix.rows["perturbation_label"].to_list(),
        ("neighbours/external/CVCL_B", "neighbours/external/CVCL_C"),
    )
    assert np.isnan(matrix.X[labels.index("G2")]).all(), "nobody saw it"
    for label in ("G5", "G9"):
        names, weights = nearest(two_datasets, label, 3)
        symbols = [f"S{int(name[1:]) + 1:03}" for name in names]
        for block, context in zip(blocks, "BC", strict=True):
            effects = effects_of(two_datasets, "external", context)
            expected = sum(
                w * effects[f"{name}/{context}/crispri", gene_ids[20]] for name, w in zip(names, weights, strict=True)
            )
            column = matrix.columns["name"].to_list().index(f"{block}/{gene_ids[20]}")
            assert matrix.X[labels.index(label), column] == pytest.approx(expected / weights.sum(), rel=1e-4)
            assert matrix.rows[f"rule/{block}"][labels.index(label)] == f"3 most alike: {', '.join(symbols)}"
    assert matrix.manifest["guard"]["lookalikes"][0]["n_compared"] == 8


def test_neighbours__do_not_change_with_the_other_rows_or_their_answers(two_datasets):
    feature = external("neighbours", "components = 3")
    whole = build(two_datasets, spec_of(feature))
    few = build(two_datasets, spec_of(feature, target=TARGET + "where = \"perturbation_label in ('G5','G6','G7')\"\n"))
    at = [whole.rows["condition_id"].to_list().index(each) for each in few.rows["condition_id"]]
    np.testing.assert_array_equal(few.X, whole.X[at])
    names = SignatureFeatures(two_datasets, [{"kind": "neighbours", "datasets": ["external"], "components": 3}])
    found = names.fit(["S005", "S006"]).transform(["S007"])
    np.testing.assert_allclose(found[0], few.X[few.rows["perturbation_label"].to_list().index("G6")], rtol=1e-5)


def test_neighbours__are_guarded_planned_and_recorded_as_any_source(two_datasets):
    with pytest.raises(LeakageError, match="the experiment that it is to predict"):
        build(two_datasets, spec_of('kind = "neighbours"\ndatasets = ["target"]'))
    spec = spec_of(external("neighbours", "neighbours = 3"))
    matrix = build(two_datasets, spec)
    assert {source["neighbours"] for source in matrix.manifest["sources"]} == {3}
    assert set(matrix.columns["kind"]) == {"neighbours"}
    planned = plan(two_datasets, spec)
    assert planned.sources["n_rows_covered"].to_list() == [8, 8]
    assert matrix.mask.any(axis=1).sum() == 8


def test_neighbours__may_be_those_that_another_source_found(writer, make_condition, gene_ids):
    """G0 was not done in 'third'; that it is like G1 is known from 'second', so it has G1's effect in 'third'."""
    rng = np.random.default_rng(3)
    writer.dataset("target", [make_condition(f"G{i}", "A") for i in range(6)], rng.normal(size=(6, 30)))
    effects = rng.normal(size=(6, 30))
    effects[0] = effects[1] + 0.01 * rng.normal(size=30)
    writer.dataset("second", [make_condition(f"G{i}", "B") for i in range(6)], effects)
    writer.dataset("third", [make_condition(f"G{i}", "C") for i in range(1, 6)], effects[1:] + 1)
    with writer.open() as store:
        feature = 'kind = "neighbours"\ndatasets = ["second", "third"]\nneighbours = 1'
        matrix = build(store, spec_of(feature))
    row = matrix.X[matrix.rows["perturbation_label"].to_list().index("G0")]
    column = matrix.columns["name"].to_list().index(f"neighbours/third/CVCL_C/{gene_ids[20]}")
    assert row[column] == pytest.approx(effects[1, 20] + 1, rel=1e-5)
    assert matrix.rows["rule/neighbours/third/CVCL_C"][0] == "1 most alike: S002"


def test_neighbours__are_not_told_by_a_source_of_two_perturbations(writer, make_condition, gene_ids):
    """About their mean two are opposites, however alike: only 'second' tells that G0 and G1 are."""
    rng = np.random.default_rng(3)
    effects = rng.normal(size=(6, 30))
    effects[0] = effects[1] + 0.01 * rng.normal(size=30)
    writer.dataset("target", [make_condition(f"G{i}", "A") for i in (0, 7)], rng.normal(size=(2, 30)))
    writer.dataset("second", [make_condition(f"G{i}", "B") for i in range(6)], effects)
    writer.dataset("third", [make_condition(f"G{i}", "C") for i in range(2)], effects[:2])
    writer.dataset("fourth", [make_condition("G0", "D")], effects[:1])
    with writer.open() as store:
        feature = 'kind = "neighbours"\ndatasets = ["second", "third", "fourth"]\nneighbours = 1'
        matrix = build(store, spec_of(feature, more="\n[split]\nfolds = 2\n"))
    assert matrix.rows["rule/neighbours/third/CVCL_C"].to_list() == ["1 most alike: S002", None]
    column = matrix.columns["name"].to_list().index(f"neighbours/third/CVCL_C/{gene_ids[20]}")
    assert matrix.X[0, column] == pytest.approx(effects[1, 20], rel=1e-5)
    reasons = {source["source"]: source.get("skipped") for source in matrix.manifest["sources"]}
    assert reasons["neighbours/fourth/CVCL_D"] == "it has nothing that is known to be like a row's perturbation"
