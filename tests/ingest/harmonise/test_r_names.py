"""Names of columns that R rewrote: undone as a whole list, where the list tells that R did."""

from __future__ import annotations

import re

import numpy as np
import polars as pl
import pytest

from featurestore.query.warehouse import Warehouse
from ingest import reference
from ingest.harmonise.genes import detect_kind, map_genes, map_targets
from ingest.inspection.draft import draft_spec
from ingest.inspection.inspect import inspect_file
from ingest.pipeline import ingest_dataset


def make_names(name):
    """Write a name as R's ``make.names`` does, reserved words aside."""
    text = re.sub(r"[^A-Za-z0-9._]", ".", name)
    return text if re.match(r"[A-Za-z]|\.(?![0-9])", text) else f"X{text}"


def symbols(names):
    return map_genes(names).table["gene_symbol"].to_list()


LISTS = [
    ["TP53", "HLA-A", "NKX6-1", "NKX6-2", "MYC"],
    ["NKX6-1", "MT-ND1", "ACTB"],
    ["H3-3A", "KRTAP5-6", "KRTAP5-7", "HLA-C"],
    ["ERVW-1", "TRA", "IGHV3-23", "IGKV1D-39"],
    ["MIR1-1HG-AS1", "HOTAIR", "LINC00116"],
    ["7157", "1956", "4609", "60"],
    ["ENSG00000141510.18", "ENSG00000136997", "HLA-B"],
    ["AC004593.3", "RP11-34P13.7", "TP53"],
    ["A1BG (1)", "NKX6-1 (4825)", "HLA-A (3105)"],
    ["CCL3L1", "NME1-NME2", "ANKHD1-EIF4EBP3", "SET"],
]


@pytest.mark.parametrize("names", LISTS)
def test_names__that_r_rewrote_are_the_genes_they_were(names):
    rewritten = list(map(make_names, names))
    assert symbols(rewritten) == symbols(names)
    assert map_genes(rewritten).table["original"].to_list() == rewritten


def test_name__that_comes_again_is_flagged_as_one_is_elsewhere():
    """R numbers what repeats, after it took the hyphens: ``HLA.A.1`` is HLA-A again, as MYC.1 is MYC."""
    table = map_genes(["HLA.A", "HLA.A.1", "NKX6.1", "NKX6.1.1", "MYC", "MYC.1", "TP53", "unknown.1"]).table
    assert table["gene_symbol"].to_list() == ["HLA-A", "HLA-A", "NKX6-1", "NKX6-1", "MYC", "MYC", "TP53", None]
    flagged = table.filter(pl.col("status") == "suffix_flagged")["original"].to_list()
    assert flagged == ["HLA.A.1", "NKX6.1.1", "MYC.1"]


def test_symbols__all_with_hyphens_are_undone():
    labels = reference.table("gene_label").filter(pl.col("kind") == "approved", pl.col("label").str.contains("-"))
    mapping = map_genes([make_names(name) for name in labels["label"]])
    assert labels.height > 7000
    assert mapping.table["gene_id"].to_list() == labels["gene_id"].to_list()
    assert mapping.table["note"][0] == f"R's name of '{labels['label'][0]}'"


def test_list__that_does_not_tell_maps_none_of_what_could_be_either():
    """``NKX6.1`` is an alias of NKX6-2; no other name here tells whether R wrote it."""
    table = map_genes(["TP53", "NKX6.1", "MYC"]).table
    assert table["gene_symbol"].to_list() == ["TP53", None, "MYC"]
    row = table.row(1, named=True)
    assert (row["status"], row["candidates"]) == ("ambiguous", ["ENSG00000163623", "ENSG00000148826"])


def test_name__that_r_makes_of_aliases_of_two_genes_is_mapped_to_neither():
    """``HCGIV-7`` and ``HCGIV.7`` are aliases of two genes, and R writes both alike."""
    assert len(set(symbols(["HCGIV-7", "HCGIV.7"]))) == 2
    row = map_genes(["HLA.A", "TP53", "HCGIV.7"]).table.row(2, named=True)
    assert (row["status"], row["gene_id"], len(row["candidates"])) == ("ambiguous", None, 2)


@pytest.mark.parametrize("names", [["HLA-A", "NKX6.1", "MYC"], ["TP53", "1-Mar", "NKX6.1"]])
def test_list__with_names_that_r_cannot_leave_is_none_of_its_own(names):
    assert dict(zip(names, symbols(names), strict=True))["NKX6.1"] == "NKX6-2"
    assert not detect_kind(names).evidence.endswith("as R rewrites names")


def test_targets__are_no_names_of_columns():
    assert map_targets(["TP53", "HLA.A", "NKX6.1"]).table["gene_symbol"].to_list() == ["TP53", None, "NKX6-2"]


def test_table__of_r_is_ingested_under_the_names_of_before(tmp_path):
    genes = ["TP53", "HLA-A", "NKX6-1", "NKX6-2", "MYC", "7SK"]
    counts = np.random.default_rng(1).poisson(50, (6, len(genes)))
    counts[3:, 2] //= 8
    treatment = ["control"] * 3 + ["NKX6-1"] * 3
    table = pl.DataFrame({"sample": [f"s{n}" for n in range(6)], "treatment": treatment, "cell_line": "K562"})
    table = table.hstack(pl.DataFrame(counts, schema=list(map(make_names, genes))))
    table.write_csv(tmp_path / "r.csv")
    draft = draft_spec(inspect_file(tmp_path / "r.csv"), tmp_path)
    assert draft.missing == ()
    assert "as R rewrites names" in draft.text
    (tmp_path / "r.toml").write_text(draft.text)
    ingest_dataset(tmp_path / "r.toml", tmp_path / "warehouse")
    with Warehouse(tmp_path / "warehouse") as store:
        found = dict(store.frame("select gene_symbol, effect from signature").rows())
    y = np.log1p(counts / counts.sum(axis=1, keepdims=True) * 1e4)
    right = y[3:].mean(axis=0) - y[:3].mean(axis=0)
    np.testing.assert_allclose([found[gene] for gene in genes[:5]], right[:5], rtol=2e-5)
