"""The JSON of CREEDS: what each record lists, and records that are not as published."""

from __future__ import annotations

import json

import pytest

from featurestore.errors import SourceFormatError
from ingest.readers.gene_sets import read_creeds

RECORD = {"id": "gene:1", "hs_gene_symbol": "MYC"}


def test_creeds__genes_come_with_or_without_weights(tmp_path):
    path = tmp_path / "sets.json"
    path.write_text(json.dumps([RECORD | {"up_genes": [["NPM1", 0.5], ["NCL", "0.25"]], "down_genes": ["CDKN1A"]}]))
    lines = read_creeds(path).select("hs_gene_symbol", "gene", "direction", "weight").rows()
    assert lines == [("MYC", "NPM1", 1, 0.5), ("MYC", "NCL", 1, 0.25), ("MYC", "CDKN1A", -1, None)]


@pytest.mark.parametrize("entry", [["NPM1"], ["NPM1", None], ["NPM1", "much"], ["NPM1", 10**400], 7, {"NPM1": 1}, []])
def test_creeds__an_entry_that_is_no_gene_is_refused_by_its_place(tmp_path, entry):
    path = tmp_path / "sets.json"
    path.write_text(json.dumps([RECORD | {"up_genes": ["NCL"]}, RECORD | {"down_genes": [entry]}]))
    with pytest.raises(SourceFormatError, match="A gene is not as CREEDS writes it") as caught:
        read_creeds(path)
    assert "'down_genes' of record 1" in str(caught.value)
