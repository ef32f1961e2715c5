"""How a gene itself responds to what others perturbed."""

import numpy as np
import pytest
from feature_specs import effects_of, external, spec_of

from featurestore.features.builder import build


def test_response__is_how_the_target_gene_responds_to_others(two_datasets, gene_ids):
    matrix = build(two_datasets, spec_of(external("response", "where = \"context_label = 'B'\"")))
    measured = effects_of(two_datasets, "external", "B")
    labels = matrix.rows["perturbation_label"].to_list()
    name = "response/external/CVCL_B/G9/B/crispri"
    column = matrix.columns["name"].to_list().index(name)
    assert matrix.X[labels.index("G7"), column] == pytest.approx(measured["G9/B/crispri", gene_ids[7]])
    assert np.isnan(matrix.X[labels.index("G2")]).all(), "gene 2 is not measured there"
    assert np.isfinite(matrix.X[labels.index("G5")]).all()
    assert matrix.manifest["guard"]["lookalikes"][0]["n_compared"] == 8


def test_response__components_are_over_the_genes_of_the_source(two_datasets):
    feature = external("response", "where = \"context_label = 'B'\"", "components = 3")
    plain = build(two_datasets, spec_of(external("response", "where = \"context_label = 'B'\"")))
    matrix = build(two_datasets, spec_of(feature))
    assert matrix.X.shape == (12, 3)
    assert matrix.manifest["sources"][0]["n_features"] == 3
    np.testing.assert_array_equal(matrix.mask.all(axis=1), plain.mask.all(axis=1))
