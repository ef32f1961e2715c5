"""Labels that are no perturbation, guides, doses and times: a draft ingests them as what they are, or asks."""

from __future__ import annotations

import json
import re
from collections import Counter

import numpy as np
import polars as pl
import pytest
from drafting import drafted, ingested

from featurestore.errors import MissingControlError, SpecError
from featurestore.features.matching import match_conditions
from featurestore.query.warehouse import Warehouse
from ingest.commands.left_open import left_open
from ingest.commands.tested import tested as said_of_tests
from ingest.harmonise.genes import map_targets
from ingest.harmonise.words import NOT_CALLED
from ingest.inspection.columns import summarise
from ingest.inspection.inspect import inspect_file
from ingest.inspection.labels import judge_labels
from ingest.inspection.roles import SURE, guess_roles
from ingest.layouts import write_h5ad

GENES = ["TP53", "MYC", "ABL1", "STAT1", "TYK2", "ISG15", "GAPDH", "ACTB", "KLF1", "SET", "CEBPE", "JAK2"]
EACH = 6


def screen(path, labels, column="gene", line="K562", each=EACH, genes=GENES, **columns):
    """Write cells of some labels, so many of each; further columns have a value for each label."""
    n = each * len(labels)
    rows = {name: np.repeat(values, each).tolist() for name, values in columns.items()}
    table = pl.DataFrame(
        {
            "index": [f"CELL{at}-1" for at in range(n)],
            column: [label for label in labels for _ in range(each)],
            "cell_line": [line] * n,
            **rows,
        },
        strict=False,
    )
    counts = np.random.default_rng(3).poisson(4.0, (n, len(genes))).astype(np.float32)
    return write_h5ad(path, counts, table, pl.DataFrame({"index": genes}))


def test_not_called__no_word_for_it_is_a_gene():
    found = map_targets(sorted(NOT_CALLED)).table
    assert found.filter(pl.col("candidates").list.len() > 0)["original"].to_list() == []


@pytest.mark.parametrize(
    "words",
    [
        ("Negative", "Doublet", "unassigned"),
        ("negative", "doublet", "Unknown"),
        ("Multiplet", "Unassigned"),
        ("No guide", "Multiple guides"),
        ("no_guide", "multiple_sgRNAs"),
        ("NO_CALL", "ambiguous"),
        ("unsure", "no_reads_found"),
        ("not-called", "multi-guide"),
        ("None", "NA"),
        ("rest", "Low quality"),
        ("HTO-Doublet", "HTO Negative"),
    ],
)
def test_not_called__is_rejected_and_counted(words, tmp_path):
    draft = drafted(screen(tmp_path / "a.h5ad", ["non-targeting", "STAT1", "MYC", *words]))
    assert draft.missing == ()
    ingested(tmp_path, draft)
    with Warehouse(tmp_path / "warehouse") as store:
        found = store.frame("select perturbation, n_cells from condition order by 1").rows()
        rejected = store.frame("select label, n_cells from rejected order by 1").rows()
    assert found == [("MYC", EACH), ("STAT1", EACH), ("control", EACH)]
    assert rejected == [(word, EACH) for word in sorted(words)]


def test_not_called__is_a_control_where_the_spec_says_so(tmp_path):
    draft = drafted(screen(tmp_path / "a.h5ad", ["negative", "STAT1", "MYC"]))
    assert draft.missing == ("condition.controls",)
    ingested(tmp_path, draft.text.replace("# FILL IN: ", ""))
    with Warehouse(tmp_path / "warehouse") as store:
        labels = store.frame("select perturbation, perturbation_label from condition where is_control").rows()
        assert labels == [("control", "negative")]


def test_label_without_a_gene__is_of_its_dataset_alone(tmp_path):
    for name, line in (("one", "K562"), ("two", "A549")):
        draft = drafted(screen(tmp_path / f"{name}.h5ad", ["non-targeting", "STAT1", "MYC", "locus_7"], line=line))
        ingested(tmp_path, draft, name)
    with Warehouse(tmp_path / "warehouse") as store:
        ids = store.frame("select perturbation_id from condition where perturbation = 'locus_7' order by 1")
        conditions = store.frame("select * from condition where not is_control order by condition_id")
    assert ids["perturbation_id"].to_list() == ["label:one:locus_7", "label:two:locus_7"]
    here, there = (conditions.filter(dataset_id=name) for name in ("one", "two"))
    matches = match_conditions(here, there)
    assert here["perturbation"].gather(matches["row"]).to_list() == ["MYC", "STAT1"]


def test_further_controls__beside_a_known_one_are_suspects(tmp_path):
    further = ["neg_ctrl_1", "safe-harbor_2", "intergenic-3", "AAVS1", "OR1A1"]
    draft = drafted(screen(tmp_path / "a.h5ad", ["non-targeting", "STAT1", "MYC", "JAK2", *further]))
    assert draft.missing == ()
    assert "condition.controls" in draft.doubtful
    told = " ".join(draft.text.replace("#   ", "").split())
    assert (
        "may be controls too, and are conditions unless they are added: 'intergenic-3' (6 rows), 'neg_ctrl_1'" in told
    )
    assert "genes that libraries take for controls, here conditions: 'AAVS1' (6 rows), 'OR1A1' (6 rows)" in told
    lines = left_open(tmp_path / "warehouse", ingested(tmp_path, draft))
    assert lines[0].startswith("  3 labels look like controls and are conditions: 'neg_ctrl_1', 'safe-harbor_2', ")


def test_control_of_the_spec__that_no_row_has_is_said(tmp_path):
    draft = drafted(screen(tmp_path / "a.h5ad", ["non-targeting", "STAT1", "MYC"]))
    text = draft.text.replace('controls = ["non-targeting"]', 'controls = ["non-targeting", "safe-targeting"]')
    lines = left_open(tmp_path / "warehouse", ingested(tmp_path, text))
    assert lines == ["  no row has the control label 'safe-targeting' that the spec names"]


def test_missing_label__as_control_is_asked_for_and_named(tmp_path):
    path = screen(tmp_path / "a.h5ad", [None, "STAT1", "MYC"])
    draft = drafted(path)
    assert draft.missing == ("condition.control_where",)
    with pytest.raises(SpecError, match='control_where = "gene is null"'):
        ingested(tmp_path, draft)
    with pytest.raises(MissingControlError, match='set control_where = "gene is null" under'):
        ingested(tmp_path, draft.text.replace("# FILL IN: control_where = ", "controls = ['NT'] #"))
    ingested(tmp_path, draft.text.replace("# FILL IN: ", ""))
    with Warehouse(tmp_path / "warehouse") as store:
        found = store.frame("select perturbation, is_control, n_cells from condition order by 1").rows()
    assert found == [("MYC", False, EACH), ("STAT1", False, EACH), ("control", True, EACH)]


CONTROL_NUMBERED = r"(?<=^{})[-_. ]?\d+$"
NT, PROMOTER = CONTROL_NUMBERED.format("NT"), r"_[+-]_\d+(?:\.\d+)*(?:[-_][A-Za-z]\w*)?$"
GUIDE_FILES = {
    "sg": (["NT_12", "NT_3", "STAT1_sg1", "STAT1_sg2", "MYC_sg1", "JAK2_sg4"], rf"_sg\d+$|{NT}", None, "NT"),
    "own controls": (["NT_sg1", "NT_sg2", "STAT1_sg1", "MYC_sg2", "JAK2_sg4"], r"_sg\d+$", None, "NT"),
    "pairs": (["NT_1;NT_2", "STAT1_sg1;NT_3", "MYC_sg1;MYC_sg2", "JAK2_sg4;MYC_sg1"], rf"_sg\d+$|{NT}", ";", "NT"),
    "promoters": (
        ["STAT1_+_191878912.23-P1P2", "MYC_-_128748.2-P1", "JAK2_+_49.1-P2", "non-targeting_00012"],
        PROMOTER + "|" + CONTROL_NUMBERED.format(r"non\-targeting"),
        None,
        "non-targeting",
    ),
    "two promoters": (
        [
            *("STAT1_+_19.2-P1P2|STAT1_-_18.1-P1P2", "MYC_-_1.2-P1|MYC_+_2.2-P1", "JAK2_-_1.2-P1|JAK2_+_2.2-P1"),
            "non-targeting_01|non-targeting_02",
        ],
        PROMOTER + "|" + CONTROL_NUMBERED.format(r"non\-targeting"),
        "|",
        "non-targeting",
    ),
    "sequences": (
        [f"{name}_ACGTACGTTTACGTACGT{end}" for name, end in zip(("NTC", "MYC", "STAT1", "JAK2"), "ACGT", strict=True)],
        r"[-_.](?i:[acgt]{17,23})$",
        None,
        "NTC",
    ),
    "numbers": (["ABL1_1", "ABL1_2", "STAT1_1", "MYC_3", "control_1", "control_2"], r"_\d+$", None, "control"),
    "hyphens": (["NTC-3", "NTC-4", "STAT1-1", "MYC-2", "JAK2-1", "NKX2-1-2"], r"-\d+$", None, "NTC"),
    "g": (["NTg1", "NTg2", "JAK2g1", "STAT1g1", "STAT1g2", "MYCg4"], r"g\d+$", None, "NT"),
    "joined by what is within": (["STAT1_g1_JAK2_g2", "MYC_g1_MYC_g2", "NT_g1_NT_g2"], r"_g\d+(?=_|$)", "_", "NT"),
    "commas": (["NTC_guide1", "STAT1_guide1,MYC_guide2", "STAT1_guide3", "JAK2_guide1"], r"_guide\d+$", ",", "NTC"),
    "hashes": (["safe-targeting#3", "STAT1#1", "MYC#2", "JAK2#1"], r"#\d+$", None, "safe-targeting"),
}


@pytest.mark.parametrize("column", ["feature_call", "my_assignment"])
@pytest.mark.parametrize(("labels", "strip", "separator", "control"), GUIDE_FILES.values(), ids=GUIDE_FILES)
def test_guides__are_told_by_how_they_are_written(labels, strip, separator, control, column):
    found = summarise(pl.Series(column, labels * 7 + ["unassigned"]))
    (guess, *_) = guess_roles([found])["perturbation"]
    labels = judge_labels(found)
    assert (guess.column, guess.score >= SURE) == (column, True)
    assert (labels.strip[0], list(labels.controls)) == (strip, [control])
    assert (labels.separator[0] if labels.separator else None) == separator
    assert list(labels.unassigned) == ["unassigned"]


@pytest.mark.parametrize(
    "labels", [["ACH-000001", "ACH-000002"], ["HTO1_1", "HTO2_1"], ["JQ1_1", "dasatinib_2"], ["AAAC-1", "ACCT-1"]]
)
def test_guides__are_not_seen_in_other_names(labels):
    assert summarise(pl.Series("a", labels)).guides is None


@pytest.mark.parametrize("kind", ["sg", "pairs", "promoters", "two promoters", "joined by what is within", "hyphens"])
def test_guides__become_their_genes(kind, tmp_path):
    labels, _, _, control = GUIDE_FILES[kind]
    draft = drafted(screen(tmp_path / "a.h5ad", labels, "my_assignment"))
    assert draft.missing == ()
    ingested(tmp_path, draft)
    with Warehouse(tmp_path / "warehouse") as store:
        found = store.frame("select perturbation, sum(n_cells)::int from condition group by 1 order by 1").rows()
        published = store.frame("select perturbation_label from condition where is_control").item()
    expected = Counter()
    for label in labels:
        genes = [
            name for name in ("ABL1", "JAK2", "MYC", "NKX2-1", "STAT1") if re.search(rf"(^|[;|_]){name}[-_]", label)
        ]
        expected["+".join(genes) or "control"] += EACH
    assert found == sorted(expected.items())
    assert published == " | ".join(
        label for label in sorted(labels) if label.startswith(control) and ";ST" not in label
    )


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("dose", ["1 ng/mL", "100 ng/mL"]),
        ("dose", ["1 IU", "10 IU"]),
        ("dose", ["low", "high"]),
        ("concentration", ["0.1%", "1%"]),
        ("treatment_dose", ["2 Gy", "8 Gy"]),
        ("conc", ["1,111 nM", "3,333 nM"]),
        ("dose", ["1x", "10x"]),
        ("drug_dose", ["10 ?M", "1 ?M"]),
        ("time_point", ["early", "late"]),
        ("time", ["before", "after"]),
    ],
)
def test_quantity__that_cannot_be_read_keeps_conditions_apart(column, values, tmp_path):
    treated = ["JQ1", "JQ1", "dasatinib", "dasatinib"]
    path = screen(tmp_path / "a.h5ad", ["DMSO", *treated], "drug", **{column: [values[0], *values, *values]})
    draft = drafted(path)
    assert draft.missing == ()
    lines = left_open(tmp_path / "warehouse", ingested(tmp_path, draft))
    entity = "time" if "time" in column else "dose"
    assert f'{entity} = {{ column = "{column}" }}' in draft.text
    assert any(line.startswith(f"  no {entity} for ") for line in lines)
    with Warehouse(tmp_path / "warehouse") as store:
        found = store.frame("select perturbation, n_cells, condition_id from condition where not is_control")
    assert sorted(found.select("perturbation", "n_cells").rows()) == sorted((name, EACH) for name in treated)
    assert {f"{name}/K562/{value}" for name in treated for value in values} == set(found["condition_id"])


@pytest.mark.parametrize("micro", ["\u00b5", "\u03bc", "\u00c2\u00b5", "\u00ce\u00bc", "\ufffd", "u"])
def test_dose__in_a_damaged_encoding_is_micromolar(micro, tmp_path):
    path = screen(tmp_path / "a.h5ad", ["DMSO", "JQ1", "JQ1"], "drug", dose=["0", f"1,5 {micro}M", f"10 {micro}M"])
    ingested(tmp_path, drafted(path))
    with Warehouse(tmp_path / "warehouse") as store:
        found = store.frame("select dose_um, n_cells from condition where not is_control order by 1").rows()
        notes = store.frame("select note from mapping where entity = 'dose' and note like '%comma%'")["note"]
    assert found == [(1.5, EACH), (10.0, EACH)]
    assert notes.len() == 1


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("dose", ["0 nM", "1 nM", "10 nM"]),
        ("Drug_conc", ["0", "1", None]),
        ("treatment_duration", ["24", "24", "72"]),
        ("dosage", [0, 1, 10]),
        ("time.point", ["early", "early", "late"]),
    ],
)
def test_pooling__over_a_column_called_dose_or_time_is_refused_unless_the_spec_names_it(column, values, tmp_path):
    path = screen(tmp_path / "a.h5ad", ["DMSO", "JQ1", "JQ1"], "drug", **{column: values})
    entity = "time" if "time" in column or "duration" in column else "dose"
    text = "\n".join(line for line in drafted(path).text.splitlines() if not line.startswith(f"{entity} = "))
    with pytest.raises(SpecError) as refused:
        ingested(tmp_path, text)
    assert f"pool over column '{column}'" in str(refused.value)
    assert f'{entity} = {{ column = "{column}" }}' in str(refused.value)
    assert f'pooled = ["{column}"]' in str(refused.value)
    assert not (tmp_path / "warehouse" / "releases").exists()
    allowed = text.replace("[condition]", f'[condition]\npooled = ["{column}"]')
    (line, *_) = left_open(tmp_path / "warehouse", ingested(tmp_path, allowed))
    told = f"  conditions pool over column '{column}': 1 condition holds several values, such as JQ1/K562"
    assert line.startswith(told)
    with Warehouse(tmp_path / "warehouse") as store:
        found = store.frame("select n_cells from condition where not is_control").rows()
    assert found == [(2 * EACH,)]


def test_pooling__over_a_column_of_a_table_beside_the_cells_is_refused(tmp_path):
    path = screen(tmp_path / "a.h5ad", ["DMSO", "JQ1", "JQ1"], "drug", well=["A1", "A2", "A3"])
    (tmp_path / "wells.csv").write_text("well,dose\nA1,0 nM\nA2,1 nM\nA3,10 nM\n")
    text = f'{drafted(path).text}\n[rows]\njoin = [{{ table = "wells.csv", key = "well" }}]\n'
    with pytest.raises(SpecError, match="pool over column 'dose'"):
        ingested(tmp_path, text)
    ingested(tmp_path, text.replace("[condition]", '[condition]\ndose = { column = "dose" }'))
    with Warehouse(tmp_path / "warehouse") as store:
        found = store.frame("select dose_um, n_cells from condition where not is_control order by 1").rows()
    assert found == [(0.001, EACH), (0.01, EACH)]


def test_pooling__over_an_inferred_order_of_cells_is_no_pooling_over_times(tmp_path):
    path = screen(tmp_path / "a.h5ad", ["DMSO", "JQ1", "JQ1"], "drug", latent_time=[0.1, 0.2, 0.3])
    assert left_open(tmp_path / "warehouse", ingested(tmp_path, drafted(path))) == []


def test_batch__of_screens_without_controls_is_drafted_and_what_is_there_not_tested(tmp_path):
    labels = ["non-targeting", "STAT1", "MYC", "JAK2", "TP53"]
    path = screen(tmp_path / "a.h5ad", labels, each=20, screen=["s1"] * 3 + ["s2"] * 2, batch=["s1"] * 3 + ["s2"] * 2)
    draft = drafted(path)
    assert 'batch = "batch"  # CHECK' in draft.text
    assert draft.doubtful == ("condition.kind", "condition.batch")
    outcome = ingested(tmp_path, draft)
    assert said_of_tests(tmp_path / "warehouse", outcome)[0] == (
        "  no test for 2 of 4 conditions: 2 with no control in its batches"
    )
    with Warehouse(tmp_path / "warehouse") as store:
        quality = "from quality join condition using (dataset_id, condition_id) order by perturbation"
        found = store.frame(f"select perturbation, is_responder, n_significant is null, reason {quality}").rows()
        numbers = "count(z), count(p_value), count(q_value), count(standard_error), count(log2fc)"
        signatures = "signature join condition using (dataset_id, condition_id)"
        of_stranger = store.frame(f"select {numbers} from {signatures} where perturbation = 'TP53'").row(0)
    assert [name for name, *_, reason in found if reason == "no control in its batches: not tested"] == ["JAK2", "TP53"]
    assert [row[1:3] for row in found if row[0] in {"JAK2", "TP53"}] == [(None, True)] * 2
    assert of_stranger == (0, 0, 0, 0, 0)


BY_HAND = """
[dataset]
id = "a"
files = ["a.h5ad"]
values = "counts"
assay = "perturb_seq"
[condition]
perturbation = "gene"
kind = "crispri"
controls = ["non-targeting"]
context = {{ value = "K562" }}
{more}
"""
UNNAMED = [
    ("screen", "60 rows of 1 of its 2 values are compared with controls of others", ["s1", "s1", "s1", "s2", "s2"]),
    ("plate", "controls of its 2 values are taken together", ["p1", "p1", "p1", "p2", "p2", "p2"]),
    ("sample", None, ["a", "b", "c"]),
    ("batch", None, ["b1"] * 3),
]


@pytest.mark.parametrize(("column", "told", "values"), UNNAMED, ids=[name for name, *_ in UNNAMED])
def test_batch__that_a_spec_by_hand_does_not_name_is_said_once(column, told, values, tmp_path):
    labels = ["non-targeting", "STAT1", "MYC", "non-targeting" if column == "plate" else "JAK2", "TP53", "SET"]
    screen(tmp_path / "a.h5ad", labels[: len(values)], each=30, study=values, **{column: values})
    lines = left_open(tmp_path / "warehouse", ingested(tmp_path, BY_HAND.format(more="")))
    do = f'batch = "{column}" under [condition] compares with those of the same value alone'
    assert lines == ([] if told is None else [f"  column '{column}' looks like batches: {told}; {do}"])
    named = BY_HAND.format(more=f'batch = "{column}"')
    assert left_open(tmp_path / "warehouse", ingested(tmp_path, named)) == []


def test_batch__of_one_perturbation_each_is_not_drafted(tmp_path):
    path = screen(tmp_path / "a.h5ad", ["non-targeting", "STAT1", "MYC"], each=20, batch=["a", "b", "c"])
    assert "batch = " not in drafted(path).text


MOUSE = ["Pten", "Cdkn2a", "Gapdh", "Hspa8", "Rpl5", "Trp53", "Actb", "Myc", "Stat1", "Jak2", "Cd4", "Brd4"]


@pytest.mark.parametrize(
    ("column", "labels"),
    [
        ("gene", ["non-targeting", "Pten", "Trp53", "Myc"]),
        ("guide", ["sgNT-1", "sgPten-1", "sgTrp53-1", "sgMyc-1"]),
        ("call", ["NTC_1", "Pten_sg1", "Trp53_sg1", "Myc_sg2"]),
    ],
)
def test_labels__of_mouse_genes_are_genes_where_those_measured_are_of_the_mouse(column, labels, tmp_path):
    draft = drafted(screen(tmp_path / "a.h5ad", labels, column, genes=MOUSE))
    assert draft.missing == ()
    assert 'kind = "crispr_knockout"  # CHECK' in draft.text
    ingested(tmp_path, draft)
    with Warehouse(tmp_path / "warehouse") as store:
        found = store.frame("select perturbation from condition order by 1")["perturbation"].to_list()
    assert found == ["MYC", "PTEN", "TP53", "control"]


@pytest.mark.parametrize("word", ["No guide assigned", "2+ guides", "-", "HTO_negative", "Singlet_NA", "unmapped"])
def test_not_called__words_of_further_callers(word, tmp_path):
    draft = drafted(screen(tmp_path / "a.h5ad", ["non-targeting", "STAT1", "MYC", word]))
    assert f"unassigned = [{json.dumps(word)}]" in draft.text
    ingested(tmp_path, draft)
    with Warehouse(tmp_path / "warehouse") as store:
        assert store.frame("select label, n_cells from rejected").rows() == [(word, EACH)]


def test_values__that_are_square_roots_of_counts_are_no_counts(tmp_path):
    roots = np.sqrt(np.random.default_rng(1).poisson(9.0, (8, len(GENES)))).astype(np.float32)
    rows = pl.DataFrame({"index": [f"c{n}" for n in range(8)], "gene": ["non-targeting", "STAT1"] * 4})
    path = write_h5ad(tmp_path / "a.h5ad", roots, rows, pl.DataFrame({"index": GENES}))
    assert "dataset.values" in drafted(path).missing
    assert inspect_file(path).values.evidence[-1] == "square roots of whole numbers: give the counts"


def test_dose__of_a_genetic_screen_is_drafted_where_it_differs_within_a_target(tmp_path):
    labels = ["non-targeting", "STAT1", "STAT1", "MYC", "MYC"]
    path = screen(tmp_path / "a.h5ad", labels, dose=["0 nM", "0 nM", "10 nM", "0 nM", "10 nM"])
    assert 'dose = { column = "dose" }' in drafted(path).text
    path = screen(tmp_path / "b.h5ad", ["non-targeting", "STAT1", "MYC"], dose=["1", "1", "1+1"])
    assert "dose = " not in drafted(path).text


def test_draft__of_signatures_takes_a_column_of_compounds_with_one_row_each(tmp_path):
    rows = pl.DataFrame(
        {
            "index": ["S0", "S1", "S2"],
            "pert_id": ["BRD-K56343971", "BRD-K56343971", "BRD-K81418486"],
            "pert_iname": ["vemurafenib", "PLX-4032", "vorinostat"],
            "cell_id": ["A549"] * 3,
        }
    )
    effects = np.random.default_rng(1).normal(size=(3, len(GENES))).astype(np.float32)
    draft = drafted(write_h5ad(tmp_path / "level5.h5ad", effects, rows, pl.DataFrame({"index": GENES}), layout="dense"))
    assert draft.missing == ()
    ingested(tmp_path, draft)
    with Warehouse(tmp_path / "warehouse") as store:
        found = store.frame("select perturbation, perturbation_label from condition order by condition_id").rows()
        ids = store.frame("select distinct perturbation_id from condition")["perturbation_id"]
    assert [name for name, _ in found] == ["vemurafenib", "vemurafenib", "vorinostat"]
    assert [label for _, label in found] == ["vemurafenib", "PLX-4032", "vorinostat"]
    assert set(ids) == {"name:vemurafenib", "name:vorinostat"}
