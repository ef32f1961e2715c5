"""One slot per gene: counts are summed, other values have one input stand for the gene, and losers are told."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.harmonise.genes import collapse, map_genes

LABELS = ["TP53", "ENSG00000141510.18", "7157", "WDR63", "DNAI3", "TBCE", "TBCE-1", "QARS", "nonsense", "ERCC-00002"]


def axis_of(labels, **options):
    return collapse(map_genes(labels, kind="entrez"), **options)


def test_collapse__counts_of_one_gene_share_a_slot():
    axis = axis_of(["BRCA1", "ENSG00000182378.15", "ENSG00000182378.15_PAR_Y", "TP53"], value_is_additive=True)
    assert axis.gene_ids == ("ENSG00000012048", "ENSG00000182378", "ENSG00000141510")
    assert axis.column_to_slot.tolist() == [0, 1, 1, 2]
    assert axis.column_to_slot.dtype == np.int32
    assert axis.n_collapsed == 1
    assert axis.mapping.table["note"].to_list() == [None, None, "summed with 'ENSG00000182378.15'", None]


def test_collapse__other_values_keep_the_most_reliable_input():
    axis = axis_of(["WDR63", "TP53", "DNAI3"], value_is_additive=False)
    assert axis.column_to_slot.tolist() == [-1, 0, 1]
    assert axis.mapping.table["note"].to_list() == ["left out for 'DNAI3'", None, None]


def test_collapse__other_values_keep_the_first_of_equals():
    axis = axis_of(["TP53", "TP53", "TP53"], value_is_additive=False)
    assert (axis.column_to_slot.tolist(), axis.n_collapsed) == ([0, -1, -1], 2)


def test_collapse__priority_goes_before_status():
    axis = axis_of(["WDR63", "DNAI3"], value_is_additive=False, priority=[0, 1])
    assert axis.column_to_slot.tolist() == [0, -1]


@pytest.mark.parametrize("additive", [True, False])
def test_collapse__suffixed_name_never_joins_the_gene_of_another_input(additive):
    axis = axis_of(["TBCE-1", "TBCE"], value_is_additive=additive)
    assert axis.column_to_slot.tolist() == [-1, 0]
    assert axis.mapping.table["note"][0].endswith("; left out for 'TBCE'")
    assert axis_of(["TBCE-1", "TP53"], value_is_additive=additive).column_to_slot.tolist() == [0, 1]


def test_collapse__inputs_without_a_gene_have_no_slot():
    axis = axis_of(["QARS", "nonsense", None, "ERCC-00002"], value_is_additive=True)
    assert (axis.gene_ids, axis.column_to_slot.tolist(), axis.n_collapsed) == ((), [-1] * 4, 0)


def test_members__lists_the_inputs_of_collapsed_genes():
    axis = axis_of(["TP53", "BRCA1", "7157", "TBCE", "TBCE-1"], value_is_additive=True)
    assert axis.members().rows() == [
        ("ENSG00000141510", "TP53", ["TP53", "7157"], 2, 2),
        ("ENSG00000284770", "TBCE", ["TBCE", "TBCE-1"], 2, 1),
    ]


def test_collapse__names_in_lists_share_a_slot_unless_a_suffix_was_set_aside():
    axis = axis_of(["TP53", "7157", "TBCE-1", "TBCE"], value_is_additive=False, is_listed=True)
    assert axis.column_to_slot.tolist() == [0, 0, -1, 1]
    assert axis.mapping.table["note"].to_list()[1] is None
    assert "left out for 'TBCE'" in axis.mapping.table["note"].to_list()[2]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(LABELS), max_size=14), st.booleans())
def test_collapse__every_gene_has_a_slot_and_every_slot_its_gene(labels, additive):
    mapping = map_genes(labels, kind="entrez")
    axis = collapse(mapping, value_is_additive=additive)
    genes = mapping.table["gene_id"].to_list()
    assert len(set(axis.gene_ids)) == len(axis.gene_ids)
    assert set(axis.gene_ids) == {gene for gene in genes if gene is not None}
    placed = [(gene, slot) for gene, slot in zip(genes, axis.column_to_slot.tolist(), strict=True) if slot >= 0]
    assert all(axis.gene_ids[slot] == gene for gene, slot in placed)
    assert list(dict.fromkeys(slot for _, slot in placed)) == list(range(len(axis.gene_ids)))
    assert axis.n_collapsed == sum(gene is not None for gene in genes) - len(axis.gene_ids)
    if not additive:
        assert len(placed) == len(axis.gene_ids)
    unchanged = [column for column in mapping.table.columns if column != "note"]
    assert axis.mapping.table.select(unchanged).equals(mapping.table.select(unchanged))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([name for name in LABELS if name != "TBCE-1"]), min_size=1, max_size=14))
def test_collapse__loses_no_count(labels):
    mapping = map_genes(labels, kind="entrez")
    axis = collapse(mapping, value_is_additive=True)
    counts = np.arange(1, len(labels) + 1)
    kept = axis.column_to_slot >= 0
    summed = np.bincount(axis.column_to_slot[kept], counts[kept], minlength=len(axis.gene_ids))
    assert summed.sum() == counts[mapping.table["gene_id"].is_not_null().to_numpy()].sum()
