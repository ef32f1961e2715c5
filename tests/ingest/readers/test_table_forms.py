"""Tables of numbers as spreadsheets and counting tools save them: decimal commas, titles, UTF-16, no header."""

from __future__ import annotations

import gzip
from contextlib import ExitStack, closing

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurestore.errors import SourceFormatError
from featurestore.query.warehouse import Warehouse
from ingest.inspection.inspect import inspect_file
from ingest.pipeline import ingest_dataset
from ingest.readers import header
from ingest.readers.open import open_source
from ingest.readers.plain_text import open_text
from ingest.readers.table import TableReader
from ingest.readers.text_numbers import BOUND, COMMA, LONGEST, MISSING, POINT, THOUSANDS, is_number, number_in
from ingest.testing import assemble

FIELDS = (b"1", b"2.5", b"1,5", b"1,234", b"2,345,678", b"", b"NA", b"<10", b">1,000", b"mg", b"control", b"1e-3")
SYMBOLS = ["TP53", "MYC", "STAT1", "KLF1"]


@pytest.fixture
def read(tmp_path):
    """Write and open tables, which are closed at the end."""
    with ExitStack() as opened:

        def write_and_open(text, name="table.txt", **layout):
            (tmp_path / name).write_text(text)
            return opened.enter_context(closing(TableReader(tmp_path / name, **layout)))

        yield write_and_open


@pytest.mark.parametrize(
    "text",
    [
        "sample;TP53;MYC\na;1,25;0,01\nb;-2,5;3\n",
        "sample\tTP53\tMYC\na\t1,25\t0,01\nb\t-2,5\t3\n",
        'sample,TP53,MYC\na,"1,25","0,01"\nb,"-2,5",3\n',
        "sample;TP53;MYC\r\na;1,25;1,0e-2\r\nb;-2,5;3\r\n",
        "Tabelle 1;;\n;;\nsample;TP53;MYC\na;1,25;0,01\nb;-2,5;3\n",
        "Table S1. Genes, and what became of them\nsample;TP53;MYC\na;1,25;0,01\nb;-2,5;3\n",
    ],
)
def test_decimal_commas__are_read(read, text):
    reader = read(text)
    assert reader.genes()["index"].to_list() == ["TP53", "MYC"]
    np.testing.assert_array_equal(assemble(reader), [[1.25, 0.01], [-2.5, 3]])


def test_decimal_commas__are_read_of_what_describes_the_lines(read):
    reader = read("sample;dose;TP53\na;0,5;3\nb;1,25;4\n", described_by=["dose"])
    assert reader.rows(["dose"])["dose"].to_list() == [0.5, 1.25]
    np.testing.assert_array_equal(assemble(reader), [[3], [4]])


@pytest.mark.parametrize("number", ["1,250", "12,345,678", "1,250.5"])
def test_separators_of_thousands__are_refused_where_they_may_be_decimal_commas(read, number):
    reader = read(f"sample\tTP53\tMYC\na\t{number}\t2\nb\t3\t4\n")
    with pytest.raises(SourceFormatError, match="without separators of thousands, and with decimal points"):
        assemble(reader)


@pytest.mark.parametrize("limit", ["<10", "< 0.5", ">=1000", "~3", "≤10"])
def test_limit_of_detection__is_refused_and_its_column_no_description(read, limit):
    reader = read(f"gene\tS1\tS2\nTP53\t5\t{limit}\nMYC\t7\t8\nRCC1\t9\t1\n", genes_in="rows")
    assert reader.rows()["index"].to_list() == ["S1", "S2"]
    with pytest.raises(SourceFormatError, match="S2") as caught:
        assemble(reader)
    assert limit in str(caught.value)
    assert "nothing was detected" in caught.value.do


@pytest.mark.parametrize(
    "title",
    [
        "Table S1. Counts of genes",
        "Table S1. Counts of genes,,",
        "Table S1, counts of genes",
        "Table S1,,\nof Figure 2,,\n\n",
        "\n\nTable S1",
        "# made with care",
    ],
)
def test_title__above_the_header_is_left_out(read, title):
    reader = read(f"{title}\ngene,a,b\nTP53,5,6\nMYC,7,8\n", genes_in="rows")
    assert reader.rows()["index"].to_list() == ["a", "b"]
    assert reader.genes()["index"].to_list() == ["TP53", "MYC"]
    np.testing.assert_array_equal(assemble(reader), [[5, 7], [6, 8]])


def test_title__and_names_of_groups_above_the_header_are_left_out(read):
    """As supplements have them, whose cells of a group are merged."""
    reader = read("Table S3. Counts,,,\n,control,,MYC\nGene,c1,c2,k1\nTP53,5,6,9\nMYC,7,8,0\n", genes_in="rows")
    assert reader.rows()["index"].to_list() == ["c1", "c2", "k1"]
    assert reader.genes()["index"].to_list() == ["TP53", "MYC"]


def test_title__above_two_columns_is_no_header_that_is_one_short(read):
    reader = read("Counts of sample a\ngene\tcount\nTP53\t5\nMYC\t7\n", genes_in="rows")
    assert (reader.rows()["index"].to_list(), reader.genes()["index"].to_list()) == (["count"], ["TP53", "MYC"])
    short = read("a\tb\nTP53\tNA\tNA\nMYC\t7\t8\n", "short.txt", genes_in="rows")
    assert short.rows()["index"].to_list() == ["a", "b"]
    np.testing.assert_array_equal(assemble(short), [[np.nan, 7], [np.nan, 8]])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("is_packed", [False, True])
def test_utf_16__is_refused_with_what_to_do(tmp_path, encoding, is_packed):
    mark = "" if encoding == "utf-16" else "\ufeff"
    content = f"{mark}sample\tTP53\na\t5\n".encode(encoding)
    (tmp_path / "x.txt").write_bytes(gzip.compress(content) if is_packed else content)
    with pytest.raises(SourceFormatError) as error:
        TableReader(tmp_path / "x.txt")
    assert "UTF-16" in str(error.value)
    assert "iconv -f UTF-16 -t UTF-8 x.txt" in str(error.value)
    if not is_packed:
        with pytest.raises(SourceFormatError, match="UTF-16"):
            open_source(tmp_path / "x.txt")


@pytest.mark.parametrize(
    ("text", "samples", "genes"),
    [
        ("ENSG00000141510\t52\nENSG00000105610\t75\n__no_feature\t9\n", ["s1"], ["ENSG00000141510", "ENSG00000105610"]),
        ("TP53\t52\nMYC\t75\n", ["s1"], ["TP53", "MYC"]),
        (
            "ENSG00000141510.18,52,3\nENSG00000105610.2,75,4\n",
            ["s1_2", "s1_3"],
            ["ENSG00000141510.18", "ENSG00000105610.2"],
        ),
        (
            "N_unmapped\t7\t8\nENSG00000141510\t52\t3\nTP53\t3\t2\n",
            ["s1_2", "s1_3"],
            ["N_unmapped", "ENSG00000141510", "TP53"],
        ),
        (
            "ENSG00000141510\tTP53\t52\nENSG00000105610\tKLF1\t75\n__no_feature\t\t9\n__ambiguous\t\t1\n",
            ["s1"],
            ["ENSG00000141510", "ENSG00000105610"],
        ),
        ("gene\tname\t52\nTP53\tx\t75\nMYC\ty\t4\n", ["52"], ["TP53", "MYC"]),
        ("gene\t52\nTP53\t75\nMYC\t4\n", ["52"], ["TP53", "MYC"]),
        ("sample\t7157\t1956\nTP53\t75\t4\n", ["7157", "1956"], ["TP53"]),
        ("\t1\t2\nTP53\t75\t4\nMYC\t1\t2\n", ["1", "2"], ["TP53", "MYC"]),
    ],
)
def test_first_line__is_a_gene_where_there_is_no_header(read, text, samples, genes):
    reader = read(text, "s1.counts.txt", genes_in="rows")
    assert reader.rows()["index"].to_list() == samples
    assert reader.genes()["index"].to_list()[: len(genes)] == genes


@pytest.mark.parametrize("by_symbol", [False, True])
def test_htseq__with_a_second_name_of_each_gene_loses_none_and_names_it_alike_in_all_files(by_symbol, tmp_path):
    genes = {"MYC": "ENSG00000136997", "TP53": "ENSG00000141510", "GATA1": "ENSG00000102145"}
    for file in ("a", "b"):
        pairs = [pair if by_symbol else pair[::-1] for pair in genes.items()]
        lines = ["\t".join([*pair, "7"]) for pair in pairs] + ["__no_feature\t\t9", "__ambiguous\t\t1"]
        (tmp_path / f"{file}.txt").write_text("\n".join(lines) + "\n")
        with closing(TableReader(tmp_path / f"{file}.txt", genes_in="rows")) as reader:
            assert reader.rows()["index"].to_list() == [file]
            assert reader.genes().columns == ["index", "column_2"]
            assert reader.genes().rows()[:3] == pairs


def test_htseq__loses_no_gene_of_a_sample_a_file(tmp_path):
    genes = ("ENSG00000141510", "ENSG00000105610", "ENSG00000102145")
    for name, values in (("ctrl", (52, 75, 60)), ("drug", (180, 70, 61))):
        lines = [f"{gene}\t{value}" for gene, value in zip(genes, values, strict=True)]
        (tmp_path / f"{name}.htseq.txt").write_text("\n".join([*lines, "__no_feature\t9", "__ambiguous\t1"]) + "\n")
    (tmp_path / "bulk.toml").write_text(
        """
        [dataset]
        id = "bulk"
        files = ["*.htseq.txt"]
        values = "counts"
        assay = "bulk_rna_seq"
        genes_in = "rows"
        [condition]
        perturbation = "index"
        kind = "compound"
        controls = ["ctrl"]
        context = { value = "K562" }
        """
    )
    ingest_dataset(tmp_path / "bulk.toml", tmp_path / "warehouse")
    counts = Warehouse(tmp_path / "warehouse").frame(
        "select is_control, gene_id, count from statistics join condition using (dataset_id, condition_id) order by all"
    )
    assert counts.rows() == [
        (is_control, gene, value)
        for is_control, values in ((False, (180, 70, 61)), (True, (52, 75, 60)))
        for gene, value in sorted(zip(genes, values, strict=True))
    ]


@pytest.mark.parametrize(("after_header", "after_lines"), [("", ","), (",", ""), (",", ","), ("", ",,"), (",,,", ",")])
def test_genes_by_samples__with_separators_at_the_end_of_lines_lose_no_gene_and_no_name(
    tmp_path, after_header, after_lines
):
    lines = [f"gene,ctrl_1,ctrl_2,MYC_1{after_header}", *(f"{g},{i},5,9{after_lines}" for i, g in enumerate(SYMBOLS))]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    with closing(TableReader(tmp_path / "a.csv", genes_in="rows")) as reader:
        assert reader.genes()["index"].to_list() == SYMBOLS
        assert reader.rows()["index"].to_list() == ["ctrl_1", "ctrl_2", "MYC_1"]
        np.testing.assert_array_equal(assemble(reader), [list(range(len(SYMBOLS))), [5.0] * 4, [9.0] * 4])


def test_genes_by_samples__with_words_below_the_header_are_described_by_them(tmp_path):
    above = ["gene,s1,s2,s3", "dose,0,0,10", "condition,ctrl,ctrl,MYC", ",raw,raw,NA"]
    lines = [*above, *(f"{gene},{at},5,9" for at, gene in enumerate(SYMBOLS))]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    with closing(TableReader(tmp_path / "a.csv", genes_in="rows")) as reader:
        assert reader.rows().rows() == [("s1", 0, "ctrl", "raw"), ("s2", 0, "ctrl", "raw"), ("s3", 10, "MYC", None)]
        assert reader.row_columns() == ["index", "dose", "condition", "line_4"]
        assert reader.genes()["index"].to_list() == SYMBOLS
        np.testing.assert_array_equal(assemble(reader), [list(range(len(SYMBOLS))), [5.0] * 4, [9.0] * 4])
    with closing(TableReader(tmp_path / "a.csv")) as reader:
        assert reader.genes().rows()[2] == ("s3", 10, "MYC", None)
        assert reader.n_rows == len(SYMBOLS)


@pytest.mark.parametrize("mark", ["'", " ", "\u00a0", "\u202f"])
def test_thousands__in_any_writing_are_refused_where_they_stand(mark, tmp_path):
    lines = ["gene;s1;s2", *(f"{gene};12{mark}345;7" for gene in SYMBOLS)]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with (
        closing(TableReader(tmp_path / "a.csv", genes_in="rows")) as reader,
        pytest.raises(SourceFormatError, match=r"(?s)line 2.*column 's1'.*without separators of thousands"),
    ):
        assemble(reader)


def test_header__is_read_once_for_all_who_ask_until_the_file_changes(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_text("sample,TP53,MYC\na,1,2\nb,3,4\n", encoding="utf-8")
    opened = []
    monkeypatch.setattr(header, "open_text", lambda path: opened.append(path) or open_text(path))
    inspect_file(path)
    assert opened == [path]
    path.write_text("sample,TP53,STAT1\na,1,2\nb,3,4\nc,5,6\n", encoding="utf-8")
    assert header.read_header(path).names == ["sample", "TP53", "STAT1"]
    for _ in range(2):
        path.write_text("no table", encoding="utf-8")
        with pytest.raises(SourceFormatError, match="'no table'"):
            header.read_header(path)


@given(
    st.lists(st.lists(st.sampled_from(FIELDS), min_size=4, max_size=4), min_size=4, max_size=14).map(
        lambda lines: [[b"key", *line] for line in lines]
    )
)
def test_lines_of_words__are_those_that_every_column_is_asked_for(lines):
    """The first column of numbers that a line has a number in settles it: as looking at all of them would."""
    assert header._n_words(lines) == n_words(lines)


def n_words(lines):
    for n in range(min(header.MOST_WORDS, len(lines) - header.FEWEST_BELOW_WORDS), 0, -1):
        columns = list(zip(*lines[n:], strict=True))[1:]
        decimal = COMMA if header._numeric(columns)[0] == COMMA else POINT
        below = [are_numbers_in_thousands(each, decimal) and not MISSING.issuperset(each) for each in columns]
        last = [field for field, is_numeric in zip(lines[n - 1][1:], below, strict=True) if is_numeric]
        if len(last) > 1 and not MISSING.issuperset(last) and not any(is_number(field, decimal) for field in last):
            return n
    return 0


def are_numbers_in_thousands(column, decimal):
    bare = [BOUND.sub(b"", field, count=1) if BOUND.match(field) else field for field in column]
    present = [field for field in bare if field not in MISSING]
    if 2 * sum(field != given for field, given in zip(bare, column, strict=True)) > len(present):
        return False
    odd = [field for field in column if field not in MISSING and not is_number(field)]
    in_thousands = bool(odd) and all(THOUSANDS.fullmatch(field) for field in odd)
    return all(is_number(field, decimal) for field in present) or in_thousands


@pytest.mark.parametrize("text", [b"1" * 30_000_000, b"0." + b"0" * 1100 + b"1"])
def test_number__that_is_longer_than_all_its_digits_is_none(text):
    assert not is_number(text)
    whole = np.format_float_positional(5e-324, unique=False, precision=1074).encode()
    assert len(whole) < LONGEST
    assert number_in(whole) == 5e-324


def test_header__is_found_in_as_many_looks_as_there_are_fields(tmp_path, monkeypatch):
    asked = 0

    def counted(field, decimal=POINT):
        nonlocal asked
        asked += 1
        return is_number(field, decimal)

    monkeypatch.setattr(header, "is_number", counted)
    path = tmp_path / "a.csv"
    fields = [f"x{at}" for at in range(10_000)]
    path.write_text("gene,a,b\n" + "TP53,1,2\n" * 30 + ",".join(["MYC", *fields]) + "\n", encoding="utf-8")
    with pytest.raises(SourceFormatError, match="The text is not a table"):
        header.read_header(path)
    assert len(fields) < asked < 5 * len(fields), "by point and comma, not again for each line above it"
