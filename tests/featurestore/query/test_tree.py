"""The texts of a statement, as DuckDB writes it out."""

from __future__ import annotations

import json

import duckdb
import pytest

from featurestore.query.tree import parts_of, text_of


def compared(other):
    """Return what ``a`` is compared with, as it stands in the tree."""
    (tree,) = duckdb.execute("select json_serialize_sql($1::varchar)", [f"select 1 where a = {other}"]).fetchone()
    return next(part["right"] for part in parts_of(json.loads(tree)) if part.get("type") == "COMPARE_EQUAL")


@pytest.mark.parametrize(
    ("other", "parameters", "expected"),
    [
        ("'TP53'", None, "TP53"),
        ("''", None, ""),
        ("1", None, None),
        ("NULL", None, None),
        ("b", None, None),
        ("upper('TP53')", None, None),
        ("?", ["TP53"], "TP53"),
        ("?", [1], None),
        ("?", [], None),
        ("?", None, None),
        ("$gene", {"gene": "TP53"}, "TP53"),
        ("$gene", {"other": "TP53"}, None),
        ("$2", ["TP53", "MYC"], "MYC"),
    ],
)
def test_text__is_of_a_constant_or_a_parameter(other, parameters, expected):
    assert text_of(compared(other), parameters) == expected


def test_text__of_no_expression_is_none():
    assert text_of(None) is None
