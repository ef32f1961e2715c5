"""What holds of every kind of feature."""

import numpy as np
import polars as pl
import pytest
from feature_specs import external, spec_of

from featurestore.errors import SpecError
from featurestore.features.blocks import by_kind
from featurestore.features.builder import build
from featurestore.features.kinds import KINDS, PAIR_KINDS
from featurestore.features.matrix.feature_matrix import FeatureMatrix
from featurestore.features.pairs import lineage
from featurestore.features.plan import plan
from featurestore.features.spec import parse_spec


@pytest.mark.parametrize("components", ["", "components = 2"])
def test_features__of_both_describe_measured_genes_as_those_that_are_perturbed(two_datasets, tmp_path, components):
    sets = {"A": ("S003", "S005", "S030"), "B": ("S005", "S006"), "C": ("S007", "S003", "S029")}
    text = "".join("\t".join([name, "", *members]) + "\n" for name, members in sets.items())
    (tmp_path / "sets.gmt").write_text(text)
    features = [
        external("signature"),
        f'kind = "embedding"\nfile = "{tmp_path}/sets.gmt"\nof = "both"\n{components}',
        external("response", "where = \"context_label = 'B'\"", 'of = "both"', components),
    ]
    spec = spec_of(*features)
    matrix = build(two_datasets, spec)
    described = matrix.of_genes.drop("gene_id")
    names = matrix.columns.filter(pl.col("kind") != "signature")["name"].to_list()
    assert described.columns == names
    place = {gene: i for i, gene in enumerate(matrix.of_genes["gene_id"])}
    assert list(place) == matrix.genes["gene_id"].to_list()
    values, columns = described.to_numpy(), [matrix.columns["name"].to_list().index(name) for name in names]
    of_targets = values[[place[genes[0]] for genes in matrix.rows["target_gene_ids"]]]
    np.testing.assert_array_equal(matrix.X[:, columns], of_targets)
    n_known = {"embedding": 6, "response": 25}
    for source in matrix.manifest["sources"]:
        assert source.get("n_genes_covered") == n_known.get(source["kind"])
    assert np.isfinite(values).any(axis=1).sum() > np.isfinite(of_targets).any(axis=1).sum(), "others are measured too"
    (block,) = plan(two_datasets, spec).facts["own_blocks"]
    assert (block["n_rows_covered"], block["n_genes_covered"]) == (4, 6)

    matrix.write(tmp_path / "matrix")
    again = FeatureMatrix.read(tmp_path / "matrix")
    assert again.of_genes.equals(matrix.of_genes)
    assert again.manifest == matrix.manifest
    build(two_datasets, spec_of(external("signature"))).write(tmp_path / "matrix")
    assert FeatureMatrix.read(tmp_path / "matrix").of_genes.width == 0


def write_answers(writer, dataset, conditions, answers, expressed):
    """Write a target in all that it holds: effects, a readout, and sums of its controls and of its perturbed cells."""
    n, genes = answers.shape
    place = {"condition_index": np.repeat(np.arange(n), genes), "gene_index": np.tile(np.arange(genes), n)}
    sums = {"sum_log1p": expressed.ravel(), "n_expressing": np.full(n * genes, 50)}
    is_perturbed = np.flatnonzero([not each["is_control"] for each in conditions])
    readout = {"condition_index": is_perturbed, "value": answers[is_perturbed, 0]}
    writer.dataset(
        dataset,
        conditions,
        answers,
        statistics=pl.DataFrame(place | sums),
        phenotype=pl.DataFrame(readout).with_columns(phenotype=pl.lit("growth")),
    )


def test_features__of_no_kind_change_with_the_answers(writer, make_condition, tmp_path):
    """Poisoned: every effect, the readout, and the expression of all perturbed cells; controls are no answer."""
    rng = np.random.default_rng(3)
    (tmp_path / "sets.gmt").write_text("A\t\tS003\tS005\tS030\nB\t\tS005\tS006\nC\t\tS007\tS003\n")
    inside = [make_condition("ctrl", line, kind="control", genes=[]) for line in "AD"]
    inside += [make_condition(f"G{i}", "AD"[i % 2]) for i in range(12)]
    answers, expressed = rng.normal(size=(14, 30)), 100 * rng.random((14, 30))
    write_answers(writer, "target", inside, answers, expressed)
    controls = np.arange(14)[:, None] < 2
    poison = 1e3 * rng.normal(size=answers.shape)
    write_answers(writer, "poisoned", inside, poison, np.where(controls, expressed, abs(poison)))
    outside = [make_condition(f"G{i}", c) for c in "BC" for i in range(4, 16)]
    readout = pl.DataFrame({"condition_index": range(24), "value": rng.normal(size=24)})
    readout = readout.with_columns(phenotype=pl.lit("growth"))
    writer.dataset("external", outside, rng.normal(size=(24, 30)), phenotype=readout)
    both = 'of = "both"\ncomponents = 2'
    features = [
        external("signature"),
        external("signature", 'name = "mean"', 'average = "equal"'),
        external("neighbours"),
        external("response", both),
        external("phenotype"),
        f'kind = "embedding"\nfile = "{tmp_path}/sets.gmt"\n{both}',
        'kind = "context"',
        'kind = "target_expression"',
    ]
    with writer.open() as store:
        made, poisoned = (
            build(store, spec_of(*features, target=f'[target]\ndataset = "{name}"\n'))
            for name in ("target", "poisoned")
        )
    assert set(made.columns["kind"]) == set(by_kind.MAKERS), "a kind that is not poisoned here"
    for kind in by_kind.MAKERS:
        assert np.isfinite(made.X[:, (made.columns["kind"] == kind).to_numpy()]).any(), kind
    assert not np.array_equal(made.Y, poisoned.Y)
    np.testing.assert_array_equal(made.X, poisoned.X)
    np.testing.assert_array_equal(made.elsewhere, poisoned.elsewhere)
    assert made.of_genes.equals(poisoned.of_genes)
    assert made.of_genes.width == 1 + 2 * 2 + 2, "two sources' responses, and the sets"


def test_features__of_both_are_asked_of_conditions_and_of_kinds_that_can():
    pairs = '[target]\ndataset = "a"\nunit = "pair"\neffect_kind = "de_call"\nquestion = "changed"\n'
    with pytest.raises(SpecError) as caught:
        parse_spec(f'{pairs}[[feature]]\nkind = "embedding"\nfile = "a.gmt"\nof = "both"')
    assert "feature 1.of: for pairs, 'perturbation' or 'gene'" in caught.value.got
    with pytest.raises(SpecError, match="fault"):
        spec_of(external("signature", 'of = "both"'))


def test_kinds__each_has_what_makes_its_blocks():
    of_conditions = {name for name, kind in KINDS.items() if not kind.is_of_pairs_alone}
    assert set(by_kind.MAKERS) == of_conditions
    assert set(lineage.MAKERS) == set(PAIR_KINDS)
    for name, kind in KINDS.items():
        assert kind.pair_options <= set(kind.model_fields), name
