"""Perturbation labels as the sources write them, taken apart by the rules of their specs."""

from __future__ import annotations

import random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featurestore.errors import SpecError
from ingest.condition_section import ConditionSection
from ingest.harmonise.perturbations import map_perturbations

ADAMSON = {
    "controls": ["62(mod)_pBA581", "3x_neg_ctrl_pMJ144-1", "3x_neg_ctrl_pMJ144-2"],
    "strip": "_(pM|pD|pB|only).*",
    "separator": "_",
}
GEARS = {"controls": ["ctrl"], "separator": "+"}
NORMAN = {"controls": ["control", "NegCtrl0"], "separator": "_"}


def labels_of(labels, kind="crispri", compounds=None, **rules):
    frame = pl.DataFrame({"perturbation_label": labels, "kind": pl.Series([None] * len(labels), dtype=pl.String)})
    if compounds is not None:
        frame = frame.with_columns(**compounds)
    section = ConditionSection(perturbation="x", context={"value": "K562"}, kind=kind, **rules)
    return map_perturbations(frame, section, dataset="d")


def targets(labels, **rules):
    table = labels_of(labels, **rules).table
    return dict(table.select("perturbation_label", "target_symbols").iter_rows())


def ledger_of(mapped, label):
    rows = mapped.ledger.filter(pl.col("original") == label)
    return rows.select("target_id", "status", "note").rows()


@pytest.mark.parametrize(
    ("label", "symbols"),
    [
        ("CREB1_pDS269", ["CREB1"]),
        ("XBP1_pBA578", ["XBP1"]),
        ("PERK_only_pMJ146", ["EIF2AK3"]),
        ("IRE1_only_pMJ148", ["ERN1"]),
        ("PERK_IRE1_pMJ154", ["EIF2AK3", "ERN1"]),
        ("ATF6_PERK_IRE1_pMJ158", ["ATF6", "EIF2AK3", "ERN1"]),
    ],
)
def test_adamson__plasmids_come_off_and_protein_names_are_aliases(label, symbols):
    assert sorted(targets([label], **ADAMSON)[label]) == symbols


def test_adamson__only_the_named_plasmids_are_controls():
    table = labels_of(["62(mod)_pBA581", "3x_neg_ctrl_pMJ144-1", "Gal4-4(mod)_pBA582"], **ADAMSON).table
    assert table["is_control"].to_list() == [True, True, False]
    assert table["target_symbols"].to_list() == [[], [], []]
    assert table["perturbation_id"].to_list() == ["control", "control", "label:d:Gal4-4(mod)"]


def test_gears__order_and_control_components_make_no_difference():
    labels = ["IER5L+ctrl", "ctrl+IER5L", "IER5L", "KIAA1804+SET", "SET+KIAA1804", "MAP3K21+SET"]
    table = labels_of(labels, **GEARS).table
    assert table["perturbation_id"].n_unique() == 2
    assert table["target_symbols"].to_list()[:3] == [["IER5L"]] * 3
    assert all(sorted(symbols) == ["MAP3K21", "SET"] for symbols in table["target_symbols"][3:])


def test_gears__a_component_that_is_unknown_keeps_the_other():
    mapped = labels_of(["RHOXF2BB+SET", "SET+RHOXF2BB"], **GEARS)
    (one, other) = mapped.table["perturbation_id"]
    assert one == other == "ENSG00000119335+label:d:RHOXF2BB"
    assert mapped.table["target_gene_ids"].to_list() == [[], []]
    assert ledger_of(mapped, "RHOXF2BB+SET") == [
        (None, "unmapped", "read as 'RHOXF2BB'"),
        ("ENSG00000119335", "approved", "read as 'SET'"),
    ]


def test_combination__of_controls_is_a_control():
    mapped = labels_of(["ctrl+ctrl", "ctrl", "TP53+ctrl"], **GEARS)
    assert mapped.table["is_control"].to_list() == [True, True, False]
    assert ledger_of(mapped, "ctrl+ctrl") == [("control", "control", "names nothing but controls")]


def test_combination__with_what_is_not_assigned_is_rejected():
    labels = ["unknown+ctrl", "TP53+unknown", "no_reads_found+ctrl", "nan+ctrl", "nan+TP53", "nan+nan"]
    mapped = labels_of([*labels, "ctrl"], **GEARS, unassigned=["unknown"])
    assert mapped.table["is_control"].to_list() == [False] * 6 + [True]
    assert mapped.table["reason"].to_list() == ["no perturbation assigned"] * 6 + [None]
    assert mapped.table["perturbation_id"].null_count() == 6
    assert ledger_of(mapped, "TP53+unknown") == [(None, "unassigned", "no perturbation assigned")]


@pytest.mark.parametrize("separator", ["+", "_"])
def test_combination__with_a_word_for_nothing_has_no_second_component(separator):
    labels = [f"{name}{separator}nan" for name in ("TP53", "ctrl", "TP53")]
    mapped = labels_of(labels, controls=["ctrl"], separator=separator)
    assert mapped.table["target_symbols"].to_list() == [["TP53"], [], ["TP53"]]
    assert mapped.table["is_control"].to_list() == [False, True, False]


def test_combination__of_nothing_is_no_control():
    mapped = labels_of(["+", "TP53+", "++"], **GEARS)
    assert mapped.table["is_control"].to_list() == [False, False, False]
    assert mapped.table["target_symbols"].to_list() == [[], ["TP53"], []]


def test_mouse__targets_are_translated_only_when_asked():
    labels = ["Trp53_Kras", "Kras", "Egfr", "Stat1"]
    assert list(targets(labels, **NORMAN).values()) == [[], [], [], []]
    section = ConditionSection(perturbation="x", context={"value": "3T3"}, kind="crispri", **NORMAN)
    given = pl.DataFrame({"perturbation_label": labels, "kind": pl.Series([None] * 4, dtype=pl.String)})
    table = map_perturbations(given, section, translate_mouse=True).table
    assert table["target_symbols"].list.sort().to_list() == [["KRAS", "TP53"], ["KRAS"], ["EGFR"], ["STAT1"]]


def test_norman__underscore_splits_only_known_symbols():
    labels = ["SET_KLF1", "KLF1_SET", "NegCtrl0_SET", "NegCtrl0_NegCtrl0", "5S_rRNA", "chr1.10050_top_two_chr11"]
    mapped = labels_of(labels, kind="crispra", **NORMAN)
    table = mapped.table
    assert table["target_symbols"].list.sort().to_list() == [["KLF1", "SET"], ["KLF1", "SET"], ["SET"], [], [], []]
    assert table["is_control"].to_list() == [False, False, False, True, False, False]
    assert table["perturbation_id"].to_list()[-1] == "label:d:chr1.10050_top_two_chr11"
    ((target, status, note),) = ledger_of(mapped, "chr1.10050_top_two_chr11")
    assert (target, status) == (None, "unmapped")
    assert note == "not split at '_': 'chr1.10050', 'two', 'chr11' not known"


def test_norman__an_ambiguous_symbol_is_a_known_one():
    mapped = labels_of(["QARS_TP53"], **NORMAN)
    assert [row[1] for row in ledger_of(mapped, "QARS_TP53")] == ["ambiguous", "approved"]
    assert mapped.table["target_symbols"].to_list() == [[]]


def test_strip__takes_guide_numbers_off_every_component():
    rules = {"controls": ["non-targeting"], "strip": r"_\d+$", "separator": "+"}
    mapped = labels_of(["ZAP70_1", "ZAP70_2", "ZAP70_1+LCK_3", "LCK_1+non-targeting_2", "non-targeting_7"], **rules)
    symbols = mapped.table["target_symbols"].list.sort().to_list()
    assert symbols == [["ZAP70"], ["ZAP70"], ["LCK", "ZAP70"], ["LCK"], []]
    assert mapped.table["is_control"].to_list() == [False, False, False, False, True]
    assert ledger_of(mapped, "ZAP70_1") == [("ENSG00000115085", "approved", "read as 'ZAP70'")]


def test_strip__takes_off_every_match():
    found = targets(["sgTP53-1", "sgNKX2-1-2", "sgMYC"], controls=["sgNTC-1"], strip=r"^sg|-\d+$")
    assert found == {"sgTP53-1": ["TP53"], "sgNKX2-1-2": ["NKX2-1"], "sgMYC": ["MYC"]}


def test_strip__that_leaves_nothing_leaves_the_label():
    assert targets(["TP53"], controls=["x"], strip=".*") == {"TP53": ["TP53"]}


def test_label__is_never_split_without_a_separator():
    table = labels_of(["TP53+MYC", "SET_KLF1", "TP53|MYC"], controls=["ctrl"]).table
    assert table["target_symbols"].to_list() == [[], [], []]
    assert table["perturbation_id"].str.starts_with("label:").all()


def test_control__is_the_whole_label_to_the_letter():
    table = labels_of(["KNTC1", "NTC", "ntc", "NTC "], controls=["NTC"]).table
    assert table["is_control"].to_list() == [False, True, False, False]
    solvate = labels_of(["Trametinib (DMSO_TF solvate)", "DMSO_TF"], kind="compound", controls=["DMSO_TF"]).table
    assert solvate["is_control"].to_list() == [False, True]


@pytest.mark.parametrize("label", ["", "nan", "NaN", "None", "NA", "*", "unsure", "no_reads_found", "-666", None])
def test_unassigned__is_rejected_and_never_a_control(label):
    mapped = labels_of([label, "TP53"], controls=["ctrl"])
    assert mapped.table["reason"].to_list() == ["no perturbation assigned", None]
    assert mapped.table["is_control"].to_list() == [False, False]


def test_compound__brackets_are_not_taken_apart():
    mapped = labels_of(["(+)-JQ1", "Trametinib+Dabrafenib", "Dabrafenib+Trametinib"], "compound", **GEARS)
    ids = mapped.table["perturbation_id"].to_list()
    assert ids[0] == "name:(+)-jq1"
    assert ids[1] == ids[2] == "name:dabrafenib+name:trametinib"
    assert mapped.table["compound_id"].to_list() == ["name:(+)-jq1", None, None]


def test_compound__underscore_splits_only_names_that_stand_alone_elsewhere():
    labels = ["Abexinostat", "ABT-737", "ABT-737_Abexinostat", "NA-37-JQ34_x"]
    mapped = labels_of(labels, "compound", controls=["DMSO"], separator="_")
    assert mapped.table["perturbation_id"].to_list()[2:] == ["name:abexinostat+name:abt-737", "name:na-37-jq34_x"]


def test_compound__the_structure_of_a_combination_is_not_that_of_its_components():
    key = "ZYURHZPYMFLWSH-UHFFFAOYSA-N"
    compounds = {"inchi_key": [key, None]}
    mapped = labels_of(["Trametinib+Dabrafenib", "Dabrafenib"], "compound", compounds, **GEARS)
    assert key not in set(mapped.compounds["compound_id"])


def test_kind__of_lincs_is_read_and_others_are_refused():
    frame = pl.DataFrame(
        {"perturbation_label": ["TP53", "vorinostat", "GFP"], "kind": ["trt_sh.cgs", "trt_cp", "ctl_vector"]}
    )
    rules = ConditionSection(perturbation="x", context={"value": "A549"}, kind_column="pert_type")
    table = map_perturbations(frame, rules).table
    assert table["perturbation_kind"].to_list() == ["shrna", "compound", "control"]
    with pytest.raises(SpecError, match="trt_magic"):
        map_perturbations(frame.with_columns(kind=pl.lit("trt_magic")), rules)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["TP53", "MYC", "ctrl", "QARS", "NOSUCHGENE9", "PERK"]), min_size=1, max_size=4))
def test_combination__has_one_id_whatever_the_order(components):
    shuffled = random.Random(0).sample(components, len(components))
    labels = list(dict.fromkeys(["+".join(components), "+".join(shuffled)]))
    mapped = labels_of(labels, **GEARS)
    assert mapped.table["perturbation_id"].n_unique() == 1
    assert set(mapped.ledger.filter(pl.col("status") != "not_there")["original"]) == set(labels)
    assert mapped.table["is_control"].all() == (set(components) == {"ctrl"})


def test_labels__every_one_is_in_the_ledger():
    labels = ["TP53", "TP53+MYC", "ctrl", "nan", "NOSUCHGENE9", "ctrl+ctrl"]
    mapped = labels_of(labels, **GEARS)
    assert set(mapped.ledger.filter(pl.col("status") != "not_there")["original"]) == set(labels)


def test_strip__is_taken_off_each_component_once():
    table = labels_of(["NKX2-1-2+JAK2-1", "JAK2-3+NKX2-1-4", "NKX2-1-2"], strip=r"-\d+$", separator="+").table
    assert table["target_symbols"].list.sort().to_list() == [["JAK2", "NKX2-1"], ["JAK2", "NKX2-1"], ["NKX2-1"]]
    assert table["perturbation"].to_list() == ["JAK2+NKX2-1", "JAK2+NKX2-1", "NKX2-1"]
