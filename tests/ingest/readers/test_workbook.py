"""Supplements as Excel workbooks: title rows, several sheets, dates that were genes; values with all their digits."""

from __future__ import annotations

import datetime as dt
import tomllib
import zipfile
from contextlib import closing

import numpy as np
import openpyxl
import pytest

from featurestore.errors import SourceFormatError
from featurestore.query.warehouse import Warehouse
from ingest.inspection.draft import draft_spec
from ingest.inspection.inspect import inspect_file
from ingest.pipeline import ingest_dataset
from ingest.readers import sheets
from ingest.readers.open import open_source
from ingest.readers.sheets import sheet_text
from ingest.readers.workbook import WorkbookFormat
from ingest.testing import assemble

SYMBOLS = ["TP53", "MYC", "STAT1", "GAPDH", "ACTB", "ISG15", "TYK2", "ABL1"]
TARGETS = ["MYC", "STAT1", "TYK2"]
RNG = np.random.default_rng(8)
EFFECTS = RNG.normal(size=(len(TARGETS), len(SYMBOLS)))
Q_VALUES = 10.0 ** -RNG.uniform(0, 250, EFFECTS.shape)
COUNTS = RNG.poisson(90, (6, len(SYMBOLS)))
SECOND = dt.datetime.fromisoformat("2023-09-02")
SAMPLES = ["non-targeting_1", "non-targeting_2", "MYC_1", "MYC_2", "TYK2_1", "TYK2_2"]


@pytest.fixture(scope="module")
def supplement(tmp_path_factory):
    """A workbook as journals publish it: a page of text, results below a title, and counts."""
    path = tmp_path_factory.mktemp("supplement") / "supplement_K562.xlsx"
    book = openpyxl.Workbook()
    book.active.title = "README"
    book.active.append(["Supplementary Table 3. Effects of knock-downs by CRISPRi in K562 cells."])
    results = book.create_sheet("Table S3A")
    results["A1"] = "Table S3A. DESeq2, each target against non-targeting"
    results.append([])
    results.append(["target", "gene_name", "log2FoldChange", "padj", "note"])
    for at, target in enumerate(TARGETS):
        for gene, symbol in enumerate(SYMBOLS):
            note = "see text, page 3\nof the paper" if gene == 1 else None
            results.append([target, symbol, float(EFFECTS[at, gene]), float(Q_VALUES[at, gene]), note])
    results.append(["MYC", SECOND, 1.5, 0.5])
    results.cell(results.max_row, 2).number_format = "d-mmm"
    counts = book.create_sheet("counts")
    counts.append(["gene", *SAMPLES])
    for gene, symbol in enumerate(SYMBOLS):
        counts.append([symbol, *COUNTS[:, gene].tolist()])
    book.save(path)
    return path


def test_matrix__of_a_sheet_with_groups_above_and_footnotes_below(tmp_path):
    """Groups of samples in merged cells above the header; what is said below the table is no gene."""
    book = openpyxl.Workbook()
    sheet = book.active
    rows = [["Table S4. Raw counts"], [None, "control", None, "MYC"], ["Gene", "c1", "c2", "k1"]]
    for row in [*rows, ["TP53", 5, 6, 9], [], ["a section"], ["MYC", 7, 8, 0], [], ["* by featureCounts"], ["** K562"]]:
        sheet.append(row)
    book.save(tmp_path / "s4.xlsx")
    found = inspect_file(tmp_path / "s4.xlsx")
    assert (found.header, found.genes_in) == (3, "rows")
    reader = open_source(tmp_path / "s4.xlsx", layout={"genes_in": "rows", "header": 3})
    assert reader.genes()["index"].to_list() == ["TP53", "a section", "MYC"]
    np.testing.assert_array_equal(assemble(reader)[:, [0, 2]], [[5, 7], [6, 8], [9, 0]])
    reader.close()


def write_sheet(path, *rows):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


def test_matrix__of_a_sheet_with_an_empty_column_between_groups(tmp_path):
    """It sets control from knock-down, and is no sample; a column without a name that has numbers is asked for one."""
    header, rows = [*SAMPLES[:2], None, *SAMPLES[2:]], np.insert(COUNTS.T.astype(object), 2, None, axis=1)
    lines = [[symbol, *row] for symbol, row in zip(SYMBOLS, rows.tolist(), strict=True)]
    path = write_sheet(tmp_path / "gap.xlsx", ["gene", *header], *lines)
    found = inspect_file(path)
    assert (found.genes_in, found.n_rows, found.n_genes) == ("rows", 6, 8)
    with closing(open_source(path, layout={"genes_in": "rows"})) as reader:
        assert reader.rows()["index"].to_list() == SAMPLES
        assert reader.genes().columns == ["index"]
        np.testing.assert_array_equal(assemble(reader), COUNTS)
    lines[5][3] = 7
    nameless = write_sheet(tmp_path / "nameless.xlsx", ["gene", *header], *lines)
    with pytest.raises(SourceFormatError, match=r"(?s)numbers has no name.*column 4.*after 'non-targeting_2'"):
        inspect_file(nameless)


def test_matrix__of_a_sheet_with_words_below_the_header_describes_samples_by_them(tmp_path):
    lines = [[symbol, *row] for symbol, row in zip(SYMBOLS, COUNTS.T.tolist(), strict=True)]
    units, targets = [None, *["raw count"] * 6], ["target", *(name.split("_")[0] for name in SAMPLES)]
    path = write_sheet(tmp_path / "units.xlsx", ["gene", *SAMPLES], targets, units, *lines)
    assert inspect_file(path).best("perturbation").column == "target"
    with closing(open_source(path, layout={"genes_in": "rows"})) as reader:
        assert reader.rows()["line_3"].unique().to_list() == ["raw count"]
        assert reader.rows()["target"].to_list() == targets[1:]
        np.testing.assert_array_equal(assemble(reader), COUNTS)


def test_matrix__of_a_sheet(supplement):
    assert WorkbookFormat.recognises(supplement)
    reader = open_source(supplement, layout={"sheet": "counts", "genes_in": "rows"})
    assert reader.format == "xlsx (sheet 'counts', genes in rows)"
    assert (reader.path, reader.files) == (supplement, (supplement,))
    assert reader.rows()["index"].to_list() == SAMPLES
    np.testing.assert_array_equal(assemble(reader), COUNTS)
    reader.close()


def test_sheet__has_to_be_named_where_there_are_several(supplement):
    with pytest.raises(SourceFormatError, match=r"several sheets(.|\n)*'README', 'Table S3A', 'counts'"):
        open_source(supplement)
    with pytest.raises(SourceFormatError, match=r"no sheet 'count'(.|\n)*did you mean 'counts'"):
        open_source(supplement, layout={"sheet": "count"})


def test_text__is_what_the_sheet_shows(supplement, tmp_path):
    lines = sheet_text(supplement, tmp_path, "Table S3A").read_text().splitlines()
    assert lines[2] == "target\tgene_name\tlog2FoldChange\tpadj\tnote"
    assert lines[4].split("\t")[4] == "see text, page 3 of the paper"
    assert lines[-1] == "MYC\t2-Sep\t1.5\t0.5\t"
    assert float(lines[3].split("\t")[3]) == Q_VALUES[0, 0]
    assert sheet_text(supplement, tmp_path, "Table S3A", 3).read_text().splitlines() == lines[2:]


@pytest.mark.parametrize(
    ("shown", "text"),
    [("d-mmm", "2-Sep"), ("mmm-yy", "Sep-23"), ("yyyy-mm-dd", "2023-09-02"), ("m/d/yy", "2023-09-02")],
)
def test_date__is_written_as_it_is_shown(tmp_path, shown, text):
    book = openpyxl.Workbook()
    book.active.append([SECOND, True, "#N/A", None, 7])
    book.active["A1"].number_format = shown
    book.save(tmp_path / "a.xlsx")
    assert sheet_text(tmp_path / "a.xlsx", tmp_path).read_text() == f"{text}\tTRUE\tNA\t\t7\n"


def test_draft__names_sheet_and_header_and_ingests_every_digit(supplement, tmp_path):
    found = inspect_file(supplement)
    assert (found.sheet, found.header, found.sheets) == ("Table S3A", 3, ("README", "Table S3A", "counts"))
    draft = draft_spec(found, supplement.parent)
    assert draft.missing == (), draft.text
    content = tomllib.loads(draft.text)
    assert (content["dataset"]["sheet"], content["dataset"]["header"]) == ("Table S3A", 3)
    assert content["table"] == {"gene": "gene_name", "effect": "log2FoldChange", "q_value": "padj"}
    spec = tmp_path / "draft.toml"
    spec.write_text(draft.text)
    ingest_dataset(spec, tmp_path / "warehouse", supplement.parent)
    with Warehouse(tmp_path / "warehouse") as store:
        got = store.frame(
            "select perturbation, gene_symbol, effect, q_value from signature join condition using (dataset_id, "
            "condition_id)"
        )
        dates = store.frame("select original from mapping where status = 'excel_date'")
    values = {(row[0], row[1]): row[2:] for row in got.iter_rows()}
    assert dates["original"].to_list() == ["2-Sep"]
    assert len(values) == EFFECTS.size
    for at, target in enumerate(TARGETS):
        for gene, symbol in enumerate(SYMBOLS):
            np.testing.assert_allclose(values[target, symbol], [EFFECTS[at, gene], Q_VALUES[at, gene]], rtol=1e-6)


def test_workbook__of_a_bomb_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b" " * 2**20)
    monkeypatch.setattr(sheets, "BOMB_BYTES", 1000)
    with pytest.raises(SourceFormatError, match="more than a workbook can"):
        open_source(path)


def test_sheet__of_few_cells_far_apart_is_refused(tmp_path, monkeypatch):
    book = openpyxl.Workbook()
    for row in range(1, 40):
        book.active.cell(row, 16_384, 1)
    book.save(tmp_path / "wide.xlsx")
    monkeypatch.setattr(sheets, "BOMB_BYTES", 2**14)
    monkeypatch.setattr(sheets, "BOMB_RATIO", 50)
    with pytest.raises(SourceFormatError, match="more than a sheet can"):
        sheet_text(tmp_path / "wide.xlsx", tmp_path)
    book = openpyxl.Workbook()
    book.active["A1048576"] = 1
    book.save(tmp_path / "long.xlsx")
    with pytest.raises(SourceFormatError, match="more than a sheet can"):
        sheet_text(tmp_path / "long.xlsx", tmp_path)


def test_archive__that_is_no_workbook_is_not_taken_for_one(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as archive:
        archive.writestr("counts.csv", "a,b\n")
    assert not WorkbookFormat.recognises(tmp_path / "a.xlsx")


def test_fault__in_a_sheet_is_told_of_the_workbook(tmp_path):
    path = tmp_path / "counts.xlsx"
    book = openpyxl.Workbook()
    book.active.title = "Counts"
    for row in (["gene", "DMSO_1", "JQ1_1"], *([f"gene{at}", at, at + 1] for at in range(50)), ["MYC", 5, "many"]):
        book.active.append(row)
    book.save(path)
    with (
        pytest.raises(SourceFormatError) as told,
        closing(WorkbookFormat.open(path, sheet="Counts", genes_in="rows")) as read,
    ):
        list(read.blocks())
    assert f"{path}, sheet 'Counts'" in told.value.where
    assert "counts_Counts.tsv" not in str(told.value)
