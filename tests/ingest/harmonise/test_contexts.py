"""Contexts: which labels are a cell line, and which only look like one."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from featurestore.contract import RELEASE
from featurestore.errors import SourceFormatError
from ingest.harmonise.cell_lines import CellLines, read_model_table, shipped_table
from ingest.harmonise.contexts import map_contexts
from ingest.harmonise.slugs import slug

SCHEMA = pl.Schema({**RELEASE["context"].schema, "aliases": pl.List(pl.String)})


def line(context_id, name, depmap_id=None, tissue=None, disease=None, aliases=()):
    return (context_id, name, depmap_id, tissue, disease, list(aliases))


def table_of(*lines):
    return pl.DataFrame(lines, schema=SCHEMA, orient="row")


@pytest.mark.parametrize(
    ("label", "context_id", "status"),
    [
        ("CVCL_0004", "CVCL_0004", "approved"),
        ("RRID:CVCL_0004", "CVCL_0004", "approved"),
        ("ACH-000551", "CVCL_0004", "approved"),
        ("K562", "CVCL_0004", "approved"),
        (" k-562 ", "CVCL_0004", "approved"),
        ("K562_HAEMATOPOIETIC_AND_LYMPHOID_TISSUE", "CVCL_0004", "alias"),
        ("THP1_HAEMATOPOIETIC_AND_LYMPHOID_TISSUE", "CVCL_0006", "alias"),
        ("RPE1", "CVCL_4388", "approved"),
        ("hTERT-RPE1", "CVCL_4388", "alias"),
        ("hTERT RPE-1", "CVCL_4388", "alias"),
        ("H1", "CVCL_9771", "approved"),
        ("WA01", "CVCL_9771", "alias"),
        ("H1-hESC", "CVCL_9771", "alias"),
        ("HEK293T", "CVCL_0063", "approved"),
        ("293T", "CVCL_0063", "alias"),
        ("HEK293", "CVCL_0045", "approved"),
        ("HepG2", "CVCL_0027", "approved"),
        ("hepg2", "CVCL_0027", "approved"),
        ("Hep G2/C3A", "CVCL_1098", "alias"),
        ("Jurkat", "CVCL_0065", "approved"),
        ("Jurkat, Clone E6-1", "CVCL_0367", "alias"),
        ("HCT116", "CVCL_0291", "approved"),
        ("HA1E", "CVCL_VU89", "approved"),
        ("MCF10A", "CVCL_0598", "approved"),
        ("VCAP", "CVCL_2235", "approved"),
        ("HAP1", "CVCL_Y019", "approved"),
        ("Hs 936.T(C1)", "CVCL_1034", "approved"),
        ("H1975", "CVCL_1511", "alias"),
        ("MV4;11", "CVCL_0064", "approved"),
    ],
)
def test_map_contexts__finds_the_line(label, context_id, status):
    mapped = map_contexts([label])
    assert mapped.row(0, named=True)["context_id"] == context_id
    assert mapped["status"].item() == status
    assert mapped["original"].item() == label


@pytest.mark.parametrize(
    ("label", "context_id"),
    [
        ("HAP1.TP53", "hap1_tp53"),
        ("K562 + IFNG", "k562_ifng"),
        ("K562+IFNG", "k562_ifng"),
        ("T cells CD4+", "t_cells_cd4_pos"),
        ("T cells CD4-", "t_cells_cd4_neg"),
        ("CD4+CD25-", "cd4_pos_cd25_neg"),
        ("CD4\u207a", "cd4_pos"),
        ("CD4\u207b", "cd4_neg"),
        ("CD34+CD38\u2212", "cd34_pos_cd38_neg"),
        ("PTEN+/+", "pten_pos_pos"),
        ("PTEN+/-", "pten_pos_neg"),
        ("PTEN-/-", "pten_neg_neg"),
        ("K562 +dox", "k562_dox"),
        ("K562 -dox", "k562_minus_dox"),
        ("T cells (\u2212IL2)", "t_cells_minus_il2"),
        ("HAP1 (clone 2)", "hap1_clone_2"),
        ("PHH", "phh"),
        ("K562-dCas9-KRAB", "k562_dcas9_krab"),
        ("TNF\u03b1-treated A549", "tnf_alpha_treated_a549"),
        ("RPE1-ss48", "rpe1_ss48"),
        ("A549_LIVER CELLS", "a549_liver_cells"),
    ],
)
def test_map_contexts__never_takes_more_than_a_name_for_a_line(label, context_id):
    mapped = map_contexts([label]).row(0, named=True)
    assert (mapped["context_id"], mapped["status"], mapped["name"]) == (context_id, "slug", label)
    assert mapped["depmap_id"] is None


def test_map_contexts__keeps_a_slug_from_reading_as_a_line():
    mapped = map_contexts(["K562*", "K562"])
    assert re.fullmatch(r"k562_[0-9a-f]{8}", mapped["context_id"][0])
    assert mapped["context_id"][1] == "CVCL_0004"


@pytest.mark.parametrize(
    ("labels", "context_ids"),
    [
        (["<5%", ">5%", "< 5 %"], ["5_3ce3e66a", "5_b8bdcb2f", "5_3ce3e66a"]),
        (["THP-1 + LPS", "THP-1 - LPS", "THP-1"], ["thp_1_lps_490f85eb", "thp_1_lps_177b1e77", "CVCL_0006"]),
        (["CD16++", "CD16", "CD16+"], ["cd16_2238a21b", "cd16_5d75d272", "cd16_pos"]),
        (["\u2640 liver", "\u2642 liver"], ["liver_adfcab7b", "liver_9b03799d"]),
        (["THP-1 + LPS", "thp-1+lps", "THP 1 +LPS"], ["thp_1_lps"] * 3),
        (["T-cells, CD4+", "t cells (CD4+)", "T_cells.CD4+", "T cells CD4 pos"], ["t_cells_cd4_pos"] * 4),
        (["TNF\u03b1-treated", "TNF alpha treated"], ["tnf_alpha_treated"] * 2),
    ],
)
def test_map_contexts__tells_labels_of_one_slug_apart_only_where_they_mean_different_things(labels, context_ids):
    assert map_contexts(labels)["context_id"].to_list() == context_ids
    assert map_contexts(labels[::-1])["context_id"].to_list() == context_ids[::-1]
    assert map_contexts(labels[:1])["context_id"].item() == slug(labels[0])


def test_map_contexts__keeps_a_label_apart_from_a_line_that_has_its_slug():
    mapped = map_contexts(["PDO-17*", "PDO-17"], table=table_of(line(None, "PDO-17")))
    assert re.fullmatch(r"pdo_17_[0-9a-f]{8}", mapped["context_id"][0])
    assert mapped["context_id"][1] == "pdo_17"


def test_map_contexts__reports_an_ambiguous_name_and_takes_neither():
    mapped = map_contexts(["H9"]).row(0, named=True)
    assert mapped["context_id"] == "h9"
    assert mapped["status"] == "ambiguous"
    assert mapped["candidates"] == ["CVCL_1240", "CVCL_9773"]
    assert "H9 hESC (CVCL_9773)" in mapped["note"]


@pytest.mark.parametrize("label", [None, "", "nan", " NA ", "None", "-666", "unknown"])
def test_map_contexts__reports_missing_labels(label):
    mapped = map_contexts([label]).row(0, named=True)
    assert mapped["context_id"] is None
    assert mapped["status"] == "missing"


def test_map_contexts__takes_ids_that_it_does_not_know():
    mapped = map_contexts(["CVCL_ZZZZ", "ACH-009999"])
    assert mapped["context_id"].to_list() == ["CVCL_ZZZZ", "ach_009999"]
    assert mapped["depmap_id"].to_list() == [None, "ACH-009999"]
    assert mapped["note"].to_list() == ["not in the table of cell lines"] * 2


def test_map_contexts__has_the_columns_of_the_contract_whatever_is_given():
    assert map_contexts([]).columns == [
        "original",
        *RELEASE["context"].columns,
        "status",
        "method",
        "candidates",
        "note",
    ]
    assert map_contexts([]).schema == map_contexts(["K562", None]).schema


LABELS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["K562", "k 562", "H9", "H9*", "K562*", "CD4+", "cd4", "CD4++", "HAP1.TP53", "HAP1/TP53", "cvcl 0004"]
    ),
)


@given(st.lists(st.one_of(st.none(), LABELS), max_size=10), st.randoms())
def test_map_contexts__is_order_free_idempotent_and_row_by_row(labels, random):
    mapped = map_contexts(labels)
    assert mapped["original"].to_list() == labels
    order = list(range(len(labels)))
    random.shuffle(order)
    assert_frame_equal(mapped[order], map_contexts([labels[i] for i in order]))
    ids = mapped["context_id"].to_list()
    assert map_contexts(ids)["context_id"].to_list() == ids
    assert all(re.fullmatch(r"CVCL_[0-9A-Z]{4}|[a-z0-9_]+", i) for i in ids if i is not None)


@given(st.text())
def test_slug__is_plain_and_idempotent(label):
    assert re.fullmatch(r"[a-z0-9_]+", slug(label))
    assert slug(slug(label)) == slug(label)


def test_shipped_table__has_one_row_a_line_and_no_shared_name_but_h9():
    table = shipped_table()
    assert table["context_id"].is_unique().all()
    assert table["name"].is_unique().all()
    assert table["depmap_id"].drop_nulls().is_unique().all()
    assert table.filter(~pl.col("context_id").str.contains(r"^CVCL_[0-9A-Z]{4}$")).is_empty()
    names = [*table["name"], *table["aliases"].explode().drop_nulls()]
    statuses = dict(zip(names, map_contexts(names)["status"], strict=True))
    assert [name for name, status in statuses.items() if status not in {"approved", "alias"}] == ["H9"]


def test_map_contexts__takes_more_lines_from_a_table():
    table = table_of(line("CVCL_C8DQ", "RPE1-ss48", "ACH-002462", "Eye", "Non-Cancerous", ["RPE1SS48_ENGINEERED"]))
    mapped = map_contexts(["RPE1-ss48", "rpe1 ss48", "ACH-002462", "RPE1SS48_ENGINEERED", "RPE1"], table=table)
    assert mapped["context_id"].to_list() == ["CVCL_C8DQ"] * 4 + ["CVCL_4388"]
    assert mapped["note"].null_count() == 5


def test_map_contexts__notes_where_a_table_disagrees_and_keeps_its_own():
    table = table_of(
        line("CVCL_9999", "K-562", "ACH-000551"),
        line("CVCL_0023", "A549", "ACH-999999"),
    )
    k562, a549, other = map_contexts(["K562", "A549", "CVCL_9999"], table=table).iter_rows(named=True)
    assert k562["context_id"] == "CVCL_0004"
    assert "a table given has CVCL_9999 for ACH-000551" in k562["note"]
    assert "a table given has CVCL_9999 for 'K562'" in k562["note"]
    assert a549["depmap_id"] == "ACH-000681"
    assert a549["note"] == "also ACH-999999 (A549)"
    assert other["context_id"] == "CVCL_9999"


def test_map_contexts__fills_empty_fields_from_a_table():
    table = table_of(line("CVCL_0063", "HEK293T", "ACH-123456"))
    mapped = map_contexts(["293T"], table=table).row(0, named=True)
    assert (mapped["depmap_id"], mapped["tissue"], mapped["note"]) == ("ACH-123456", "Kidney", None)


def test_cell_lines__gives_a_line_without_accession_a_slug():
    table = table_of(line(None, "PDO-17", "ACH-004000", "Bowel"))
    mapped = map_contexts(["ACH-004000", "pdo 17"], table=table)
    assert mapped["context_id"].to_list() == ["pdo_17", "pdo_17"]


def test_cell_lines__tells_lines_apart_whose_stripped_names_meet():
    lines = CellLines([table_of(line("CVCL_1774", "TT"), line("CVCL_3175", "T.T"))])
    assert [found.context_id for found in lines.find("T.T").lines] == ["CVCL_3175"]
    assert [found.context_id for found in lines.find("TT").lines] == ["CVCL_1774"]
    assert lines.find("T-T").status == "ambiguous"


def test_read_model_table__reads_every_known_layout(tmp_path):
    model = tmp_path / "Model.csv"
    model.write_text("ModelID,CellLineName,StrippedCellLineName,RRID,OncotreeLineage,CCLEName\nACH-1,X-1,X1,,Lung,NA\n")
    info = tmp_path / "cellinfo_beta.txt"
    info.write_text("cell_iname\tcellosaurus_id\tccle_name\tcell_alias\nX1\tCVCL_1111\tX1_LUNG\t-666\n")
    tahoe = tmp_path / "cell_line_metadata.parquet"
    pl.DataFrame(
        {"cell_name": ["X-1"] * 2, "Cell_ID_Cellosaur": ["CVCL_1111"] * 2, "Organ": ["Lung"] * 2}
    ).write_parquet(tahoe)
    assert read_model_table(model).drop("ids").rows() == [(None, "X-1", "ACH-1", "Lung", None, ["X1"])]
    assert read_model_table(info).drop("ids").rows() == [("CVCL_1111", "X1", None, None, None, ["X1_LUNG"])]
    assert read_model_table(tahoe).drop("ids").rows() == [("CVCL_1111", "X-1", None, "Lung", None, [])]


def test_read_model_table__refuses_what_it_cannot_use(tmp_path):
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    with pytest.raises(SourceFormatError, match="no column of cell line names"):
        read_model_table(other)
    with pytest.raises(SourceFormatError, match="cannot be read"):
        read_model_table(tmp_path / "absent.csv")


def test_shipped_table__agrees_with_depmap(real_data: Path):
    model = pl.read_csv(real_data / "depmap" / "Model_24Q2.csv", infer_schema=False)
    shipped = shipped_table().filter(pl.col("depmap_id").is_not_null())
    both = shipped.join(model, left_on="depmap_id", right_on="ModelID", how="left")
    assert both["RRID"].to_list() == both["context_id"].to_list()
    assert both["OncotreeLineage"].to_list() == both["tissue"].to_list()
    assert both["OncotreePrimaryDisease"].to_list() == both["disease"].to_list()
    stripped_names = both["name"].str.to_uppercase().str.replace_all(r"[^A-Z0-9]", "")
    differing = both.filter(stripped_names != both["StrippedCellLineName"])["name"].to_list()
    assert differing == []
    absent = shipped_table().filter(pl.col("depmap_id").is_null())
    assert absent.join(model, left_on="context_id", right_on="RRID", how="semi").is_empty()


def test_map_contexts__maps_all_of_depmap(real_data: Path):
    model = read_model_table(real_data / "depmap" / "Model_24Q2.csv")
    mapped = map_contexts(model["name"].to_list(), table=model)
    assert mapped.filter(pl.col("status") != "approved")["original"].to_list() == ["H9"]
    given_id = pl.coalesce(model["context_id"], mapped["context_id"])
    wrong = pl.DataFrame({"given": model.select(given_id).to_series(), "got": mapped["context_id"]}).filter(
        pl.col("given") != pl.col("got")
    )
    assert wrong["got"].to_list() == ["h9"]


def test_map_contexts__maps_the_lines_of_tahoe(real_data: Path):
    lines = read_model_table(real_data / "tahoe100m" / "cell_line_metadata.parquet")
    mapped = map_contexts(lines["name"].to_list())
    assert lines.height == 102
    assert mapped["context_id"].to_list() == lines["context_id"].to_list()


@pytest.mark.parametrize("label", ["SIDM00105", "905933", "905933.0", "2201", "HCM-BROD-0003-C71", "sidm00105"])
def test_given_table__is_looked_up_by_every_id_that_it_has(label, tmp_path):
    path = tmp_path / "Model.csv"
    path.write_text(
        "ModelID,CellLineName,RRID,SangerModelID,COSMICID,WTSIMasterCellID,HCMIID\n"
        "ACH-000001,NIH:OVCAR-3,CVCL_0465,SIDM00105,905933.0,2201,HCM-BROD-0003-C71\n"
        "ACH-000002,HL-60,CVCL_0002,SIDM00829,905938.0,55,\n"
    )
    (row,) = map_contexts([label], table=read_model_table(path)).rows(named=True)
    assert (row["context_id"], row["status"]) == ("CVCL_0465", "approved")
    assert map_contexts([label])["status"].to_list() == ["slug"]


def test_given_table__a_name_comes_before_the_id_of_another_line_and_says_so(tmp_path):
    path = tmp_path / "Model.csv"
    path.write_text("ModelID,CellLineName,RRID,WTSIMasterCellID\nACH-000002,HL-60,CVCL_0002,5637\n")
    (row,) = map_contexts(["5637"], table=read_model_table(path)).rows(named=True)
    assert (row["context_id"], row["status"]) == ("CVCL_0126", "approved")
    assert row["note"] == "also the identifier of HL-60 in the table given"
