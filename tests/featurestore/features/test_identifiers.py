"""Identifiers of any kind, brought to the warehouse's own."""

import numpy as np
import polars as pl
import pytest

from featurestore.features.identifiers import harmonise


@pytest.mark.parametrize(
    ("name", "target", "status"),
    [
        ("S003+S007", "ENSG00000000003+ENSG00000000007", "mapped"),
        ("S003+TWO", None, "ambiguous"),
        ("TWO+S003", None, "ambiguous"),
        ("S003+NONE", None, "unmapped"),
        ("TWO+NONE", None, "unmapped"),
        ("TWO", None, "ambiguous"),
    ],
)
def test_harmonise__a_combination_is_as_good_as_its_worst_part(writer, make_condition, name, target, status):
    path = writer.root / "reference" / "genes" / "gene_label.parquet"
    pl.DataFrame(
        {"label": ["TWO"] * 2, "gene_id": ["ENSG00000000001", "ENSG00000000002"], "kind": "alias"}
    ).write_parquet(path)
    writer.dataset("target", [make_condition("G1")], np.ones((1, 30)))
    with writer.open() as store:
        found = harmonise(store, [name]).row(0, named=True)
    assert (found["target_id"], found["status"]) == (target, status)
