"""Gene identifiers of every notation are mapped, or left unmapped with a reason; nothing is guessed or lost."""

import doctest
import socket

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featurestore.errors import HarmonisationError
from ingest import reference
from ingest.harmonise import gene_lookup, gene_release, genes
from ingest.harmonise.gene_mapping import COLUMNS
from ingest.harmonise.gene_notation import CONTROL_LABELS, parse_notation
from ingest.harmonise.genes import KINDS, STATUSES, map_genes, map_targets

GOLDEN_NAMES = [
    # (as published, status, symbol today)
    ("TP53", "approved", "TP53"),
    ("TYMP", "approved", "TYMP"),
    ("QARS", "ambiguous", None),
    ("C18orf21", "ambiguous", None),
    ("STRA13", "ambiguous", None),
    ("MLL4", "ambiguous", None),
    ("B3GNT1", "ambiguous", None),
    ("MUM1", "ambiguous", None),
    ("COX1", "ambiguous", None),
    ("COX2", "ambiguous", None),
    ("7SK", "ambiguous", None),
    ("Y_RNA", "ambiguous", None),
    ("SEPT2", "previous", "SEPTIN2"),
    ("MARCH1", "previous", "MARCHF1"),
    ("MARC1", "previous", "MTARC1"),
    ("DEC1", "previous", "DELEC1"),
    ("HIST1H4C", "previous", "H4C3"),
    ("SARS", "previous", "SARS1"),
    ("AARS", "previous", "AARS1"),
    ("EPRS", "previous", "EPRS1"),
    ("H3F3A", "previous", "H3-3A"),
    ("WDR63", "previous", "DNAI3"),
    ("T", "previous", "TBXT"),
    ("AES", "previous", "TLE5"),
    ("TAZ", "previous", "TAFAZZIN"),
    ("NOV", "previous", "CCN3"),
    ("KIAA1804", "alias", "MAP3K21"),
    ("HER2", "alias", "ERBB2"),
    ("OCT-4", "alias", "POU5F1"),
    ("IQCD", "gencode_name", "DRC10"),
    ("AC118549.1", "historic_name", "ZZZ3"),
    ("AC119396.1", "retired_no_successor", None),
    ("C10ORF116", "case_folded", "ADIRF"),
    ("TBCE-1", "suffix_flagged", "TBCE"),
    ("TBCE.1", "suffix_flagged", "TBCE"),
    ("1-Mar", "excel_date", None),
    ("2-Sep", "excel_date", None),
    ("Sep-02", "excel_date", None),
    ("2001-03-01", "excel_date", None),
    ("ERCC-00002", "non_gene", None),
    ("DEPRECATED_ENSG00000139687", "non_gene", None),
    ("DEPRECATED_RB1", "non_gene", None),
    ("NA.1", "unmapped", None),  # R's make.unique of a missing symbol; NA was a symbol of XK
    ("NA_2", "unmapped", None),
    ("CD3_TotalSeqB", "non_gene", None),
    ("CD3-TotalSeq-C", "non_gene", None),
    ("CD86_protein", "non_gene", None),
    ("anti-CD4", "non_gene", None),
    ("STAT1_g1", "non_gene", None),
    ("NT-sg12", "non_gene", None),
    ("MYC_ACGTACGTACGTACGTACGT", "non_gene", None),
    ("A1BG_-_58858617.23-P1", "non_gene", None),
    ("EGFP", "non_gene", None),
    ("AFFX-BioB-5_at", "non_gene", None),
    ("non-targeting", "control", None),
    ("Trp53", "unmapped", None),
    ("1007_s_at", "unmapped", None),
    ("ENST00000269305", "unmapped", None),
    ("ENSRNOG00000010756", "unmapped", None),
    ("no such gene", "unmapped", None),
]

GOLDEN_IDS = [
    ("ENSG00000141510", "current", "TP53"),
    ("ENSG00000141510.18", "current", "TP53"),
    (" ensg00000141510 ", "current", "TP53"),
    ("ENSG00000182378_PAR_Y", "current", "PLCXD1"),
    ("ENSG00000182378.15_PAR_Y", "current", "PLCXD1"),
    ("ENSGR0000182378.8", "current", "PLCXD1"),
    ("ENSG00000271109", "retired_replaced", "LINC01801"),
    ("ENSG00000263264", "retired_no_successor", None),
    ("ENSG00000285507", "alt_locus", "SPAG11B"),
    ("ENSG00000000000", "unmapped", None),
    ("7157", "current", "TP53"),
    ("7157.0", "current", "TP53"),
    ("GeneID:7157", "current", "TP53"),
    ("HGNC:11998", "current", "TP53"),
    ("HGNC:6", "retired_replaced", "UBA1"),
    ("HGNC:1", "retired_no_successor", None),
    ("A1CF (29974)", "current", "A1CF"),
    ("A1BG..1.", "current", "A1BG"),
    ("TP53|7157", "current", "TP53"),
    ("TP53 (ENSG00000141510)", "current", "TP53"),
    ("TP53_ENSG00000141510", "current", "TP53"),
    ("ENSG00000141510.18|TP53", "current", "TP53"),
    ("10023_ZC3H18_P1P2_ENSG00000158545", "current", "ZC3H18"),
    ("10928_non-targeting_non-targeting_non-targeting", "control", None),
    ("BRCA1 (7157)", "conflict", "TP53"),
    ("DDR1 /// MIR4640", "ambiguous", None),
    ("100510314///27341///91695", "ambiguous", None),
    ("CysLT(1)", "alias", "CYSLTR1"),
    ("ENSMUSG00000059552", "unmapped", None),
    ("ENSMUSG00000059552.14", "unmapped", None),
]


def one(label, **options):
    return map_genes([label], **options).table.row(0, named=True)


def plain(mapping):
    return mapping.table.select("original", "status", "gene_id").rows()


@pytest.mark.parametrize(("label", "status", "symbol"), GOLDEN_NAMES)
def test_map_genes__hard_names(label, status, symbol):
    row = one(label, kind="symbol")
    assert (row["status"], row["gene_symbol"]) == (status, symbol)


@pytest.mark.parametrize(("label", "status", "symbol"), GOLDEN_IDS)
def test_map_genes__every_notation_of_an_identifier(label, status, symbol):
    row = one(label, kind="entrez")
    assert (row["status"], row["gene_symbol"]) == (status, symbol)


@pytest.mark.parametrize("label", [None, "", " ", "nan", "None", "-666", "---"])
def test_map_genes__missing_identifier_is_a_row(label):
    row = one(label)
    assert (row["original"], row["status"], row["gene_id"], row["note"]) == (label, "unmapped", None, "no identifier")


def test_map_genes__empty_list_gives_no_rows():
    mapping = map_genes([])
    assert (len(mapping), mapping.counts(), mapping.table.columns) == (0, {}, list(COLUMNS))


@pytest.mark.parametrize("ids", [pl.Series([7157, 672]), pl.Series([7157.0, 672.0]), pl.Series(["7157", "672"])])
def test_map_genes__entrez_ids_may_be_numbers(ids):
    assert map_genes(ids).table["gene_symbol"].to_list() == ["TP53", "BRCA1"]


def test_map_genes__a_text_is_one_identifier():
    rows = map_genes("TP53", symbols="BRCA1").table
    assert rows.select("original", "original_symbol", "gene_symbol").rows() == [("TP53", "BRCA1", "TP53")]


@pytest.mark.parametrize("missing", [None, float("nan"), np.float64("nan"), pd.NA])
@pytest.mark.parametrize("as_written", [list, tuple, lambda ids: np.array(ids, object), pd.Series])
def test_map_genes__labels_of_several_types_are_read_as_text(missing, as_written):
    rows = map_genes(as_written(["TP53", missing, 7157, np.int64(672)])).table
    assert rows.select("original", "status", "gene_symbol").rows() == [
        ("TP53", "approved", "TP53"),
        (None, "unmapped", None),
        ("7157", "current", "TP53"),
        ("672", "current", "BRCA1"),
    ]


def test_map_genes__numbers_with_nan_among_them_are_entrez_ids():
    rows = map_genes(pl.Series([7157.0, float("nan")])).table
    assert rows.select("original", "gene_symbol").rows() == [("7157.0", "TP53"), (None, None)]


def test_map_genes__ambiguous_name_lists_every_candidate():
    row = one("QARS")
    symbols = dict(reference.table("gene").select("gene_id", "gene_symbol").iter_rows())
    assert {symbols[gene] for gene in row["candidates"]} == {"QARS1", "EPRS1"}


def test_map_genes__says_what_else_a_name_means():
    row = one("TAZ")
    assert row["note"] == "also alias of WWTR1"
    assert row["candidates"][0] == row["gene_id"]
    assert len(row["candidates"]) == 2


def test_map_genes__alias_that_annotations_gave_to_another_gene_is_ambiguous():
    row = one("AC005253.1")
    assert (row["status"], len(row["candidates"])) == ("ambiguous", 2)


# identifiers with symbols beside them


def test_map_genes__identifier_beats_its_symbol_and_the_conflict_is_told():
    row = map_genes(["7157"], symbols=["BRCA1"]).table.row(0, named=True)
    assert (row["status"], row["gene_symbol"], row["original_symbol"]) == ("conflict", "TP53", "BRCA1")
    assert row["note"] == "'BRCA1' is approved of BRCA1"
    assert len(row["candidates"]) == 2


def test_map_genes__symbol_that_moved_to_another_gene_is_no_conflict():
    row = map_genes(["51691"], symbols=["NAA38"]).table.row(0, named=True)
    assert (row["status"], row["gene_symbol"]) == ("current", "LSM8")
    assert row["note"] == "'NAA38' is approved of NAA38; also historic_name of LSM8"


def test_map_genes__outdated_symbol_beside_an_identifier_is_drift():
    mapping = map_genes(["ENSG00000162643", "ENSG00000141510"], symbols=["WDR63", "TP53"])
    assert mapping.table["status"].to_list() == ["current", "current"]
    assert mapping.drifted.select("symbol", "gene_symbol").rows() == [("WDR63", "DNAI3")]


def test_map_genes__symbol_stands_in_for_an_unknown_identifier():
    row = map_genes(["999999999"], symbols=["TP53"]).table.row(0, named=True)
    assert (row["status"], row["gene_symbol"], row["confidence"]) == ("approved", "TP53", "medium")
    assert row["note"] == "identifier not known; by its symbol"


def test_map_genes__flagged_symbol_does_not_stand_in_for_an_unknown_identifier():
    row = map_genes(["ENSG00000000000"], symbols=["TBCE-1"]).table.row(0, named=True)
    assert (row["status"], row["gene_id"], row["note"]) == ("unmapped", None, "identifier not known")


def test_map_genes__symbol_never_revives_a_retired_identifier():
    row = map_genes(["ENSG00000263264"], symbols=["TP53"]).table.row(0, named=True)
    assert (row["status"], row["gene_id"]) == ("retired_no_successor", None)
    assert row["candidates"] == ["ENSG00000141510"]


def test_map_genes__symbol_alone_decides_where_the_identifier_is_missing():
    rows = map_genes([None, "7157"], symbols=["BRCA1", None]).table
    assert rows["gene_symbol"].to_list() == ["BRCA1", "TP53"]


def test_map_genes__probes_are_read_through_the_platforms_table():
    probes = pl.DataFrame(
        {
            "probe": ["1007_s_at", "201746_at", "AFFX-x", "twice_at", "twice_at"],
            "id": ["780", None, None, "672", "7157"],
            "symbol": ["DDR1", "TP53", None, None, None],
        }
    )
    mapping = map_genes(["1007_s_at", "201746_at", "twice_at", "absent_at"], probe_table=probes)
    assert mapping.table["gene_symbol"].to_list() == ["DDR1", "TP53", None, None]
    assert mapping.table["original"].to_list() == ["1007_s_at", "201746_at", "twice_at", "absent_at"]


# what the whole list says


def test_map_genes__number_among_symbols_is_not_an_entrez_id():
    mapping = map_genes(["TP53", "BRCA1", "7157"])
    assert (mapping.kind, mapping.table["status"].to_list()[2]) == ("symbol", "unmapped")


def test_map_genes__prefixed_number_among_symbols_is_an_entrez_id():
    mapping = map_genes(["Entrez:7157", "BRCA1", "MYC", "KRAS", "672"])
    assert (mapping.kind, mapping.table["gene_symbol"].to_list()) == ("symbol", ["TP53", "BRCA1", "MYC", "KRAS", None])
    explicit = map_genes(["ncbigene:672", "GeneID:7157", "7157 "], kind="symbol")
    assert explicit.table["gene_symbol"].to_list() == ["BRCA1", "TP53", None]


def test_map_genes__row_numbers_are_not_entrez_ids():
    mapping = map_genes([str(number) for number in range(3, 40)])
    assert (mapping.kind, mapping.counts()) == ("row_number", {"unmapped": 37})


def test_map_genes__mouse_symbols_are_never_upper_cased():
    mapping = map_genes(["Trp53", "Actb", "C3", "mt-Nd1"])
    assert (mapping.kind, mapping.counts()) == ("mouse_symbol", {"unmapped": 4})
    assert mapping.table["note"].unique().to_list() == ["mouse gene; candidates are its human orthologs"]


def test_map_genes__mouse_is_translated_one_to_one_when_asked():
    mapping = map_genes(["Trp53", "Actb", "C3", "mt-Nd1", "0610005C13Rik"], translate_mouse=True)
    assert mapping.table["gene_symbol"].to_list() == ["TP53", "ACTB", "C3", "MT-ND1", None]
    assert mapping.counts() == {"ortholog": 4, "unmapped": 1}


@pytest.mark.parametrize(
    ("mouse", "human"),
    [
        ("Pten", "PTEN"), ("Cdkn2a", "CDKN2A"), ("Gapdh", "GAPDH"), ("Hspa8", "HSPA8"), ("Rpl5", "RPL5"),
        ("Trp53", "TP53"), ("Ube2d3", "UBE2D3"), ("Rpl21", "RPL21"), ("Myc", "MYC"), ("Snhg16", "SNHG16"),
        ("ENSMUSG00000013663", "PTEN"), ("ENSMUSG00000015656", "HSPA8"),
    ],
)  # fmt: skip
def test_map_genes__mouse_genes_that_ensembl_leaves_out_are_hcops(mouse, human):
    (row,) = map_genes(
        [mouse], kind=None if mouse.startswith("ENS") else "mouse_symbol", translate_mouse=True
    ).table.rows(named=True)
    assert (row["gene_symbol"], row["status"]) == (human, "ortholog")


def test_map_genes__mouse_gene_of_several_human_ones_is_not_translated():
    pairs = reference.table("ortholog_human_mouse")
    settled = pairs.filter(pl.col("homology").is_in(["one2one", "hcop"]))
    many = pairs.join(settled, on="mouse_gene_id", how="anti")
    mapping = map_genes(many["mouse_gene_id"].unique(maintain_order=True), translate_mouse=True)
    assert mapping.mapped.is_empty()
    assert mapping.table["candidates"].list.len().min() >= 1


# invariants

KNOWN = st.sampled_from([label for label, *_ in GOLDEN_NAMES + GOLDEN_IDS])
ANY_TEXT = st.one_of(st.none(), KNOWN, st.text(max_size=12), st.from_regex(r"ENSG\d{11}(\.\d)?", fullmatch=True))
LISTS = st.lists(st.tuples(ANY_TEXT, ANY_TEXT), max_size=12)


@settings(max_examples=40, deadline=None)
@given(LISTS, st.sampled_from([None, "symbol", "entrez"]), st.booleans())
def test_map_genes__keeps_every_row_and_its_promises(pairs, kind, translate):
    ids, symbols = [a for a, _ in pairs], [b for _, b in pairs]
    mapping = map_genes(ids, symbols=symbols, kind=kind, translate_mouse=translate)
    table = mapping.table
    assert table["original"].to_list() == ids
    assert sum(mapping.counts().values()) == len(mapping) == len(ids)
    without_gene = list(STATUSES)[list(STATUSES).index("suffix_flagged") + 1 :]
    has_gene = table["gene_id"].is_not_null()
    assert table.filter(has_gene)["status"].is_in(without_gene).sum() == 0
    assert table.filter(~has_gene)["status"].is_in(without_gene).all()
    assert (table.filter(has_gene)["candidates"].list.first() == table.filter(has_gene)["gene_id"]).all()
    assert (
        mapping.mapped.height + mapping.ambiguous.height + mapping.unmapped.height
        == table.filter(~pl.col("status").is_in(["control", "non_gene"])).height
    )
    assert set(table.filter(has_gene)["confidence"]) <= {"high", "medium", "low"}


@settings(max_examples=40, deadline=None)
@given(LISTS, st.randoms())
def test_map_genes__does_not_depend_on_order(pairs, random):
    shuffled = random.sample(pairs, len(pairs))
    first = map_genes([a for a, _ in pairs], symbols=[b for _, b in pairs]).table
    second = map_genes([a for a, _ in shuffled], symbols=[b for _, b in shuffled]).table
    key = ["original", "original_symbol", "gene_id", "note"]
    assert first.sort(key).equals(second.sort(key))


@settings(max_examples=40, deadline=None)
@given(st.lists(KNOWN, min_size=2, max_size=12), st.integers(1, 11))
def test_map_genes__of_known_kind_maps_each_identifier_by_itself(labels, cut):
    whole = map_genes(labels, kind="symbol").table
    parts = [map_genes(part, kind="symbol").table for part in (labels[:cut], labels[cut:])]
    assert whole.equals(pl.concat(parts))


@settings(max_examples=30, deadline=None)
@given(st.lists(KNOWN, max_size=12))
def test_map_genes__is_idempotent(labels):
    mapped = map_genes(labels, kind="entrez").mapped
    again = map_genes(mapped["gene_id"]).table
    assert again["gene_id"].to_list() == mapped["gene_id"].to_list()
    assert again["status"].is_in(["current"]).all()


def test_map_genes__every_current_id_maps_to_itself():
    gene = reference.table("gene")
    assert map_genes(gene["gene_id"]).table["gene_id"].equals(gene["gene_id"].alias("gene_id"))
    for column in ("hgnc_id", "entrez_id"):
        known = gene.drop_nulls(column)
        kind = "entrez" if column == "entrez_id" else "hgnc"
        assert map_genes(known[column], kind=kind).table["gene_id"].equals(known["gene_id"])


def test_map_genes__round_trips_the_symbol_of_every_hgnc_gene():
    gene = reference.table("gene").drop_nulls("hgnc_id")
    there = map_genes(gene["gene_id"]).table["gene_symbol"]
    back = map_genes(there, kind="symbol").table
    strange = back.filter(back["gene_id"] != gene["gene_id"])
    assert strange.is_empty()
    assert back["status"].unique().to_list() == ["approved"]


def test_map_genes__every_retired_id_has_one_of_three_fates():
    retired = reference.table("gene_retired").filter(pl.col("kind") != "hgnc_withdrawn")
    mapping = map_genes(retired["retired_id"])
    assert set(mapping.counts()) == {"alt_locus", "retired_replaced", "retired_no_successor"}
    assert mapping.table["gene_id"].equals(retired["gene_id"], null_equal=True)


def test_parse_notation__takes_hardly_any_label_of_a_gene_for_something_else():
    labels = reference.table("gene_label").filter(pl.col("kind").is_in(["approved", "gencode_name", "historic_name"]))
    read = labels.with_columns(parse_notation(labels["label"])["id_kind"])
    assert read.filter(pl.col("id_kind") != "symbol").is_empty()


def test_control_labels__are_no_gene():
    known = reference.table("gene_label").filter(pl.col("label").is_in(CONTROL_LABELS))
    assert known.is_empty()


def test_map_targets__maps_perturbation_labels():
    mapping = map_targets(["TP53", "non-targeting", "KIAA1804", "ZAP70_1", "MARCH8"])
    assert mapping.table["status"].to_list() == ["approved", "control", "alias", "suffix_flagged", "previous"]
    assert mapping.table["gene_symbol"].to_list() == ["TP53", None, "MAP3K21", "ZAP70", "MARCHF8"]


def test_map_genes__opens_no_connection(monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    for cached in (
        reference._read,
        reference.manifest,
        gene_lookup._ids,
        gene_lookup._labels,
        gene_lookup.gene_symbols,
    ):
        cached.cache_clear()
    assert map_genes(["TP53", "no such gene"]).counts() == {"approved": 1, "unmapped": 1}


# refusals


def test_map_genes__refuses_symbols_of_another_length():
    with pytest.raises(HarmonisationError, match="not of one length"):
        map_genes(["TP53"], symbols=["TP53", "BRCA1"])


def test_map_genes__refuses_an_unknown_kind():
    with pytest.raises(HarmonisationError, match="did you mean 'ensembl'"):
        map_genes(["TP53"], kind="ensemble")
    assert all(map_genes(["TP53"], kind=kind).counts() for kind in KINDS)


def test_map_genes__refuses_a_probe_table_without_its_columns():
    with pytest.raises(HarmonisationError, match="lacks columns") as raised:
        map_genes(["1007_s_at"], probe_table=pl.DataFrame({"probe": ["1007_s_at"]}))
    assert raised.value.got == "missing: id, symbol"


def test_require_mapped__counts_genes_only_and_names_the_first():
    mapping = map_genes(["TP53", "nonsense", "ERCC-00002", "non-targeting"])
    mapping.require_mapped(0.5)
    with pytest.raises(HarmonisationError, match=r"1 of 2 .*\(50\.0%; the limit is 40\.0%\)") as raised:
        mapping.require_mapped(0.4, where="counts.h5ad, var")
    assert raised.value.got == "unmapped 1; first: 'nonsense'"
    map_genes(["ERCC-00002"]).require_mapped(0.0)


@pytest.mark.parametrize("module", [genes, gene_release])
def test_docstrings__examples_run(module):
    outcome = doctest.testmod(module)
    assert (outcome.failed, outcome.attempted > 0) == (0, True)
