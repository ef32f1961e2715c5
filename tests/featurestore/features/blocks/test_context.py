"""Expression of the rows' own controls, of all genes and of the perturbed ones."""

import numpy as np
import polars as pl
import pytest
from feature_specs import external, spec_of

from featurestore.features.builder import build


@pytest.fixture
def with_controls(writer, make_condition, gene_ids):
    """A target in lines A and B, whose controls express gene i at i (A) and 2 i (B) in ten cells; gene 9 is in none."""
    conditions = [make_condition("ctrl", line, kind="control", genes=[], cells=10) for line in "AB"]
    conditions += [make_condition(label, line) for line in "AB" for label in ("G1", "G2", "G3", "G4+G6", "G4+G9")]
    genes = np.arange(len(gene_ids))
    sums = pl.DataFrame(
        {
            "condition_index": np.repeat([0, 1], len(genes)),
            "gene_index": np.tile(genes, 2),
            "sum_log1p": 10.0 * np.concatenate([genes, 2 * genes]),
            "n_expressing": np.minimum(np.concatenate([genes, genes]), 10),
        }
    ).filter(pl.col("gene_index") != 9)
    writer.dataset("target", conditions, np.ones((12, 30)), statistics=sums)
    with writer.open() as store:
        yield store


def test_context__is_the_expression_of_the_rows_own_controls(with_controls, gene_ids):
    matrix = build(with_controls, spec_of(f'kind = "context"\ngenes = ["{gene_ids[7]}", "{gene_ids[3]}"]'))
    assert matrix.columns["gene_id"].to_list() == [gene_ids[3], gene_ids[7]]
    lines = matrix.rows["context_label"].to_list()
    assert {line: tuple(x) for line, x in zip(lines, matrix.X.tolist(), strict=True)} == {"A": (3, 7), "B": (6, 14)}
    assert matrix.manifest["sources"][0]["effect_kind"] == "mean_log1p"


def test_target_expression__is_that_of_the_perturbed_genes(with_controls):
    matrix = build(with_controls, spec_of('kind = "target_expression"'))
    found = dict(zip(matrix.rows["condition_id"], matrix.X.tolist(), strict=True))
    assert found["G3/A/crispri"] == pytest.approx([3.0, 0.3])
    assert found["G3/B/crispri"] == pytest.approx([6.0, 0.3])
    assert found["G4+G6/A/crispri"] == pytest.approx([5.0, 0.5]), "the mean of two targets"
    assert np.isnan(found["G4+G9/A/crispri"]).all(), "gene 9 was not measured: gene 4 alone is no mean of both"


def test_context__without_controls_says_so(two_datasets):
    manifest = build(two_datasets, spec_of('kind = "context"', external("signature"))).manifest
    assert manifest["sources"][0]["skipped"] == "the rows' contexts have no controls with cells"
